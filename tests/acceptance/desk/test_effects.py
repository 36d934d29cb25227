"""A refusal's effect on calls that are out, on real switches: what the carrier gets, by its packet log; and what the
evidence says of the INVITEs that the egress got.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from agi.ami import Ami
from agi.originate import Order, Result, originate
from tests.acceptance.ami_lab import ami_of
from tests.acceptance.effects_lab import Desk
from tests.acceptance.foreign_pbx import foreign_call
from tests.gate_world import OTHER_SELLER, SELLER, TRUNK

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

TALKS = "00"


async def test_a_ringing_call_is_cancelled(desk: Desk) -> None:
    """Another process records the refusal; the carrier gets a CANCEL with cause 21, and the agent's channel ends with
    that cause. No INVITE follows when the agent dials again."""
    callee = await desk.callee()
    call = await desk.ringing(callee)
    await desk.refuse(callee)
    cancel = await desk.cancelled(callee)
    assert "cause=21" in cancel.message
    assert (await call.ended())["Cause"] == "21"
    await (await desk.call(callee)).ended()
    assert len(await desk.lab.calls(callee)) == 1


async def test_the_phone_that_dialled_is_told_that_the_call_was_rejected(desk: Desk) -> None:
    """An agent who dialled by SIP gets one final status, 403, on the wire when his callee's ringing is cancelled."""
    callee = await desk.callee()
    before = {each.call_id for each in await desk.lab.endings()}
    manager = desk.lab.carrier.manager
    dialling = asyncio.create_task(
        manager.originate(
            [
                ("Channel", f"PJSIP/pbx/sip:{callee}@{desk.lab.pbx.address}:{desk.lab.pbx.sip_port}"),
                ("Async", "true"),
                ("Application", "Wait"),
                ("Data", "60"),
                ("ChannelId", "desk"),
                ("Timeout", "60000"),
            ],
            within=60,
        )
    )
    await desk.state_of(callee, "Ringing")
    await desk.refuse(callee)
    await desk.cancelled(callee)
    assert (await dialling)["Response"] == "Failure"
    statuses = [each.what for each in await desk.lab.endings() if each.call_id not in before and each.what.isdecimal()]
    assert statuses == ["403"]


async def test_a_call_to_another_seller_and_a_talk_go_on(desk: Desk) -> None:
    """A refusal to one seller neither cancels another's ringing call nor ends a talk with the callee who refused; one
    to all sellers cancels the ringing one."""
    talking, ringing = await desk.callee(TALKS), await desk.callee()
    await desk.world.consent(ringing, OTHER_SELLER)
    talk = await desk.call(talking)
    await desk.state_of(talking, "Up")
    other = await desk.ringing(ringing, OTHER_SELLER)
    await desk.refuse(talking)
    await desk.refuse(ringing)
    last = await desk.callee()
    await desk.ringing(last)
    await desk.refuse(last)
    await desk.cancelled(last)  # what was recorded before it has had its effect
    invites = await desk.lab.calls(talking) + await desk.lab.calls(ringing)
    assert [each.what for each in await desk.lab.endings(invites)] == []
    for call in (talk, other):
        assert call.id in {line.split("!")[-1] for line in (await channels(desk))}
    status, said = await desk.cli("refusal", "add", ringing, "--all-sellers")
    assert status == 0, said
    await desk.cancelled(ringing)


async def channels(desk: Desk) -> list[str]:
    """The PBX's channels, as its command line lists them; the unique id is the last column."""
    return [line for line in (await desk.lab.pbx.cli("core show channels concise")).splitlines() if "!" in line]


