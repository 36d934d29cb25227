"""The registers on a real PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from dialer.app import Registers, clock
from dialer.errors import AlreadyRegistered, NotRegistered, RegisterError
from dialer.loosenings import record_loosenings
from dialer.numbers import Number, parse
from dialer.policy.admin import load_admin
from dialer.policy.facts import Basis, CallKind, TrunkOrigin
from dialer.ports_refusals import NewRefusal
from dialer.ports_registers import Artefact, NewConsent

BOTH = (CallKind.LIVE, CallKind.PRERECORDED)
CALLEE = parse("+442079460123")
assert isinstance(CALLEE, Number)
DIGITS = CALLEE.digits


def consent(**changes: Any) -> NewConsent:
    """A plain consent of the callee."""
    plain = {
        "callee": DIGITS,
        "seller": "acme",
        "purpose": "marketing",
        "basis": Basis.EXPRESS,
        "kinds": BOTH,
        "granted_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return NewConsent(**{**plain, **changes})


async def evidence(owner: asyncpg.Connection) -> list[tuple[str, int | None, dict[str, Any]]]:
    """Kind, subject and payload of every entry, oldest first."""
    rows = await owner.fetch("select kind, subject, payload from evidence_entries order by id")
    return [(row["kind"], row["subject"], json.loads(row["payload"])) for row in rows]


async def test_a_sellers_life_is_witnessed(registers: Registers, owner: asyncpg.Connection) -> None:
    """Adding, suspending and resuming a seller each leave one evidence entry that names it and who did it."""
    added = await registers.sellers.add("acme", "Acme Ltd", "finance")
    assert (await registers.sellers.suspend("acme")).suspended
    assert not (await registers.sellers.suspend("acme", False)).suspended
    entries = await evidence(owner)
    assert [kind for kind, _, _ in entries] == ["seller.added", "seller.suspended", "seller.resumed"]
    assert all(subject == added.id and payload["by"] == "test" for _, subject, payload in entries)


async def test_a_change_that_fails_leaves_nothing(registers: Registers, owner: asyncpg.Connection) -> None:
    """A seller registered twice, or under a bad code, is refused and no evidence of it is written."""
    await registers.sellers.add("acme", "Acme Ltd")
    with pytest.raises(AlreadyRegistered, match="registered already"):
        await registers.sellers.add("acme", "Other")
    with pytest.raises(RegisterError, match="no code"):
        await registers.sellers.add("a b", "Other")
    assert len(await evidence(owner)) == 1


async def test_a_number_is_read_as_its_trunks_country_writes_it(registers: Registers) -> None:
    """A national number is stored in canonical form, once for each seller and once for all."""
    await registers.sellers.add("acme", "Acme Ltd")
    await registers.trunks.add("uk", "gb", TrunkOrigin.DOMESTIC)
    assert await registers.trunks.add_number("uk", "020 7946 0999", "Acme Ltd", "acme") == "+442079460999"
    assert await registers.trunks.add_number("uk", "+442079460999", "Acme Ltd", None) == "+442079460999"
    with pytest.raises(AlreadyRegistered):
        await registers.trunks.add_number("uk", "02079460999", "Acme Ltd", "acme")
    trunk, numbers = await registers.trunks.show("uk")
    assert trunk.country == "GB"
    assert {number.seller for number in numbers} == {"acme", None}


async def test_a_number_for_an_unknown_seller_is_not_registered_for_all(registers: Registers) -> None:
    """A misspelt seller never becomes `every seller`."""
    await registers.trunks.add("uk", "GB", TrunkOrigin.DOMESTIC)
    with pytest.raises(NotRegistered, match="seller `amce`"):
        await registers.trunks.add_number("uk", "020 7946 0999", "Acme Ltd", "amce")
    assert await registers.trunks.numbers() == []


async def test_removing_a_number_for_one_seller_keeps_the_others(registers: Registers) -> None:
    """Only the registration that is named ends."""
    await registers.sellers.add("acme", "Acme Ltd")
    await registers.trunks.add("uk", "GB", TrunkOrigin.DOMESTIC)
    await registers.trunks.add_number("uk", "020 7946 0999", "Acme Ltd", "acme")
    await registers.trunks.add_number("uk", "020 7946 0999", "Acme Ltd", None)
    assert await registers.trunks.remove_number("uk", "020 7946 0999", "acme", everyone=False) == 1
    assert [number.seller for number in await registers.trunks.numbers()] == [None]
    assert await registers.trunks.remove_number("uk", "020 7946 0999") == 1
    with pytest.raises(NotRegistered):
        await registers.trunks.remove_number("uk", "020 7946 0999")


async def test_a_route_is_declared_with_its_reason_and_removed(registers: Registers, owner: asyncpg.Connection) -> None:
    """A declaration needs a reason, is evidence, and can be taken back."""
    with pytest.raises(RegisterError, match="reason"):
        await registers.routes.declare("alarms", " ")
    await registers.routes.declare("alarms", "fire alarm call-outs")
    assert [route.declared_by for route in await registers.routes.all()] == ["test"]
    await registers.routes.remove("alarms")
    assert await registers.routes.all() == []
    assert [kind for kind, _, _ in await evidence(owner)] == ["route.declared", "route.removed"]


async def test_a_list_is_missing_until_imported(registers: Registers) -> None:
    """A new list has prefixes and no import."""
    added = await registers.lists.add("us-national-dnc", "FTC", ["+1", "+1"])
    assert (added.prefixes, added.as_of) == (("+1",), None)
    with pytest.raises(RegisterError, match="prefix"):
        await registers.lists.add("other", "FTC", ["1"])


async def test_a_consent_comes_back_as_it_was_recorded(registers: Registers, owner: asyncpg.Connection) -> None:
    """Every field survives, and the evidence names the consent."""
    await registers.sellers.add("acme", "Acme Ltd")
    given = consent(
        artefact=Artefact(b"\x01" * 32, "audio/wav", "artefacts/01"),
        region="US-FL",
        zones=("America/New_York",),
        verified=True,
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    )
    id = await registers.consents.add(given)
    assert isinstance(CALLEE, Number)
    (record,) = await registers.consents.of(CALLEE)
    assert (record.id, record.consent, record.recorded_by) == (id, given, "test")
    kind, subject, payload = (await evidence(owner))[-1]
    assert (kind, subject, payload["callee"]) == ("consent.granted", id, "+442079460123")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"granted_at": datetime.now(UTC) + timedelta(days=1)}, "future"),
        ({"expires_at": datetime(2025, 1, 1, tzinfo=UTC)}, "ends before"),
        ({"region": "Florida"}, "no region"),
        ({"region": "US-FL", "zones": ("America/Nowhere",)}, "no time zone"),
        ({"verified": True}, "needs a region"),
        ({"purpose": "Two words"}, "no purpose"),
        ({"kinds": ()}, "no kind"),
        ({"seller": "nobody"}, "not registered"),
    ],
)
async def test_a_consent_that_makes_no_sense_is_refused(
    registers: Registers, changes: dict[str, Any], message: str
) -> None:
    """Each is named, and nothing is recorded."""
    await registers.sellers.add("acme", "Acme Ltd")
    with pytest.raises(RegisterError, match=message):
        await registers.consents.add(consent(**changes))
    assert isinstance(CALLEE, Number)
    assert await registers.consents.of(CALLEE) == []


async def test_withdrawal_ends_consents_for_the_purpose_and_for_any(registers: Registers) -> None:
    """A consent for another purpose stays; one for any purpose ends with the one that is named."""
    await registers.sellers.add("acme", "Acme Ltd")
    for purpose in ("marketing", "survey", "*"):
        await registers.consents.add(consent(purpose=purpose))
    assert isinstance(CALLEE, Number)
    assert await registers.consents.withdraw(CALLEE, "acme", "marketing") == 2
    open_ = [record.consent.purpose for record in await registers.consents.of(CALLEE) if not record.withdrawn_at]
    assert open_ == ["survey"]
    with pytest.raises(NotRegistered):
        await registers.consents.withdraw(CALLEE, "acme", "marketing")


async def test_only_a_later_evidenced_consent_of_the_same_callee_lifts_a_refusal(registers: Registers) -> None:
    """Earlier ones, ones without an artefact, and ones of somebody else do not."""
    await registers.sellers.add("acme", "Acme Ltd")
    refused_at = datetime(2026, 2, 1, tzinfo=UTC)
    refusal = await registers.refusals.add(NewRefusal(DIGITS, "acme", "agent", refused_at))
    artefact = Artefact(b"\x02" * 32, "text/plain", "mail")
    later = refused_at + timedelta(days=1)
    for changes, message in (
        ({"artefact": artefact, "granted_at": refused_at}, "not later"),
        ({"granted_at": later}, "needs evidence"),
        ({"artefact": artefact, "granted_at": later, "callee": DIGITS + 1}, "no refusal of this callee"),
        ({"artefact": artefact, "granted_at": later, "lifts": refusal + 1}, "no refusal of this callee"),
    ):
        with pytest.raises(RegisterError, match=message):
            await registers.consents.add(consent(**{"lifts": refusal, **changes}))
    await registers.consents.add(consent(lifts=refusal, artefact=artefact, granted_at=later))
    assert isinstance(CALLEE, Number)
    assert [record.consent.lifts for record in await registers.consents.of(CALLEE)] == [refusal]


async def test_a_refusal_is_recorded_with_its_evidence(registers: Registers, owner: asyncpg.Connection) -> None:
    """The entry's subject is the refusal, and refusals are never edited or deleted, not even by the owner."""
    await registers.sellers.add("acme", "Acme Ltd")
    id = await registers.refusals.add(NewRefusal(DIGITS, None, "web", clock(), note="unsubscribe page"))
    kind, subject, payload = (await evidence(owner))[-1]
    assert (kind, subject, payload["seller"]) == ("refusal", id, None)
    for statement in ("delete from refusals", "update refusals set seller_id = 1", "truncate refusals cascade"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)


