"""The dialplan on real Asterisks: what leaves, counted at the carrier, for every way the gate can answer or fail."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agi.dialplan.render import DialplanSettings
from agi.pbx.lab import Lab, Way
from agi.pbx.manager import Packet
from agi.pbx.provision import AsteriskBinary
from tests.acceptance.fakegate import PRESENTED, Answer, FakeGate

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

CALLEE = "+4917600001"
SELLER = {"HEEDLINE_SELLER": "acme", "HEEDLINE_PURPOSE": "marketing", "HEEDLINE_KIND": "live", "HEEDLINE_TRUNK": "one"}
FAILURES = [answer for answer in Answer if answer is not Answer.ALLOW]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate() -> AsyncIterator[FakeGate]:
    """A gate that answers as told."""
    gate = FakeGate()
    await gate.start()
    yield gate
    await gate.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    gate: FakeGate, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """The three switches, for all tests of this file."""
    settings = DialplanSettings(agi=f"{gate.host}:{gate.port}", deadline_s=1)
    async with Lab(asterisk, tmp_path_factory.mktemp("lab"), settings) as lab:
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def lab(running: Lab, gate: FakeGate) -> AsyncIterator[Lab]:
    """The lab at rest, counting from zero, with a gate that allows; afterwards no channel may be stuck."""
    gate.reset()
    for instance in (running.pbx, running.egress, running.carrier):
        instance.manager.events.clear()
    await running.mark()
    yield running
    await running.hang_up_all()


async def user_event(lab: Lab, name: str, where: str = "pbx") -> Packet:
    """The first event `name` that a switch raised for the call of this test."""
    manager = (lab.egress if where == "egress" else lab.pbx).manager
    return await manager.expect(lambda event: event.get("UserEvent") == name and event.get("Where") == where, 10)


async def call_answered(lab: Lab) -> None:
    """Wait until the egress sees the callee's answer."""
    await lab.egress.manager.expect(lambda event: event.get("Event") == "BridgeEnter", 10)


@pytest.mark.parametrize("way", [Way.AGENT, Way.CALLEE])
async def test_allowed_call_leaves_once_with_its_permit_redeemed(lab: Lab, gate: FakeGate, way: Way) -> None:
    """An allowed call is one INVITE at the carrier, and the egress redeemed the very permit that the gate issued."""
    await lab.originate(CALLEE, way=way, cli="+4930111", variables=SELLER)
    await call_answered(lab)
    assert await lab.invites(CALLEE) == await lab.invites() == 1
    assert gate.issued == gate.redeemed
    assert gate.asked[0] == ["outbound", CALLEE, "acme", "marketing", "live", "one", "", "+4930111"]
    assert gate.asked[1][:4] == ["egress", CALLEE, gate.issued[0], PRESENTED]
    assert gate.asked[1][5].startswith(lab.pbx.address)


async def test_carrier_sees_the_presented_number_and_no_header_of_ours(lab: Lab) -> None:
    """The caller number is the one that the gate chose, and neither the permit nor the seller leaks to the carrier."""
    await lab.originate(CALLEE, cli="+4930111", variables=SELLER)
    await call_answered(lab)
    (invite,) = await lab.messages()
    assert f"<sip:{PRESENTED}@" in invite.message
    assert "heedline" not in invite.message.lower()
    assert "+4930111" not in invite.message


@pytest.mark.parametrize("answer", FAILURES)
async def test_call_that_the_gate_does_not_allow_stays_in(lab: Lab, gate: FakeGate, answer: Answer) -> None:
    """Whatever the gate does but a whole ALLOW, no INVITE leaves and the call ends by itself with a HeedlineDeny."""
    gate.outbound = answer
    call = await lab.originate(CALLEE, variables=SELLER)
    await call.ended()
    event = await user_event(lab, "HeedlineDeny")
    assert event["Number"] == CALLEE
    assert await lab.invites() == 0
    assert [request[0] for request in gate.asked] == ["outbound"]


@pytest.mark.parametrize("answer", FAILURES)
async def test_call_that_the_egress_may_not_redeem_stays_in(lab: Lab, gate: FakeGate, answer: Answer) -> None:
    """A call that the PBX let through is stopped at the egress when the gate does not confirm it there."""
    gate.egress = answer
    call = await lab.originate(CALLEE, variables=SELLER)
    await call.ended()
    await user_event(lab, "HeedlineDeny", "egress")
    hangup = await user_event(lab, "HeedlineHangup")
    assert hangup["Status"].startswith("SIP 603")
    assert await lab.invites() == 0