async def test_an_import_of_refusals_cancels_too(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of two ringing calls the one whose callee is in the file is cancelled."""
    callees = [await desk.callee() for _ in range(2)]
    for callee in callees:
        await desk.ringing(callee)
    file = tmp_path_factory.mktemp("import") / "refusals.txt"
    file.write_text(callees[0] + "\n", "utf-8")
    status, said = await desk.cli("refusal", "import", str(file), "--all-sellers")
    assert status == 0, said
    await desk.cancelled(callees[0])
    assert await desk.lab.endings(await desk.lab.calls(callees[1])) == []


@pytest_asyncio.fixture(loop_scope="module")
async def pbx(desk: Desk) -> AsyncIterator[Ami]:
    """A person's own connection to the PBX."""
    async with ami_of(desk.lab.pbx) as ami:
        await ami.ready()
        yield ami


async def test_an_agents_phone_stops_ringing_for_a_callee_who_refuses(desk: Desk, pbx: Ami) -> None:
    """The queued call is gone before the agent picks up: his phone is cancelled, nothing goes to the callee; a phone
    that rings for another callee goes on."""
    callees = [await desk.callee() for _ in range(2)]
    shown = desk.world.place.presented
    orders = [
        Order(callee, SELLER, "PJSIP/1080", trunk=TRUNK, cli=shown, agent_ring_s=60, trunks=("egress",))
        for callee in callees
    ]
    waiting = [asyncio.create_task(originate(pbx, order)) for order in orders]
    events = desk.lab.pbx.manager
    for callee in callees:
        await events.expect(
            lambda event, callee=callee: (
                event.get("Event") == "Newstate"  # type: ignore[misc]
                and event.get("ChannelStateDesc") == "Ringing"
                and event.get("CallerIDNum") == callee
            ),
            20,
        )
    await desk.refuse(callees[0])
    outcome = await asyncio.wait_for(waiting[0], 20)
    assert outcome.result is not Result.ANSWERED
    assert not waiting[1].done()
    assert await desk.lab.calls(callees[0]) == []
    await desk.lab.hang_up_all()
    await waiting[1]


async def test_calls_are_followed_to_their_end(desk: Desk) -> None:
    """The attempt of a call that was cancelled has ended, unanswered, in the books."""
    callee = await desk.callee()
    await desk.ringing(callee)
    await desk.refuse(callee)
    await desk.cancelled(callee)
    connection = await asyncpg.connect(desk.dsn)
    async with asyncio.timeout(20):
        while not (  # noqa: ASYNC110 # attempts are written in batches, and nobody is told
            row := await connection.fetchrow(
                "select * from attempts where callee = $1 and ended_at is not null", desk.digits(callee)
            )
        ):
            await asyncio.sleep(0.05)
    await connection.close()
    assert row["ringing_at"] is not None
    assert row["answered_at"] is None


async def said(desk: Desk, callee: str) -> dict[str, dict[str, Any]]:
    """The evidence about a callee's calls, by kind: the last of each."""
    connection = await asyncpg.connect(desk.dsn)
    try:
        entries = await connection.fetch(
            "select kind, payload from evidence_entries where subject in (select id from decisions where callee = $1)"
            " and kind in ('decision', 'permit.redeemed') order by id",
            desk.digits(callee),
        )
    finally:
        await connection.close()
    return {entry["kind"]: json.loads(entry["payload"]) for entry in entries}


async def test_headers_of_a_call_are_evidence(desk: Desk) -> None:
    """The permit's use says who called the egress, as the INVITE said on the wire, and on which trunk it goes out."""
    callee = await desk.callee()
    await desk.ringing(callee)
    used = (await said(desk, callee))["permit.redeemed"]
    headers = used["headers"]
    assert used["trunk"] == TRUNK
    assert f"<sip:{desk.world.place.presented}@{desk.lab.pbx.address}>" in headers["From"]
    assert f"<sip:{callee}@{desk.lab.egress.address}>" in headers["To"]
    assert f"@{desk.lab.pbx.address}:{desk.lab.pbx.sip_port}>" in headers["Contact"]
    assert desk.lab.pbx.address in headers["Via"]
    assert headers["User-Agent"].startswith("Asterisk")
    assert headers["Call-ID"]


async def test_hostile_headers_are_text(desk: Desk) -> None:
    """A foreign PBX's INVITE with expressions, quotes, breaks and ten kilobytes in its headers is judged as any other;
    the evidence of the decision and of the permit's use has them as text, and of those over four kilobytes nothing."""
    callee = await desk.callee("86")
    hostile = """"a' $(id) ${SHELL(id)} ${GATE_VERDICT} \\" ); 200 result=1 (ALLOW)"""
    headers = {
        "X-Heedline-Seller": SELLER,
        "User-Agent": hostile,
        "Privacy": "id\r\n\t200 result=0\r\n HANGUP",
        "P-Asserted-Identity": "<sip:+15550100@a.example>\r\nP-Asserted-Identity: <tel:+15550100>",
        "Remote-Party-ID": "x" * 10_000,
    }
    shown = desk.world.place.presented
    assert await foreign_call(desk.lab.pbx.address, desk.lab.egress, callee, shown, headers) == 486
    entries = await said(desk, callee)
    found = entries["permit.redeemed"]["headers"]
    assert entries["decision"]["request"]["headers"] == found
    assert found["User-Agent"] == hostile
    assert found["P-Asserted-Identity"] == "<sip:+15550100@a.example>, <tel:+15550100>"
    assert found["From"].startswith(f"<sip:{shown}@")
    assert "Remote-Party-ID" not in found
    assert all(text.isprintable() for text in found.values())
    assert len(await desk.lab.calls(callee)) == 1
