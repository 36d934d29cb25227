"""Reads `tests/corpus/policy/*.toml`, the decisions as data, into facts and expectations.

A file holds an optional `[defaults]` table and `[[cases]]`; a case takes from the defaults what it does not say itself.
`tests/corpus/policy/README.md` explains the keys. Unknown keys are errors, so that a misspelt fact cannot pass unseen.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from dialer.numbers import Number, NumberFault, parse
from dialer.policy.admin import load_admin
from dialer.policy.compiled import Pack
from dialer.policy.facts import (
    Address,
    Basis,
    CallKind,
    Consent,
    Facts,
    PastAttempt,
    PresentedNumber,
    Refusal,
    Route,
    Seller,
    SuppressionList,
    Trunk,
    TrunkOrigin,
)
from dialer.policy.packset import PackSet, load_packs

FOLDER = Path(__file__).parent.parent / "corpus" / "policy"
SELLER = "acme"
PURPOSE = "marketing"

_CALLEE = {"callee", "callee_country", "address"}
_CALL = {"seller_state", "industry", "purpose", "kind", "route", "presented", "trunk"}
_RECORDS = {"consents", "refusals", "listed_on", "lists", "attempts"}
_PACK = {"pack", "without_rules", "policy"}
_EXPECTED = {"expect", "reasons", "rules", "not_cited", "until"}
_KEYS = {"id", "jurisdiction", "claim", "at"} | _CALLEE | _CALL | _RECORDS | _PACK | _EXPECTED


@dataclass(frozen=True)
class Case:
    """One case: what is claimed, the facts, and what the decision must be."""

    id: str
    file: str
    jurisdiction: str
    claim: str
    at: datetime
    facts: Facts
    table: dict[str, Any]
    outcome: str
    reasons: frozenset[str]
    rules: frozenset[str]
    not_cited: frozenset[str]
    until: datetime | None

    def pack(self) -> Pack | None:
        """The rules that hold for the callee, with the changes that the case makes to them."""
        if self.table.get("pack") == "none":
            return None
        return _packs(self.table.get("policy", ""), tuple(self.table.get("without_rules", ()))).for_callee(
            self.facts.callee, self.facts.address
        )


@cache
def shipped() -> PackSet:
    """The packs as they are shipped."""
    return load_packs()


@cache
def _packs(policy: str, without: tuple[str, ...]) -> PackSet:
    packs = shipped()
    if without:
        known = {rule.id for pack in packs.packs for rule in pack.rules}
        assert known.issuperset(without), f"no such rules: {set(without) - known}"
        packs = PackSet(
            pack.model_copy(update={"rules": tuple(rule for rule in pack.rules if rule.id not in without)})
            for pack in packs.packs
        )
    return packs.with_admin(load_admin(policy, "case")) if policy else packs


def load_cases(folder: Path = FOLDER) -> list[Case]:
    """Every case, in order of file and place.

    Raises:
        ValueError: a key is not known, one is missing, or two cases share an id.
    """
    cases = [case for file in sorted(folder.glob("*.toml")) for case in _read(file)]
    ids = [case.id for case in cases]
    twice = {each for each in ids if ids.count(each) > 1}
    if twice:
        raise ValueError(f"ids are used twice: {sorted(twice)}")
    return cases


def _read(file: Path) -> Iterator[Case]:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    for own in data["cases"]:
        table = {**data.get("defaults", {}), **own}
        try:
            unknown = table.keys() - _KEYS
            if unknown:
                raise ValueError(f"unknown keys {sorted(unknown)}")
            yield _case(file.name, table)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file.name}: case `{own.get('id')}`: {error!r}") from error


def _case(file: str, table: dict[str, Any]) -> Case:
    return Case(
        id=table["id"],
        file=file,
        jurisdiction=table["jurisdiction"],
        claim=table["claim"],
        at=instant(table["at"]),
        facts=_facts(table),
        table=table,
        outcome=table["expect"],
        reasons=frozenset(table.get("reasons", ())),
        rules=frozenset(table.get("rules", ())),
        not_cited=frozenset(table.get("not_cited", ())),
        until=instant(table["until"]) if "until" in table else None,
    )


def instant(value: date | datetime) -> datetime:
    """In UTC. A time must state its offset; a date alone is its first instant in UTC."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        raise ValueError(f"`{value}` states no offset")
    return value.astimezone(UTC)


