"""What a row of each register's CSV file must be: pydantic models, and rows turned into values to store.

The cells are hostile text. Faults are codes (`dialer.messages`), so that they can be told in any language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Generic, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.imports import Chunk, Columns, Row, RowFault
from dialer.numbers import Number, parse
from dialer.policy.facts import Basis, CallKind
from dialer.ports_refusals import WAYS

ANY_SELLER = "*"
# What a clock that runs behind may make of "now".
_SKEW = timedelta(minutes=5)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PURPOSE = re.compile(r"\*|[a-z0-9][a-z0-9_-]{0,63}")
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_SEVERAL = re.compile(r"[\s|+,]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YES, _NO = frozenset({"true", "yes", "1", "y"}), frozenset({"false", "no", "0", "n"})
INDUSTRIES = ("finance", "property", "health", "recruitment_tourism")


@dataclass(frozen=True, slots=True)
class RowContext:
    """What rows are held against: the country of numbers in national form, the codes that are registered, the seller
    of rows that name none (`ANY_SELLER`: for all sellers), and the time. `by` and `batch`: who imports, and a name of
    this import, for the evidence of each row."""

    now: datetime
    country: str | None = None
    sellers: frozenset[str] = frozenset()
    trunks: dict[str, str] = field(default_factory=dict)
    default_seller: str = ""
    by: str = ""
    batch: str = ""


def fault(code: str, detail: str = "") -> PydanticCustomError:
    """The error of a cell, for a validator to raise."""
    return PydanticCustomError(code, "{detail}", {"detail": detail})


def read_number(text: str, country: str | None) -> Number:
    """A number, or the error of its cell."""
    number = parse(text, country)
    if not isinstance(number, Number):
        raise fault(f"number.{number.fault.value}")
    return number


def read_instant(text: str) -> datetime:
    """ISO 8601 with an offset, as UTC; a day alone is its first instant in UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise fault("instant") from None
    if at.tzinfo is None:
        if _DAY.fullmatch(text):
            return at.replace(tzinfo=UTC)
        raise fault("offset")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise fault("instant") from None


def _context(info: ValidationInfo) -> RowContext:
    if not isinstance(info.context, RowContext):
        raise TypeError("rows are validated with a `RowContext`")
    return info.context


def _callee(text: str, info: ValidationInfo) -> int:
    number = read_number(text, _context(info).country)
    if not number.is_e164 or number.digits < 1000:
        raise fault("not_e164")
    return number.digits


def _seller(text: str, info: ValidationInfo) -> str:
    if text != ANY_SELLER and text not in _context(info).sellers:
        raise fault("seller_unknown")
    return text


def _one_seller(text: str, info: ValidationInfo) -> str:
    if text not in _context(info).sellers:
        raise fault("seller_unknown")
    return text


def _trunk(text: str, info: ValidationInfo) -> str:
    if text not in _context(info).trunks:
        raise fault("trunk_unknown")
    return text


