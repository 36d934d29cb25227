"""Refusals while calls begin and while parts are killed, on real switches: nothing leaves that must not, no refusal is
lost, and what was missed is caught up with."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from time import time

import asyncpg
import pytest
import pytest_asyncio

from tests.acceptance.effects_lab import Desk
from tests.gate_world import SELLER
from tests.recorder import Recorder, running_recorder
from tests.servers import Server

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

TALKS = "00"
# A call meets the gate, twice, and is at its carrier within so long after it was ordered.
_SPREAD_S = 0.06


def policy(country: str) -> str:
    """What the administrator of these tests' node adds (see the fixture `running`): a refusal ends a talk too."""
    return f"""
[[tighten]]
pack = "{country}"
[tighten.rule]
id = "{country}.test.ends"
kind = "conduct"
source = "these tests"
confidence = "high"
text = {{en = "a refusal ends the call", zh = "拒绝后通话即结束"}}
key = "refusal_hangup"
value = "always"
"""


@pytest_asyncio.fixture(loop_scope="module")
async def recorder(desk: Desk) -> AsyncIterator[Recorder]:
    """Another process that records refusals."""
    async with running_recorder(desk.dsn, str(desk.home / "recorder")) as recorder:
        yield recorder


async def test_a_talk_is_ended_where_the_policy_says_so(desk: Desk, recorder: Recorder) -> None:
    """With `refusal_hangup` always, the callee who refused while he talked gets a BYE."""
    callee = await desk.callee(TALKS)
    await desk.call(callee)
    await desk.state_of(callee, "Up")
    await recorder.record(desk.digits(callee), SELLER)
    assert "cause=16" in (await desk.cancelled(callee, "BYE")).message


@pytest.mark.parametrize("rounds", [25, pytest.param(600, marks=pytest.mark.soak)])
async def test_no_invite_comes_after_recording_has_returned(desk: Desk, recorder: Recorder, rounds: int) -> None:
    """A refusal at a random moment of a real call: the carrier gets no INVITE later than the return of recording, by
    one clock; and each call that got through to him is cancelled."""
    chance = random.Random(rounds)  # noqa: S311 - no secret
    kinds: Counter[str] = Counter()
    for start in range(0, rounds, 6):
        callees = [await desk.callee() for _ in range(min(6, rounds - start))]
        returned = await asyncio.gather(*[_race(desk, recorder, callee, chance.random()) for callee in callees])
        for callee, instant in zip(callees, returned, strict=True):
            invites = await desk.lab.calls(callee)
            assert len(invites) <= 1
            assert [invite.at for invite in invites if invite.at > instant] == []
            if invites:
                await desk.cancelled(callee)
            kinds["cancelled" if invites else "never left"] += 1
        await desk.lab.hang_up_all()
    print(f"\n{rounds} rounds: {dict(kinds)}")
    assert set(kinds) == {"cancelled", "never left"}


async def _race(desk: Desk, recorder: Recorder, callee: str, moment: float) -> float:
    """A call, and a refusal some time after its order; when recording returned."""
    call = asyncio.create_task(desk.call(callee))
    await asyncio.sleep(moment * _SPREAD_S)
    told = await recorder.record(desk.digits(callee), SELLER)
    assert not told.failed
    await call
    return told.returned


@pytest.mark.parametrize("known", [True, False])
async def test_a_link_that_was_cut_is_caught_up_with(desk: Desk, recorder: Recorder, known: bool) -> None:
    """While both manager interfaces are out of reach a refusal is recorded and its call rings on, which is an alarm;
    when they are back it is cancelled, also when its dialling was not heard of."""
    callee = await desk.callee()
    if known:
        await desk.ringing(callee)
    for wire in desk.wires:
        await wire.cut()
    await desk.followed(yes=False)
    if not known:
        await desk.ringing(callee)
    assert not (await recorder.record(desk.digits(callee), SELLER)).failed
    connection = await asyncpg.connect(desk.dsn)
    alarm = "select exists (select from alarms where kind = 'refusal_not_cut' and channel = 'attempt ' || (select"
    alarm += " decision_id from attempts where callee = $1))"
    async with asyncio.timeout(20):
        while not await connection.fetchval(alarm, desk.digits(callee)):  # noqa: ASYNC110 # nobody announces alarms
            await asyncio.sleep(0.05)
    await connection.close()
    assert await desk.lab.endings(await desk.lab.calls(callee)) == []
    for wire in desk.wires:
        await wire.mend()
    await desk.cancelled(callee)
    await desk.followed()


async def test_a_refusal_while_the_service_is_dead_is_kept_and_has_its_effect(desk: Desk) -> None:
    """The command line records it without the service; started again, the service cancels the call that still rings."""
    callee = await desk.callee()
    await desk.ringing(callee)
    await desk.node.kill()
    began = time()
    await desk.refuse(callee)
    await desk.node.start()
    assert (await desk.cancelled(callee)).at > began
    await desk.followed()


@pytest.mark.parametrize("fault", ["crashed", "stopped"])
async def test_a_refusal_that_the_database_does_not_take_is_reported(desk: Desk, server: Server, fault: str) -> None:
    """The command line fails with a status and a sentence, not a traceback; told again when the database is back, the
    refusal is on record, and the call that rang through it all is cancelled without the service's being touched."""
    callee = await desk.callee()
    await desk.ringing(callee)
    await asyncio.to_thread(server.crash) if fault == "crashed" else server.send(signal.SIGSTOP)
    try:
        status, said = await asyncio.wait_for(desk.cli("refusal", "add", callee, "--seller", SELLER), 60)
    finally:
        await asyncio.to_thread(server.start) if fault == "crashed" else server.send(signal.SIGCONT)
    assert status != 0
    assert said.startswith("error: ")
    assert "Traceback" not in said
    await desk.refuse(callee)
    await desk.cancelled(callee)
