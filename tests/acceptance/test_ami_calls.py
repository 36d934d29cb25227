"""Calls started and followed by AMI on real Asterisks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from agi.alarm import NO_PERMIT, TrunkWatch
from agi.ami import Ami
from agi.dialplan.render import DialplanSettings
from agi.follow import Follower, close_orphans
from agi.originate import Order, Result, originate
from agi.pbx.provision import AsteriskBinary
from dialer.attempts import AttemptLog
from dialer.ports_attempts import OpenAttempt
from tests.acceptance.ami_lab import TRUNK, AgentLab, AttemptGate, MemoryStore, ami_of, now
from tests.acceptance.fakegate import Answer

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ANSWERS, BUSY, SILENT, REJECTS, UNKNOWN = "+4917600001", "+4917600086", "+4917600080", "+4917600063", "+4917600064"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate() -> AsyncIterator[AttemptGate]:
    """A gate that answers as told."""
    gate = AttemptGate()
    await gate.start()
    yield gate
    await gate.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    gate: AttemptGate, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AgentLab]:
    """The switches, for all tests of this file."""
    settings = DialplanSettings(agi=f"{gate.host}:{gate.port}", deadline_s=1, ring_s=2)
    async with AgentLab(asterisk, tmp_path_factory.mktemp("lab"), settings) as lab:
        yield lab


@dataclass
class Desk:
    """Everything that a test of this file touches."""

    lab: AgentLab
    gate: AttemptGate
    pbx: Ami
    egress: Ami
    store: MemoryStore
    attempts: AttemptLog
    followers: tuple[Follower, Follower]
    watch: TrunkWatch

    def order(self, number: str, **more: object) -> Order:
        """A call by agent 1001."""
        values: dict[str, object] = {"seller": "acme", "agent": "PJSIP/1001", "trunks": (TRUNK,), **more}
        return Order(number, **values)  # type: ignore[arg-type] # the values are each test's own


@pytest_asyncio.fixture(loop_scope="module")
async def desk(running: AgentLab, gate: AttemptGate) -> AsyncIterator[Desk]:
    """The lab at rest, followed on both switches, with a gate that allows."""
    gate.reset()
    await running.mark()
    store = MemoryStore()
    async with ami_of(running.pbx) as pbx, ami_of(running.egress) as egress, AttemptLog(store, now) as attempts:
        followers = (Follower(pbx, attempts, now), Follower(egress, attempts, now))
        watch = TrunkWatch(pbx, [TRUNK], store, now, grace_s=0.3)
        await pbx.ready()
        await egress.ready()
        yield Desk(running, gate, pbx, egress, store, attempts, followers, watch)
        await running.hang_up_all()
        await watch.close()


@pytest.mark.parametrize("callee_first", [False, True])
async def test_answered_call_is_followed_from_dial_to_hang_up(desk: Desk, callee_first: bool) -> None:
    """Both ways end in `answered`; the attempt has each instant in order, cause 16 and no alarm, from one INVITE."""
    outcome = await originate(desk.pbx, desk.order(ANSWERS, callee_first=callee_first))
    assert (outcome.result, outcome.attempt) == (Result.ANSWERED, 1)
    await desk.lab.hang_up_all()
    facts = await desk.store.ended(1)
    instants = [at for at in (facts.dialled_at, facts.ringing_at, facts.answered_at, facts.ended_at) if at]
    assert len(instants) == 4
    assert instants == sorted(instants)
    assert (facts.cause, facts.dial_status) == (16, "ANSWER")
    assert await desk.lab.invites(ANSWERS) == 1
    assert desk.watch.raised == 0
    assert desk.gate.asked[0][:4] == ["outbound", ANSWERS, "acme", "marketing"]


@pytest.mark.parametrize("callee_first", [False, True])
@pytest.mark.parametrize(
    ("number", "result", "cause", "sip", "status"),
    [
        (BUSY, Result.BUSY, 17, 486, "BUSY"),
        (REJECTS, Result.FAILED, 21, 603, "NOANSWER"),
        (UNKNOWN, Result.FAILED, 1, 404, "NOANSWER"),
        (SILENT, Result.NO_ANSWER, None, None, "NOANSWER"),
    ],
)
async def test_call_that_fails_has_the_carriers_cause(
    desk: Desk, callee_first: bool, number: str, result: Result, cause: int, sip: int, status: str
) -> None:
    """What the carrier answered is on the attempt: cause and status are the carrier's, not the PBX's translation."""
    outcome = await originate(desk.pbx, desk.order(number, callee_first=callee_first))
    facts = await desk.store.ended(1)
    assert outcome.result is result
    assert facts.answered_at is None
    assert (facts.cause, facts.sip_status, facts.dial_status) == (cause, sip, status)
    assert facts.carrier_call_id in {invite.call_id for invite in await desk.lab.messages(number)}
    assert (facts.ringing_at is not None) == (number == SILENT)


@pytest.mark.parametrize("callee_first", [False, True])
async def test_refused_call_says_why_and_leaves_nothing(desk: Desk, callee_first: bool) -> None:
    """A refusal by the gate is the outcome, with its reasons; no attempt, no INVITE."""
    desk.gate.outbound = Answer.REFUSE
    outcome = await originate(desk.pbx, desk.order(ANSWERS, callee_first=callee_first))
    assert outcome.result is Result.REFUSED
    assert "NO_CONSENT" in " ".join(outcome.reasons)
    assert await desk.lab.invites() - await desk.lab.invites("1001") == 0
    assert desk.store.attempts == {}


async def test_deferred_call_is_another_outcome(desk: Desk) -> None:
    """DEFER is not taken for a refusal."""
    desk.gate.outbound = Answer.DEFER
    assert (await originate(desk.pbx, desk.order(ANSWERS))).result is Result.DEFERRED


async def test_silent_gate_is_a_refusal(desk: Desk) -> None:
    """A gate that says nothing refuses, with the reason that says so."""
    desk.gate.outbound = Answer.SILENT
    outcome = await originate(desk.pbx, desk.order(ANSWERS))
    assert (outcome.result, outcome.reasons) == (Result.REFUSED, ("GATE_UNAVAILABLE",))


async def test_agent_who_is_busy_is_no_busy_callee(desk: Desk) -> None:
    """When the agent's phone is not reached the gate is not even asked, and the outcome names the agent."""
    outcome = await originate(desk.pbx, desk.order(ANSWERS, agent="PJSIP/1086"))
    assert outcome.result is Result.FAILED
    assert "PJSIP/1086" in outcome.detail
    assert desk.gate.asked == []


