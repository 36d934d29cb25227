"""The demonstration's own database: sellers, trunks, consents, refusals, lists, as its calls need them."""

from __future__ import annotations

import io
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dialer.app import Database, Registers, clock, open_imports, open_registers
from dialer.demo.places import PLACES, Chosen, Place
from dialer.import_rows import LISTED
from dialer.imports import Sheet
from dialer.numbers import Number, parse
from dialer.policy.facts import Basis, CallKind, TrunkOrigin
from dialer.ports_refusals import FormArtefact, NewRefusal
from dialer.ports_registers import Artefact, NewConsent

SELLER, OTHER_SELLER, BY = "demo", "demo-other", "demo"
_BOTH = (CallKind.LIVE, CallKind.PRERECORDED)
_COUNTRIES = {place.country: place for place in PLACES}
_US = next(place for place in PLACES if place.name == "New York")
_GB = _COUNTRIES["GB"]


@dataclass(frozen=True, slots=True)
class Callees:
    """The numbers of one run, one a situation."""

    consented: str
    called_back: str
    unconsented: str
    of_another_seller: str
    expired: str
    refused: str
    listed: str
    governed_by_stale_list: str
    asleep: str
    unshown: str
    later: str
    keys_in_call: str
    keys_in_announcement: str
    tells_the_agent: str
    says_no: str
    says_something: str
    rings_back: str
    rings_long: str


def trunk_of(number: str) -> str:
    """The demonstration's trunk for a callee: one a country, so that the number shown is one of that country."""
    return f"demo-{_place_of(number).country}"


def presented_to(number: str) -> str:
    """The number that is shown to a callee."""
    return _place_of(number).presented


def _place_of(number: str) -> Place:
    return next((place for place in PLACES if number.startswith(place.prefix)), PLACES[0])


def policy() -> str:
    """The administrator's policy of the demonstration: one call a day everywhere, so that the second meets the cap."""
    tables = []
    for country in sorted(_COUNTRIES):
        rule = {
            "id": f"{country}.demo.once",
            "kind": "cap",
            "source": "the demonstration",
            "confidence": "high",
            "text": {"en": "one call a day", "zh": "每天一次"},
            "limit": 1,
            "window": "24h",
            "per": "callee",
            "counts": "attempts",
        }
        fields = "\n".join(f"{key} = {_toml(value)}" for key, value in rule.items())
        tables.append(f'[[tighten]]\npack = "{country}"\n[tighten.rule]\n{fields}\n')
    return "\n".join(tables)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


async def furnish(database: Database, where: Chosen, form: Artefact) -> Callees:
    """Fill the (new) database and choose the callees. `form` proves the consents."""
    inside, outside, english = where.inside, where.outside, where.english
    chance = random.Random()  # noqa: S311 # no secret
    strict = _COUNTRIES["CN"]
    callees = Callees(
        consented=inside.callee(chance),
        called_back=inside.callee(chance),
        unconsented=strict.callee(chance),
        of_another_seller=strict.callee(chance),
        expired=strict.callee(chance),
        refused=inside.callee(chance),
        listed=_US.callee(chance),
        governed_by_stale_list=_GB.callee(chance),
        asleep=outside.callee(chance),
        unshown=inside.callee(chance),
        later=inside.callee(chance),
        keys_in_call=inside.callee(chance, "91"),
        keys_in_announcement=inside.callee(chance, "91"),
        tells_the_agent=inside.callee(chance),
        says_no=english.callee(chance, "92"),
        says_something=english.callee(chance, "93"),
        rings_back=inside.callee(chance),
        rings_long=inside.callee(chance, "80"),
    )
    registers = open_registers(database, BY)
    await _register(registers)
    await _record(registers, callees, form)
    await _import_lists(database, registers, callees)
    return callees


async def _register(registers: Registers) -> None:
    await registers.sellers.add(SELLER, "Demonstration Ltd")
    await registers.sellers.add(OTHER_SELLER, "Another Seller Ltd")
    for country in sorted(_COUNTRIES):
        await registers.trunks.add(f"demo-{country}", country, TrunkOrigin.MIXED)
    for trunk, number in sorted({(f"demo-{place.country}", place.presented) for place in PLACES}):
        await registers.trunks.add_number(trunk, number, "Demonstration Ltd", SELLER)


async def _record(registers: Registers, callees: Callees, form: Artefact) -> None:
    now = clock()
    month = now - timedelta(days=30)
    asked = [callees.consented, callees.called_back, callees.refused, callees.asleep, callees.unshown, callees.later]
    asked += [callees.keys_in_call, callees.keys_in_announcement, callees.tells_the_agent, callees.says_no]
    asked += [callees.says_something, callees.rings_back, callees.rings_long]
    consents: list[tuple[str, str, datetime, datetime | None]] = [(number, SELLER, month, None) for number in asked]
    consents += [
        (callees.of_another_seller, OTHER_SELLER, month, None),
        (callees.expired, SELLER, now - timedelta(days=400), now - timedelta(days=35)),
    ]
    for number, seller, granted, expires in consents:
        await registers.consents.add(
            NewConsent(_digits(number), seller, "marketing", Basis.WRITTEN, _BOTH, granted, expires, form)
        )
    await registers.refusals.add(NewRefusal(_digits(callees.refused), SELLER, "agent", now, note="asked the agent"))


async def refuse_by_message(registers: Registers, number: str, form: FormArtefact) -> None:
    """The callee has sent a message, just now."""
    await registers.refusals.add(NewRefusal(_digits(number), SELLER, "message", clock(), artefact=form))


async def _import_lists(database: Database, registers: Registers, callees: Callees) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    lists = [
        ("us-national-dnc", "+1", callees.listed, today),
        ("gb-tps", "+44", "+447400000010", today - timedelta(days=60)),
        ("gb-ctps", "+44", "+447400000010", today - timedelta(days=60)),
    ]
    imports = open_imports(database, BY)
    for name, prefix, number, as_of in lists:
        await registers.lists.add(name, "its keeper", [prefix])
        sheet = Sheet(io.BytesIO(f"number\n{number}\n".encode()), name, LISTED.columns)
        await imports.listed(sheet, name, as_of)


def _digits(number: str) -> int:
    read = parse(number)
    if not isinstance(read, Number):
        raise ValueError(f"`{number}` is no number")
    return read.digits
