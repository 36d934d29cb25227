"""Keys in mid-call, on real Asterisks: what the service is told, and what who pressed hears."""

from __future__ import annotations

import pytest

from agi.pbx.lab import Lab, Way
from tests.acceptance.refusal_gate import (
    PRESSES,
    PRESSES_AND_GOES,
    SAYS_NOTHING,
    SELLER,
    RefusalGate,
    Reply,
    heard,
    hung_up,
    kept,
    refusal_event,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("way", [Way.AGENT, Way.CALLEE])
async def test_callees_key_is_told_and_confirmed(lab: Lab, gate: RefusalGate, way: Way) -> None:
    """The callee's 9 is told once, with whose call it is; he hears that it is recorded, the switch keeps nothing, and
    the call goes on."""
    await lab.originate(PRESSES, way=way, variables=SELLER | {"HEEDLINE_AGENT": "anna"})
    event = await refusal_event(lab)
    await heard(lab, "en/heedline-refusal-recorded")
    (told,) = gate.told
    assert told["receipt"]
    assert int(told["epoch"]) > 1_700_000_000
    assert {name: told[name] for name in ("how", "prompt", "attempt", "number", "seller", "key", "agent", "did")} == {
        "how": "keyed",
        "prompt": "call",
        "attempt": "1",
        "number": PRESSES,
        "seller": "acme",
        "key": "9",
        "agent": "anna",
        "did": "",
    }
    assert (event["Status"], event["Channel"].split("-")[0]) == ("RECORDED", "PJSIP/egress")
    assert await kept(lab) == {}
    assert event["Channel"] in await lab.pbx.channels()


@pytest.mark.parametrize("way", [Way.AGENT, Way.CALLEE])
async def test_agents_key_is_told_and_the_call_goes_on(lab: Lab, gate: RefusalGate, way: Way) -> None:
    """The agent's *7 is told as his, he hears a short confirmation, and the callee's call is not cut."""
    await lab.originate(SAYS_NOTHING, way=way, agent="PJSIP/1007", variables=SELLER)
    event = await refusal_event(lab)
    await heard(lab, "en/heedline-refusal-recorded-agent")
    (told,) = gate.told
    assert [told[name] for name in ("how", "prompt", "number", "seller", "key")] == [
        "agent",
        "agent",
        SAYS_NOTHING,
        "acme",
        "*7",
    ]
    assert told["agent"] == ("PJSIP/1007" if way is Way.AGENT else "")
    assert "PJSIP/egress" not in event["Channel"]
    channels = await lab.pbx.channels()
    assert any(name.startswith("PJSIP/egress") for name in channels)
    assert any(name.startswith("PJSIP/1007") for name in channels)


@pytest.mark.parametrize(("callee", "agent"), [(PRESSES, ""), (SAYS_NOTHING, "PJSIP/1007")])
async def test_call_ends_when_the_service_says_so(lab: Lab, gate: RefusalGate, callee: str, agent: str) -> None:
    """With REFUSAL_HANGUP=yes the confirmation is heard first, and then the whole call ends, whoever pressed."""
    gate.hangup = "yes"
    call = await lab.originate(callee, agent=agent, variables=SELLER)
    event = await refusal_event(lab)
    await heard(lab, f"en/heedline-{event['Said']}")
    await call.ended()
    await hung_up(lab, event["Channel"])


async def test_confirmation_is_in_the_callees_language(lab: Lab, gate: RefusalGate) -> None:
    """The service's answer says in which language the callee hears that he will not be called again."""
    gate.language = "zh"
    await lab.originate(PRESSES, variables=SELLER)
    await heard(lab, "zh/heedline-refusal-recorded")


async def test_refusal_that_can_be_nobodys_is_not_confirmed(lab: Lab, gate: RefusalGate) -> None:
    """INVALID is the one answer after which nothing is kept, and who pressed hears that it could not be recorded."""
    gate.reply = Reply.INVALID
    await lab.originate(PRESSES, variables=SELLER)
    await heard(lab, "en/heedline-refusal-failed")
    assert await kept(lab) == {}


async def test_key_pressed_in_the_last_moment_is_told(lab: Lab, gate: RefusalGate) -> None:
    """Callees who press and hang up at once are each told of, though no channel is left to say anything to."""
    for _ in range(5):
        call = await lab.originate(PRESSES_AND_GOES, variables=SELLER)
        await call.ended()
        await lab.pbx.manager.expect(
            lambda event: event.get("Event") == "Hangup" and "heedline-tell" in event.get("Channel", ""), 10
        )
        lab.pbx.manager.events.clear()
    assert [told["number"] for told in gate.told] == [PRESSES_AND_GOES] * 5
    assert await kept(lab) == {}


async def test_administrators_own_features_stay(lab: Lab) -> None:
    """What an administrator has set in DYNAMIC_FEATURES stays on both channels, each gets its one key, and a key that
    is there already is not added again."""
    call = await lab.originate(SAYS_NOTHING, variables=SELLER | {"DYNAMIC_FEATURES": "mine#heedline_agent"})
    event = await lab.pbx.manager.expect(
        lambda event: event.get("Event") == "BridgeEnter" and event["Channel"].startswith("PJSIP/egress"), 10
    )
    for channel, wanted in (
        (event["Channel"], "mine#heedline_callee"),
        (call.response["Channel"], "mine#heedline_agent"),
    ):
        query = {"Channel": channel, "Variable": "DYNAMIC_FEATURES"}
        assert (await lab.pbx.manager.action("Getvar", query))["Value"] == wanted


async def test_emergency_call_has_no_key(lab: Lab) -> None:
    """Neither side of an emergency call can refuse by pressing a key."""
    call = await lab.originate("112", variables=SELLER)
    event = await lab.pbx.manager.expect(
        lambda event: event.get("Event") == "BridgeEnter" and event["Channel"].startswith("PJSIP/egress"), 10
    )
    for channel in (event["Channel"], call.response["Channel"]):
        query = {"Channel": channel, "Variable": "DYNAMIC_FEATURES"}
        assert (await lab.pbx.manager.action("Getvar", query))["Value"] == ""
