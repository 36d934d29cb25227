"""Keys while the service does not answer, on real Asterisks: what a switch keeps, and that it binds."""

from __future__ import annotations

import pytest

from agi.ami import Address, Ami
from agi.doctor import Patient, examine
from agi.findings import Level
from agi.install import manager_user
from agi.pbx.lab import Lab, Way
from agi.spool import Spool
from tests.acceptance.ami_lab import now
from tests.acceptance.refusal_gate import (
    ENTRY,
    PRESSES,
    SELLER,
    UNANSWERED,
    RefusalGate,
    Reply,
    denied,
    heard,
    kept,
    refusal_event,
    without_func_db,
)
from tests.unit.keyed_world import MemoryCalls, World

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("reply", UNANSWERED)
async def test_refusal_that_the_service_does_not_take_is_kept_and_binds(
    lab: Lab, gate: RefusalGate, reply: Reply
) -> None:
    """Whatever the service does but take it, the refusal stays in AstDB and is confirmed, the call goes on, and the
    next call to this callee for this seller is denied by the switch itself though the gate allows it."""
    gate.reply = reply
    await lab.originate(PRESSES, variables=SELLER | {"HEEDLINE_LANG": "zh"})
    event = await refusal_event(lab)
    await heard(lab, "zh/heedline-refusal-recorded")
    assert event["Status"] == "FAILED"
    assert event["Channel"] in await lab.pbx.channels()
    entries = await kept(lab)
    assert list(entries) == [ENTRY]
    assert entries[ENTRY].split(":")[1:5] == ["1", "keyed", "call", "9"]
    await lab.hang_up_all()
    await lab.mark()
    denial = await denied(lab, PRESSES)
    assert (denial["Verdict"], denial["Reasons"], denial["Seller"]) == ("REFUSE", "REFUSED", "acme")
    assert await lab.invites() == 0


async def test_refusal_while_the_service_is_down_is_kept(lab: Lab, gate: RefusalGate) -> None:
    """With nobody on the service's port the refusal is kept and confirmed all the same."""
    await lab.originate(PRESSES, way=Way.CALLEE, variables=SELLER)
    await gate.stop()
    try:
        await heard(lab, "en/heedline-refusal-recorded")
        assert list(await kept(lab)) == [ENTRY]
    finally:
        await gate.start()


async def test_another_seller_may_still_call(lab: Lab, gate: RefusalGate) -> None:
    """What the switch keeps binds the seller who was refused, and no other."""
    await lab.pbx.cli(f"database put heedline-refusal {ENTRY} x")
    await lab.originate(PRESSES, variables=SELLER | {"HEEDLINE_SELLER": "other"})
    await lab.egress.manager.expect(lambda event: event.get("Event") == "BridgeEnter", 10)
    assert await lab.invites() == 1


@pytest.mark.parametrize("entry", [f"{PRESSES}/*", f"{PRESSES.removeprefix('+')}/*"])
async def test_refusal_to_all_binds_every_seller(lab: Lab, entry: str) -> None:
    """A caller who refused to all, his number with a plus or as carriers write it without one, is called for nobody."""
    await lab.pbx.cli(f"database put heedline-refusal {entry} x")
    assert (await denied(lab, PRESSES, "other"))["Reasons"] == "REFUSED"
    assert await lab.invites() == 0


async def test_press_without_anything_to_keep_it_is_said_to_have_failed(lab: Lab, gate: RefusalGate) -> None:
    """When neither AstDB nor the service takes the refusal, the callee hears that it could not be recorded."""
    gate.reply = Reply.FAILED
    await lab.originate(PRESSES, way=Way.CALLEE, variables=SELLER)
    async with without_func_db(lab):
        await heard(lab, "en/heedline-refusal-failed")
    assert gate.told


async def test_without_func_db_nobody_is_called(lab: Lab) -> None:
    """A switch that cannot look into AstDB denies, for it might keep a refusal there."""
    async with without_func_db(lab):
        assert (await denied(lab, PRESSES))["Reasons"] == "REFUSED"
    assert await lab.invites() == 0


async def test_only_the_very_entry_is_deleted(lab: Lab, gate: RefusalGate) -> None:
    """An answer that comes when another refusal stands in the entry's place deletes nothing."""
    await lab.pbx.cli(f"database put heedline-refusal {ENTRY} another:1:keyed:call:9:1:::")
    fields = [
        ("Channel", "Local/s@heedline-recorded/n"),
        ("Application", "Hangup"),
        ("Async", "true"),
        *(
            ("Variable", pair)
            for pair in (f"HEEDLINE_CALLEE={PRESSES}", "HEEDLINE_SELLER=acme", "HEEDLINE_RECEIPT=abcdef00")
        ),
    ]
    await lab.pbx.manager.originate(fields, 10)
    event = await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusalFetched", 10)
    assert event["Entry"] == "OTHER"
    assert list(await kept(lab)) == [ENTRY]


async def test_least_rights_suffice_and_the_doctor_counts(lab: Lab) -> None:
    """With the rights that `heedline pbx install` prints, what is kept is read, and deleted by the switch; the doctor
    names what waits and what is garbled."""
    receipt = "0a1b2c3d-0000-4000-8000-000000000001"
    await lab.pbx.cli(f"database put heedline-refusal +4930123456/acme {receipt}:1:keyed:call:9:1790000000:::")
    await lab.pbx.cli("database put heedline-refusal x/y z")
    manager = lab.pbx.folder / "etc" / "manager.conf"
    before = manager.read_text()
    manager.write_text(before + manager_user("least", "s", "127.0.0.0/255.0.0.0"))
    await lab.pbx.cli("manager reload")
    address = Address("pbx", lab.pbx.address, lab.pbx.ami_port, "least", "s")
    found = {finding.id: finding for finding in await examine(Patient(address, "pbx", ("egress",)), now, 5)}
    assert found["refusals.kept"].level is Level.WARN
    assert found["refusals.kept"].values["count"] == "1"
    assert found["refusals.garbled"].level is Level.FAIL
    assert "x/y" in found["refusals.garbled"].text()
    world = World(calls=MemoryCalls(party=None))
    async with Ami(address) as ami:
        await ami.ready()
        await Spool(ami, world.keyed).fetch()
        event = await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusalFetched", 10)
    assert event["Entry"] == "GONE"
    assert [refusal.receipt for refusal in world.kept] == [receipt]
    assert await kept(lab) == {"x/y": "z"}
    manager.write_text(before)
    await lab.pbx.cli("manager reload")
