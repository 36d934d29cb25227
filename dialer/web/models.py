"""What the HTTP API reads and writes: pydantic models, from which its OpenAPI description is made too."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from dialer.errors import RegisterError
from dialer.notes import NOTE_LIMIT, kept_note
from dialer.ports_refusals import WAYS, RefusalRecord

LARGEST_ID = 2**63 - 1
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No refusal is older: what is, is a mistake of who tells it."""
SELLER_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
COUNTRY_PATTERN = "^[A-Za-z]{2}$"
SHA256_PATTERN = "^[0-9A-Fa-f]{64}$"
# RFC 6838, section 4.2.
MEDIA_TYPE_PATTERN = "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$"
KEY_PATTERN = "^[!-~]([ -~]{0,126}[!-~])?$"
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read_instant(value: Any) -> datetime:
    """RFC 3339 with an offset, as UTC. Raises a `PydanticCustomError` `instant`."""
    fault = PydanticCustomError("instant", "no time as RFC 3339 writes it")
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise fault
    try:
        at = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault from None
    if at < EARLIEST:
        raise PydanticCustomError("early", "before 1970")
    return at


def _plain(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("characters", "holds control or invisible characters")
    return text


def _note(text: str) -> str:
    """As the other ways in keep it."""
    try:
        return kept_note(text) or ""
    except RegisterError:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": NOTE_LIMIT}) from None


def _positive(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,19}", value):
        raise PydanticCustomError("int_parsing", "no whole number")
    return value


def _number(text: str) -> str:
    """A `+` that was not escaped in a query arrives as a space."""
    return f"+{text[1:]}" if re.match(" [0-9]", text) else text


def _upper(text: str) -> str:
    return text.upper()


Instant = Annotated[
    datetime,
    BeforeValidator(read_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T10:00:00+08:00"]}),
]
NumberText = Annotated[
    StrictStr,
    Field(
        min_length=1,
        max_length=32,
        description="The callee's number: E.164 with `+`, or as `country` writes it.",
        examples=["+8613800138000"],
    ),
]
SellerCode = Annotated[StrictStr, Field(pattern=SELLER_PATTERN)]
Country = Annotated[
    StrictStr,
    Field(pattern=COUNTRY_PATTERN, description="ISO 3166-1: whose national form the number may have."),
    AfterValidator(_upper),
]
Plain = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_plain)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FormBody(_Read):
    """A form, letter, message or recording that proves the refusal and is kept elsewhere."""

    sha256: Annotated[StrictStr, Field(pattern=SHA256_PATTERN), AfterValidator(str.lower)]
    media_type: Annotated[StrictStr, Field(pattern=MEDIA_TYPE_PATTERN)]
    location: Annotated[StrictStr, Field(min_length=1, max_length=500), AfterValidator(_plain)] = Field(
        description="Where it is kept; never fetched."
    )


class RefusalBody(_Read):
    """A refusal to record: to a seller, or to all of them."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "number": "+8613800138000",
                    "seller": "acme",
                    "how": "message",
                    "at": "2026-10-20T10:00:00+08:00",
                    "note": "TD",
                }
            ],
            "oneOf": [
                {
                    "required": ["seller"],
                    "properties": {"seller": {"type": "string"}, "all_sellers": {"const": False}},
                },
                {
                    "required": ["all_sellers"],
                    "properties": {"seller": {"type": "null"}, "all_sellers": {"const": True}},
                },
            ],
        },
    )

    number: NumberText
    seller: SellerCode | None = Field(None, description="Code of the seller that was refused.")
    all_sellers: StrictBool = Field(False, description="Refused to every seller.")
    how: Literal["web", "api", "message", "complaint"] = Field("api", description="How it was expressed.")
    at: Instant | None = Field(None, description="When it was expressed (RFC 3339 with offset). Default: now.")
    country: Country | None = None
    note: Annotated[StrictStr, Field(max_length=NOTE_LIMIT), AfterValidator(_note)] | None = Field(
        None, description="What was said. Kept on one line: breaks become spaces, invisible characters escapes."
    )
    call_id: Plain | None = Field(None, description="The call in which it was said.")
    agent: Plain | None = Field(None, description="Who was told.")
    artefact: FormBody | None = None

    @model_validator(mode="after")
    def _to_somebody(self) -> Self:
        if (self.seller is None) != self.all_sellers:
            raise PydanticCustomError("sellers", "either a seller or all sellers")
        return self


class LookupQuery(_Read):
    """Which callee's refusals are asked for."""

    number: Annotated[NumberText, AfterValidator(_number)]
    country: Country | None = None
    seller: SellerCode | None = Field(None, description="Ask too whether a refusal binds this seller.")
    limit: Annotated[int, BeforeValidator(_positive), Field(ge=1, le=200, description="Refusals a page.")] = 50
    cursor: Annotated[
        int, BeforeValidator(_positive), Field(ge=0, le=LARGEST_ID, description="`next_cursor` of the page before.")
    ] = 0


class NoQuery(_Read):
    """Nothing may stand in the query."""


class KeyHeader(_Read):
    """The header that makes telling again harmless."""

    key: Annotated[StrictStr, Field(pattern=KEY_PATTERN)] | None = Field(
        None,
        alias="Idempotency-Key",
        description="1 to 128 printable ASCII characters of your own for each refusal, such as a UUID. Told again with "
        "it, a refusal is recorded once. Without it the answer names one that was made.",
    )


class ArtefactDocument(BaseModel):
    """What proves a refusal; `kind` says which fields it has."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["key", "speech", "form", "request"]


class RefusalDocument(BaseModel):
    """A refusal as recorded."""

    id: int = Field(ge=1, le=LARGEST_ID)
    number: str = Field(description="E.164.")
    seller: str | None = Field(description="The seller's code; null: refused to all sellers.")
    how: str = Field(json_schema_extra={"enum": list(WAYS)})
    at: datetime
    call_id: str | None
    agent: str | None
    note: str | None
    attempt: int | None = Field(description="The decision whose call it was said in.")
    artefact: ArtefactDocument | None
    rule: str | None = Field(description="The policy rules by which it binds.")
    rule_version: str | None
    recorded_at: datetime

    @classmethod
    def of(cls, record: RefusalRecord) -> RefusalDocument:
        """The document of a record."""
        r = record.refusal
        return cls(
            id=record.id,
            number=f"+{r.callee}",
            seller=r.seller,
            how=r.how,
            at=r.at,
            call_id=r.call_id,
            agent=r.agent,
            note=r.note,
            attempt=r.attempt,
            artefact=ArtefactDocument(**r.artefact.document()) if r.artefact else None,
            rule=record.rule,
            rule_version=record.rule_version,
            recorded_at=record.recorded_at,
        )


class RefusalsDocument(BaseModel):
    """A page of a callee's refusals, in the order of recording."""

    number: str = Field(description="E.164.")
    seller: str | None = Field(description="The seller that `refused` speaks of.")
    refused: bool | None = Field(
        description="Whether a refusal binds that seller now, as the gate sees it; null: no seller was asked about."
    )
    refusals: list[RefusalDocument]
    next_cursor: str | None = Field(description="`cursor` of the next page; null: this is the last.")


class IndexDocument(BaseModel):
    """Where to go on."""

    name: Literal["heedline"]
    version: str
    openapi: str
    problems: str
