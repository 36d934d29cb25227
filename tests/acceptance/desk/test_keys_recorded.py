"""Keys that refuse, from real RTP to the row: a running node, a real database, and what is kept while one is gone."""

from __future__ import annotations

import asyncio

import pytest

from agi.pbx.lab import Way
from dialer.numbers import Number, parse
from dialer.ports_refusals import KeyArtefact, Prompt, RefusalRecord
from tests.acceptance.effects_lab import Desk
from tests.acceptance.refusal_gate import heard, kept, refusal_event
from tests.gate_world import OTHER_SELLER, SELLER, TRUNK
from tests.servers import Server

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

VARIABLES = {"HEEDLINE_SELLER": SELLER, "HEEDLINE_TRUNK": TRUNK}


async def call(desk: Desk, callee: str, way: Way = Way.AGENT, agent: str = "", kind: str = "live") -> None:
    """A call that is answered."""
    shown, variables = desk.world.place.presented, VARIABLES | {"HEEDLINE_KIND": kind}
    started = await desk.lab.originate(callee, way=way, agent=agent, cli=shown, variables=variables)
    assert started.answered


async def rows(desk: Desk, callee: str) -> list[RefusalRecord]:
    """What is on record of a callee."""
    number = parse(callee)
    assert isinstance(number, Number)
    return await desk.registers.refusals.of(number)


async def refused_again(desk: Desk, callee: str) -> None:
    """A redial is refused because he refused, and reaches nobody."""
    await desk.lab.hang_up_all()
    desk.lab.pbx.manager.events.clear()
    before = len(await desk.lab.calls(callee))
    await (await desk.call(callee)).ended()
    event = await desk.lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineDeny", 10)
    assert "REFUSED" in event["Reasons"].split(":")
    assert len(await desk.lab.calls(callee)) == before


async def fetched(desk: Desk) -> None:
    """Wait until the switch has deleted the entry that the node has recorded."""
    event = await desk.lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusalFetched", 40)
    assert event["Entry"] == "GONE"
    assert await kept(desk.lab) == {}


@pytest.mark.parametrize(
    ("ending", "way", "agent", "kind", "how", "artefact"),
    [
        ("91", Way.AGENT, "", "live", "keyed", KeyArtefact("9", Prompt.CALL)),
        ("91", Way.CALLEE, "", "live", "keyed", KeyArtefact("9", Prompt.CALL)),
        ("91", Way.ANNOUNCEMENT, "", "prerecorded", "keyed", KeyArtefact("9", Prompt.ANNOUNCEMENT)),
        ("93", Way.AGENT, "PJSIP/1007", "live", "agent", KeyArtefact("*7", Prompt.AGENT)),
        ("94", Way.AGENT, "", "live", "keyed", KeyArtefact("9", Prompt.CALL)),
    ],
)
async def test_key_makes_one_row_with_its_artefact(
    desk: Desk, ending: str, way: Way, agent: str, kind: str, how: str, artefact: KeyArtefact
) -> None:
    """Each key becomes one row with the key, what offered it, the call and its seller, and a redial is refused."""
    callee = await desk.callee(ending)
    await call(desk, callee, way, agent, kind)
    if ending == "94":  # nobody is left to hear anything
        await desk.lab.pbx.manager.expect(
            lambda event: event.get("Event") == "Hangup" and "heedline-tell" in event.get("Channel", ""), 20
        )
    else:
        assert (await refusal_event(desk.lab))["Status"] == "RECORDED"
    (row,) = await rows(desk, callee)
    assert (row.refusal.how, row.refusal.seller, row.refusal.artefact) == (how, SELLER, artefact)
    assert row.refusal.attempt
    assert row.refusal.agent == (agent or None)
    assert row.rule
    assert await kept(desk.lab) == {}
    await refused_again(desk, callee)


async def test_callee_who_rings_back_refuses_every_seller_of_the_number(desk: Desk) -> None:
    """The number that he rang is registered for two sellers: both are refused, and his number is read as it is written
    where he rang."""
    callee = await desk.callee()
    await desk.lab.ring_back(desk.world.place.presented, cli=callee.removeprefix("+"))
    assert (await refusal_event(desk.lab, 30))["Status"] == "RECORDED"
    found = await rows(desk, callee)
    assert sorted(row.refusal.seller or "" for row in found) == sorted([SELLER, OTHER_SELLER])
    assert {(row.refusal.how, row.refusal.artefact) for row in found} == {
        ("inbound_call", KeyArtefact("9", Prompt.CALLBACK))
    }
    await refused_again(desk, callee)


@pytest.mark.parametrize("stopped", [False, True])
async def test_key_pressed_while_the_node_is_gone_is_recorded_when_it_is_back(desk: Desk, stopped: bool) -> None:
    """A node that was killed, or that hangs, when the key was pressed: the callee is told that it is recorded, and so
    it is, once, when the node is back."""
    callee = await desk.callee("91")
    await call(desk, callee, Way.CALLEE)
    if stopped:
        desk.node.freeze()
    else:
        await desk.node.kill()
    try:
        assert (await refusal_event(desk.lab))["Status"] == "FAILED"
        event = await refusal_event(desk.lab)
        await heard(desk.lab, f"{event['Spoken']}/heedline-refusal-recorded")
        assert list(await kept(desk.lab)) == [f"{callee}/{SELLER}"]
    finally:
        if stopped:
            desk.node.thaw()
        else:
            await desk.node.start()
    await fetched(desk)
    (row,) = await rows(desk, callee)
    assert (row.refusal.how, row.refusal.artefact) == ("keyed", KeyArtefact("9", Prompt.CALL))
    await refused_again(desk, callee)


async def test_key_pressed_while_the_database_is_down_is_recorded_when_it_is_back(desk: Desk, server: Server) -> None:
    """With the database gone the node keeps the refusal on its disk, says so, and records it once when it is back."""
    callee = await desk.callee("91")
    await call(desk, callee, Way.CALLEE)
    await asyncio.to_thread(server.crash)
    try:
        assert (await refusal_event(desk.lab))["Status"] in ("SPOOLED", "FAILED")
    finally:
        await asyncio.to_thread(server.start)
    async with asyncio.timeout(60):
        while not (found := await rows(desk, callee)):  # noqa: ASYNC110 # a recording announces nothing to this process
            await asyncio.sleep(0.1)
    assert len(found) == 1


async def test_garbled_entry_stays_and_hinders_no_other(desk: Desk) -> None:
    """What is no refusal in AstDB is left there, and the refusal beside it is fetched."""
    callee = await desk.callee("10")
    pbx = desk.lab.pbx
    await pbx.cli("database put heedline-refusal garbled/acme x:y")
    receipt = "0a1b2c3d-0000-4000-8000-000000000001"
    await pbx.cli(f"database put heedline-refusal {callee}/{SELLER} {receipt}::keyed:call:9:1790000000:::")
    await pbx.manager.action("UserEvent", {"UserEvent": "HeedlineRefusalKept"})
    await pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusalFetched", 40)
    assert list(await kept(desk.lab)) == ["garbled/acme"]
    await pbx.cli("database del heedline-refusal garbled/acme")
    (row,) = await rows(desk, callee)
    assert row.refusal.receipt == receipt