async def test_raw_originate_to_the_trunk_is_hung_up_and_recorded(desk: Desk) -> None:
    """A channel on the trunk that met no gate is hung up by the alarm, recorded once, and nothing leaves the egress."""
    desk.gate.egress = Answer.HANG  # so that the egress itself does not end the call first
    await desk.pbx.action(
        "Originate",
        {"Channel": f"PJSIP/{ANSWERS}@{TRUNK}", "Context": "lab-agent", "Exten": "s", "Priority": "1", "Async": "true"},
    )
    await desk.store.until(lambda: len(desk.store.alarms) > 0)
    (alarm,) = desk.store.alarms
    assert alarm.kind == NO_PERMIT
    assert alarm.channel.startswith(f"PJSIP/{TRUNK}-")
    assert ANSWERS in alarm.detail
    await desk.lab.pbx.hang_up_all()
    assert await desk.lab.invites(ANSWERS) == 0


async def test_emergency_call_raises_no_alarm(desk: Desk) -> None:
    """With the gate silent an emergency call still goes out, and is not taken for one without a permit."""
    desk.gate.outbound = desk.gate.egress = Answer.SILENT
    outcome = await originate(desk.pbx, desk.order("112"))
    assert outcome.result is not Result.REFUSED
    await desk.lab.hang_up_all()
    assert desk.watch.raised == 0


async def test_orphans_are_ended_but_not_live_calls(desk: Desk) -> None:
    """An open attempt of an earlier process ends when no channel bears its callee; one that goes on stays open."""
    await originate(desk.pbx, desk.order(ANSWERS))
    desk.store.open = [OpenAttempt(71, ANSWERS), OpenAttempt(72, "+4917699999")]
    assert await close_orphans(desk.followers, desk.attempts)
    facts = await desk.store.ended(72)
    assert facts.cause is None
    assert 71 not in desk.store.attempts


async def test_restart_of_the_switch_ends_its_attempts_and_is_followed_again(desk: Desk) -> None:
    """After Asterisk was killed in mid-call the connection comes back; the attempt has ended with cause unknown,
    nothing is dialled again, and the next call is followed as before."""
    await originate(desk.pbx, desk.order(ANSWERS))
    desk.lab.pbx.kill()
    await desk.lab.pbx.stop()
    await desk.lab.pbx.start()
    desk.pbx.address = replace(desk.pbx.address, secret=desk.lab.pbx.ami_secret)  # each run of the lab has its own
    facts = await desk.store.ended(1)
    assert facts.answered_at is not None
    assert facts.cause is None
    assert await desk.lab.invites(ANSWERS) == 1
    assert (await originate(desk.pbx, desk.order(BUSY))).result is Result.BUSY
    assert (await desk.store.ended(2)).sip_status == 486