async def test_refusal_is_told_with_its_reasons(lab: Lab, gate: FakeGate) -> None:
    """The event of a refusal names the seller, the verdict and every reason, for whoever watches the PBX."""
    gate.outbound = Answer.REFUSE
    call = await lab.originate(CALLEE, variables=SELLER)
    await call.ended()
    event = await user_event(lab, "HeedlineDeny")
    assert (event["Seller"], event["Verdict"], event["Reasons"]) == ("acme", "REFUSE", "NO_CONSENT:REFUSED")


async def test_agent_hears_a_tone_when_asked_for(lab: Lab, gate: FakeGate) -> None:
    """With HEEDLINE_DENY_TONE on the channel a refused agent hears congestion tone before the call ends."""
    gate.outbound = Answer.REFUSE
    call = await lab.originate(CALLEE, variables=SELLER | {"HEEDLINE_DENY_TONE": "yes"})
    await lab.pbx.manager.expect(lambda event: event.get("Application") == "PlayTones", 10)
    await call.ended()
    assert await lab.invites() == 0


async def test_gate_that_is_down_refuses(lab: Lab, gate: FakeGate) -> None:
    """With nobody on the gate's port no INVITE leaves, and the next call succeeds when it is back."""
    await gate.stop()
    try:
        call = await lab.originate(CALLEE, variables=SELLER)
        await call.ended()
        assert (await user_event(lab, "HeedlineDeny"))["AGIStatus"] == "FAILURE"
        assert await lab.invites() == 0
    finally:
        await gate.start()
    await lab.originate(CALLEE, variables=SELLER)
    await call_answered(lab)
    assert await lab.invites() == 1


async def test_old_verdict_on_the_channel_does_not_count(lab: Lab, gate: FakeGate) -> None:
    """An ALLOW with permit that the channel inherited from elsewhere opens nothing when the gate says nothing."""
    gate.outbound = Answer.SILENT
    stale = {"GATE_VERDICT": "ALLOW", "GATE_PERMIT": "ab" * 16, "GATE_CALLEE": CALLEE, "AGISTATUS": "SUCCESS"}
    call = await lab.originate(CALLEE, variables=SELLER | stale)
    await call.ended()
    await user_event(lab, "HeedlineDeny")
    assert await lab.invites() == 0


async def test_bypass_is_stopped_at_the_egress(lab: Lab, gate: FakeGate) -> None:
    """An originate straight to the trunk reaches the egress without a permit, gets 603 and goes no further."""
    call = await lab.originate(CALLEE, way=Way.BYPASS)
    assert not call.answered
    assert (await user_event(lab, "HeedlineDeny", "egress"))["Number"] == CALLEE
    assert [request[:3] for request in gate.asked] == [["egress", CALLEE, ""]]
    hangup = await lab.pbx.manager.expect(lambda event: event.get("Event") == "Hangup", 10)
    assert hangup["Cause"] == "21"  # call rejected: what 603 is translated to
    assert await lab.invites() == 0


async def test_permit_serves_once(lab: Lab, gate: FakeGate) -> None:
    """A bypass that carries a permit which was used already is refused like one without."""
    await lab.originate(CALLEE, variables=SELLER)
    await call_answered(lab)
    header = {"PJSIP_HEADER(add,X-Heedline-Permit)": gate.issued[0]}
    call = await lab.originate(CALLEE, way=Way.BYPASS, variables=header)
    assert not call.answered
    assert gate.asked[-1][:3] == ["egress", CALLEE, gate.issued[0]]
    assert await lab.invites() == 1


@pytest.mark.parametrize(
    "dialled",
    [
        "+1555&PJSIP/900@carrier",
        "+1):0",
        '1" = "1',
        '1" | "1',
        "+1555,2",
        "+1555^x",
        "+1555${GATE_PERMIT}",
        "+1555)}",
        "+1555 ",
        "+١٢٣",
        "1-555",
        "0@lab-callees/n",
    ],
)
async def test_hostile_text_is_asked_as_invalid(lab: Lab, gate: FakeGate, dialled: str) -> None:
    """Dialled text with anything but digits and plus reaches the gate as `invalid` and no INVITE leaves."""
    call = await lab.originate(dialled, variables=SELLER)
    await call.ended()
    assert (await user_event(lab, "HeedlineDeny"))["Number"] == "invalid"
    assert [request[:2] for request in gate.asked] == [["outbound", "invalid"]]
    assert await lab.invites() == 0