def _facts(table: dict[str, Any]) -> Facts:
    state = table.get("seller_state", "active")
    seller = Seller(SELLER, suspended=state == "suspended", industry=table.get("industry", ""))
    trunk = table.get("trunk")
    return Facts(
        callee=_number(table["callee"], table.get("callee_country")),
        seller_code=SELLER,
        seller=None if state == "unknown" else seller,
        purpose=table.get("purpose", PURPOSE),
        kind=CallKind(table.get("kind", "live")),
        route=Route(table.get("route", "marketing")),
        consents=tuple(_consents(table)),
        refusals=tuple(_refusals(table.get("refusals", ()))),
        listed_on=tuple(table.get("listed_on", ())),
        lists=tuple(_list(**each) for each in table.get("lists", ())),
        attempts=tuple(sorted((_attempt(**each) for each in table.get("attempts", ())), key=_newest_first)),
        address=_address(**table["address"]) if "address" in table else None,
        presented=_presented(**table["presented"]) if "presented" in table else None,
        trunk=_trunk(**trunk) if isinstance(trunk, dict) else None,
        trunk_asked=trunk is not None,
    )


def _number(raw: str, country: str | None) -> Number | NumberFault:
    return parse(raw, country if country is not None or raw.startswith("+") else "CN")


def _consents(table: dict[str, Any]) -> Iterator[Consent]:
    for place, each in enumerate(table.get("consents", ()), start=1):
        yield _consent(place, table.get("purpose", PURPOSE), **each)


def _consent(
    place: int,
    own_purpose: str,
    *,
    basis: str,
    granted: date,
    seller: str = SELLER,
    purpose: str | None = None,
    expires: date | None = None,
    withdrawn: date | None = None,
    kinds: tuple[str, ...] = ("live", "prerecorded"),
    lifts: int | None = None,
) -> Consent:
    return Consent(
        id=place,
        seller=seller,
        purpose=own_purpose if purpose is None else purpose,
        basis=Basis(basis),
        granted_at=instant(granted),
        expires_at=None if expires is None else instant(expires),
        withdrawn_at=None if withdrawn is None else instant(withdrawn),
        kinds=tuple(CallKind(kind) for kind in kinds),
        lifts=lifts,
    )


def _refusals(tables: list[dict[str, Any]]) -> Iterator[Refusal]:
    for place, each in enumerate(tables, start=1):
        yield _refusal(place, **each)


def _refusal(place: int, *, at: date, seller: str = SELLER, id: int | None = None) -> Refusal:
    return Refusal(place if id is None else id, None if seller == "*" else seller, instant(at))


def _list(*, name: str, as_of: date, prefixes: list[str]) -> SuppressionList:
    return SuppressionList(name, instant(as_of), tuple(prefixes))


def _attempt(*, at: date, seller: str = SELLER, talked: bool = False) -> PastAttempt:
    return PastAttempt(seller, instant(at), talked)


def _newest_first(attempt: PastAttempt) -> float:
    return -attempt.at.timestamp()


def _address(*, region: str, zones: list[str], verified: bool) -> Address:
    return Address(region, tuple(zones), verified)


def _presented(
    *, number: str, country: str = "CN", holders: tuple[str, ...] = (), any_seller: bool = False
) -> PresentedNumber:
    return PresentedNumber(_number(number, country), tuple(holders), any_seller)


def _trunk(*, name: str, country: str, origin: str) -> Trunk:
    return Trunk(name, country, TrunkOrigin(origin))