async def test_a_refusal_to_an_unknown_seller_is_an_error(registers: Registers) -> None:
    """It is neither dropped in silence nor turned into one to all sellers."""
    with pytest.raises(NotRegistered):
        await registers.refusals.add(NewRefusal(DIGITS, "nobody", "agent", clock()))
    assert isinstance(CALLEE, Number)
    assert await registers.refusals.of(CALLEE) == []


async def test_a_loosening_is_witnessed_once(registers: Registers, owner: asyncpg.Connection) -> None:
    """Loading the same policy again writes nothing; one changed word is another loosening."""
    text = '[[loosen]]\nrule = "GB.refusal"\nreason = "{}"\nby = "A. Li"\nsince = 2026-01-01\n'
    first, changed = (load_admin(text.format(reason), "policy.toml").loosen for reason in ("agreed", "agreed again"))
    assert await record_loosenings(first, registers.store, clock, "test") == 1
    assert await record_loosenings(first, registers.store, clock, "test") == 0
    assert await record_loosenings((*first, *changed), registers.store, clock, "test") == 1
    entries = await evidence(owner)
    assert [(kind, payload["rule"], payload["reason"]) for kind, _, payload in entries] == [
        ("policy.loosened", "GB.refusal", "agreed"),
        ("policy.loosened", "GB.refusal", "agreed again"),
    ]