async def test_hostile_caller_number_and_seller_are_asked_as_invalid(lab: Lab, gate: FakeGate) -> None:
    """A caller number or a seller with foreign characters never reaches the gate as a different, clean one."""
    call = await lab.originate(CALLEE, cli="+49 30):0", variables={"HEEDLINE_SELLER": "ac/me"})
    await call.ended()
    assert gate.asked[0][1:3] == [CALLEE, "invalid"]
    assert gate.asked[0][7] == "invalid"


async def test_long_text_is_clipped(lab: Lab, gate: FakeGate) -> None:
    """No argument of the gate is longer than 64 characters, however long the seller's name on the channel."""
    await lab.originate(CALLEE, variables={"HEEDLINE_SELLER": "a" * 500})
    await call_answered(lab)
    assert max(len(argument) for argument in gate.asked[0]) == 64


@pytest.mark.parametrize("answer", [Answer.REFUSE, Answer.HANG, Answer.ABORT])
async def test_emergency_call_leaves_whatever_the_gate_says(lab: Lab, gate: FakeGate, answer: Answer) -> None:
    """An emergency number is dialled when the gate refuses, hangs or dies, and the PBX says that it was one."""
    gate.outbound = gate.egress = answer
    await lab.originate("112", variables=SELLER)
    await user_event(lab, "HeedlineEmergency")
    await call_answered(lab)
    assert await lab.invites("112") == await lab.invites() == 1
    assert [request[:2] for request in gate.asked] == [["outbound", "112"], ["egress", "112"]]


async def test_emergency_call_leaves_when_the_gate_is_down(lab: Lab, gate: FakeGate) -> None:
    """An emergency number is dialled with nobody on the gate's port."""
    await gate.stop()
    try:
        await lab.originate("110", variables=SELLER)
        await call_answered(lab)
        assert await lab.invites("110") == 1
    finally:
        await gate.start()


@pytest.mark.parametrize(
    ("digits", "status", "cause"), [("86", "SIP 486", "17"), ("63", "SIP 603", "21"), ("64", "SIP 404", "1")]
)
async def test_far_end_that_refuses_is_reported(lab: Lab, digits: str, status: str, cause: str) -> None:
    """Both switches report the attempt's end with the SIP status and the cause that the carrier gave."""
    call = await lab.originate(f"+49176000{digits}", variables=SELLER)
    await call.ended()
    for where in ("pbx", "egress"):
        assert (await user_event(lab, "HeedlineDial", where))["Attempt"]
        event = await user_event(lab, "HeedlineHangup", where)
        assert event["Status"].startswith(status)
        assert event["Cause"] == cause
    assert await lab.invites() == 1


async def test_callee_that_hangs_up_early_is_reported(lab: Lab) -> None:
    """A callee who answers and hangs up at once ends the call with cause 16 and SIP 200."""
    call = await lab.originate("+4917600087", variables=SELLER)
    await call.ended()
    event = await user_event(lab, "HeedlineHangup")
    assert (event["Cause"], event["Status"]) == ("16", "SIP 200 OK")


async def test_callee_that_rings_is_hung_up(lab: Lab) -> None:
    """A call that rings can be hung up by the caller, and all three switches are then empty."""
    await lab.originate("+4917600080", variables=SELLER)
    await lab.egress.manager.expect(
        lambda event: event.get("Event") == "Newstate" and event.get("ChannelStateDesc") == "Ringing", 10
    )
    await lab.pbx.hang_up_all()
    await user_event(lab, "HeedlineHangup", "egress")
    assert await lab.invites() == 1


@pytest.mark.parametrize(("limit", "at_least", "at_most"), [("0", 0, 0), ("300", 200, 300)])
async def test_deadline_of_the_gate_does_not_limit_the_call(lab: Lab, limit: str, at_least: int, at_most: int) -> None:
    """After the gate the channel has the time limit that it had before, none or its own, not the gate's deadline."""
    call = await lab.originate(CALLEE, variables=SELLER | {"TIMEOUT(absolute)": limit})
    await call_answered(lab)
    query = {"Channel": call.response["Channel"], "Variable": "TIMEOUT(absolute)"}
    assert at_least <= float((await lab.pbx.manager.action("Getvar", query))["Value"]) <= at_most