def _matching(pattern: re.Pattern[str], code: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise fault(code)
        return text

    return check


def _choice(*values: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in values:
            raise fault("choice", ", ".join(values))
        return text

    return check


def _words(limit: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) > limit:
            raise fault("long", str(limit))
        if not text.isprintable():
            raise fault("characters")
        return text

    return check


def _kinds(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_SEVERAL.split(text)))
    if not set(found) <= set(CallKind):
        raise fault("choice", ", ".join(CallKind))
    return found


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _zones(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(re.split(r"[\s|,]+", text)))
    if not set(found) <= _zone_names():
        raise fault("zone")
    return found


def _flag(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise fault("choice", "true, false")


def _past(text: str, info: ValidationInfo) -> datetime:
    at = read_instant(text)
    if at > _context(info).now + _SKEW:
        raise fault("future")
    return at


Callee = Annotated[int, BeforeValidator(_callee)]
Past = Annotated[datetime, BeforeValidator(_past)]
Instant = Annotated[datetime, BeforeValidator(read_instant)]
Purpose = Annotated[str, AfterValidator(_matching(_PURPOSE, "purpose"))]
Code = Annotated[str, AfterValidator(_matching(_CODE, "code"))]
Note = Annotated[str, AfterValidator(_words(500))]
Industry = Annotated[str, AfterValidator(_choice(*INDUSTRIES))]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SellerRow(_Row):
    """A seller."""

    code: Code
    name: Annotated[str, AfterValidator(_words(200))]
    industry: Industry = ""

    def values(self, _: RowContext) -> tuple[Any, ...]:
        """In the order of the columns to store."""
        return self.code, self.name, self.industry


class NumberRow(_Row):
    """A number that may be presented on a trunk. `seller` `*`: by every seller."""

    trunk: Annotated[str, AfterValidator(_trunk)]
    number: str
    holder: Annotated[str, AfterValidator(_words(200))]
    seller: Annotated[str, AfterValidator(_seller)]
    use: Note = ""

    def values(self, context: RowContext) -> tuple[Any, ...]:
        """In the order of the columns to store; what evidence says of it comes last. The number is read as its trunk's
        country writes it."""
        number = read_number(self.number, context.trunks[self.trunk])
        seller = None if self.seller == ANY_SELLER else self.seller
        payload = canonical(
            {
                "kind": "number.added",
                "at": instant(context.now),
                "by": printable(context.by),
                "batch": context.batch,
                "trunk": self.trunk,
                "number": number.e164,
                "number_class": number.cls.value,
                "seller": seller,
                "holder": self.holder,
                "use": self.use,
            }
        )
        return self.trunk, number.e164, self.holder, seller, self.use, payload


class ConsentRow(_Row):
    """A consent."""

    number: Callee
    seller: Annotated[str, AfterValidator(_one_seller)]
    purpose: Purpose = "marketing"
    basis: Annotated[str, AfterValidator(_choice(*Basis))] = "express"
    kinds: Annotated[tuple[str, ...], BeforeValidator(_kinds)] = ("live", "prerecorded")
    granted_at: Past
    expires_at: Instant | None = None
    artefact_sha256: Annotated[str, AfterValidator(_matching(_SHA256, "sha256"))] = ""
    artefact_media_type: Annotated[str, AfterValidator(_words(100))] = ""
    artefact_location: Note = ""
    region: Annotated[str, AfterValidator(_matching(_REGION, "region"))] | None = None
    zones: Annotated[tuple[str, ...], BeforeValidator(_zones)] = ()
    verified: Annotated[bool, BeforeValidator(_flag)] = False
    withdrawn_at: Past | None = None

    def values(self, context: RowContext) -> tuple[Any, ...]:
        """In the order of the columns to store; what evidence says of it comes last."""
        if self.expires_at is not None and self.expires_at <= self.granted_at:
            raise CellFault("expires_at", "order")
        if (self.artefact_location or self.artefact_media_type) and not self.artefact_sha256:
            raise CellFault("artefact_sha256", "artefact")
        if (self.zones or self.verified) and self.region is None:
            raise CellFault("region", "zones_alone")
        return (
            self.number,
            self.seller,
            self.purpose,
            self.basis,
            self.kinds,
            self.granted_at,
            self.expires_at,
            bytes.fromhex(self.artefact_sha256) or None,
            self.artefact_media_type or None,
            self.artefact_location or None,
            self.region,
            self.zones,
            self.verified,
            self.withdrawn_at,
            self._payload(context),
        )

    def _payload(self, context: RowContext) -> str:
        artefact = [self.artefact_sha256.lower(), self.artefact_media_type, self.artefact_location]
        return canonical(
            {
                "kind": "consent",
                "at": instant(context.now),
                "by": printable(context.by),
                "batch": context.batch,
                "callee": f"+{self.number}",
                "seller": self.seller,
                "purpose": self.purpose,
                "basis": self.basis,
                "kinds": list(self.kinds),
                "granted_at": instant(self.granted_at),
                "expires_at": instant(self.expires_at),
                "withdrawn_at": instant(self.withdrawn_at),
                "artefact": artefact if self.artefact_sha256 else None,
                "region": self.region,
                "zones": list(self.zones),
                "verified": self.verified,
                "lifts": None,
            }
        )


class RefusalRow(_Row):
    """A refusal. `seller` `*`: to all sellers."""

    number: Callee
    seller: Annotated[str, AfterValidator(_seller)]
    at: Past | None = None
    note: Note = ""
    how: Annotated[str, AfterValidator(_choice(*WAYS))] = "import"

    def values(self, context: RowContext) -> tuple[Any, ...]:
        """In the order of the columns to store; what evidence says of it comes last."""
        seller = None if self.seller == ANY_SELLER else self.seller
        at, note = self.at or context.now, self.note or None
        payload = canonical(
            {
                "kind": "refusal",
                "at": instant(at),
                "by": printable(context.by),
                "batch": context.batch,
                "callee": f"+{self.number}",
                "seller": seller,
                "how": self.how,
                "note": note,
            }
        )
        return self.number, seller, self.how, at, note, payload


class ListedRow(_Row):
    """A number on a suppression list."""

    number: Callee

    def values(self, _: RowContext) -> tuple[Any, ...]:
        """In the order of the columns to store."""
        return (self.number,)


class CellFault(Exception):
    """A cell that is wrong beside another one."""

    def __init__(self, column: str, code: str) -> None:
        super().__init__(column, code)
        self.column, self.code = column, code


Model = TypeVar("Model", SellerRow, NumberRow, ConsentRow, RefusalRow, ListedRow)


@dataclass(frozen=True, slots=True)
class RowKind(Generic[Model]):
    """One kind of file: its name, its columns, the model of a row."""

    name: str
    columns: Columns
    model: type[Model]


SELLERS = RowKind("sellers", Columns(("code", "name"), ("industry",)), SellerRow)
NUMBERS = RowKind("numbers", Columns(("trunk", "number", "holder", "seller"), ("use",)), NumberRow)
CONSENTS = RowKind(
    "consents",
    Columns(
        ("number", "granted_at"),
        (
            "seller",
            "purpose",
            "basis",
            "kinds",
            "expires_at",
            "artefact_sha256",
            "artefact_media_type",
            "artefact_location",
            "region",
            "zones",
            "verified",
            "withdrawn_at",
        ),
    ),
    ConsentRow,
)
REFUSALS = RowKind("refusals", Columns(("number",), ("seller", "at", "note", "how"), bare=True), RefusalRow)
LISTED = RowKind("listed", Columns(("number",), others=True, bare=True), ListedRow)
KINDS: dict[str, RowKind[Any]] = {kind.name: kind for kind in (SELLERS, NUMBERS, CONSENTS, REFUSALS, LISTED)}


@dataclass(slots=True)
class Validated:
    """What a chunk came to: values to store, and faults, each in the order of the file."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


def validate(kind: str, columns: Sequence[str], chunk: Chunk, context: RowContext) -> Validated:
    """Hold a chunk's rows against their model. Pure, and its arguments can go to another process."""
    model = KINDS[kind].model
    done = Validated(faults=list(chunk.faults))
    for row in chunk.rows:
        cells = {column: cell for column, cell in zip(columns, row.cells, strict=True) if cell}
        if context.default_seller and "seller" not in cells:
            cells["seller"] = context.default_seller
        try:
            done.rows.append(model.model_validate(cells, context=context).values(context))
        except ValidationError as error:
            done.faults.extend(_faults(error, row))
        except CellFault as wrong:
            done.faults.append(RowFault(row.line, wrong.column, printable(cells.get(wrong.column, ""), 64), wrong.code))
        except PydanticCustomError as wrong_number:
            done.faults.append(RowFault(row.line, "number", printable(cells["number"], 64), wrong_number.type))
    done.faults.sort(key=lambda each: each.line)
    return done


def _faults(error: ValidationError, row: Row) -> list[RowFault]:
    found = []
    for detail in error.errors(include_url=False):
        column = str(detail["loc"][0]) if detail["loc"] else ""
        value = "" if detail["type"] == "missing" else printable(str(detail["input"]), 64)
        found.append(RowFault(row.line, column, value, detail["type"], str(detail.get("ctx", {}).get("detail", ""))))
    return found
