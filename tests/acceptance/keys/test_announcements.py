"""Keys in announcements and of callees who ring back, on real Asterisks."""

from __future__ import annotations

import pytest

from agi.pbx.lab import Lab, Way
from tests.acceptance.fakegate import PRESENTED
from tests.acceptance.refusal_gate import (
    PRERECORDED,
    PRESSES,
    SAYS_NOTHING,
    RefusalGate,
    Reply,
    denied,
    heard,
    hung_up,
    kept,
    refusal_event,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


# Announcements.


async def test_key_in_an_announcement(lab: Lab, gate: RefusalGate) -> None:
    """A 9 while the announcement plays is told as one that it offered; by default the call ends when he was told."""
    gate.hangup = ""
    call = await lab.originate(PRESSES, way=Way.ANNOUNCEMENT, variables=PRERECORDED)
    event = await refusal_event(lab)
    await heard(lab, "en/heedline-refusal-recorded")
    await hung_up(lab, event["Channel"])
    await call.ended()
    (told,) = gate.told
    assert [told[name] for name in ("how", "prompt", "number", "seller", "attempt")] == [
        "keyed",
        "announcement",
        PRESSES,
        "acme",
        "1",
    ]


async def test_announcement_without_features_and_audio_takes_the_key(bare: Lab, gate: RefusalGate) -> None:
    """Where nobody included the features and the AudioSocket server is gone, the switch plays the offer and takes the
    key itself."""
    gate.stream = "6f1c1f9e-3c5b-4f5e-9a51-0d6e0b0b4c11"
    await bare.originate(PRESSES, way=Way.ANNOUNCEMENT, variables=PRERECORDED)
    event = await refusal_event(bare)
    await heard(bare, "en/heedline-refusal-recorded")
    (told,) = gate.told
    assert [told[name] for name in ("how", "prompt", "number", "seller", "attempt", "key")] == [
        "keyed",
        "announcement",
        PRESSES,
        "acme",
        "1",
        "9",
    ]
    assert event["Channel"].startswith("Local/")
    streams = [request[1:] for request in gate.asked if request[0] == "stream"]
    assert [request[2] for request in streams] == ["", gate.stream]
    assert {tuple(request[:2]) for request in streams} == {("1", PRESSES)}


async def test_announcement_that_the_service_has_ended_is_not_played_again(bare: Lab, gate: RefusalGate) -> None:
    """When the service says that its stream had nothing more to say, the call ends and the switch plays nothing."""
    gate.stream, gate.ended = "6f1c1f9e-3c5b-4f5e-9a51-0d6e0b0b4c11", "done"
    call = await bare.originate(SAYS_NOTHING, way=Way.ANNOUNCEMENT, variables=PRERECORDED)
    await call.ended()
    assert [event for event in bare.pbx.manager.events if event.get("Application") == "BackGround"] == []


@pytest.mark.parametrize("prompt", ["x&y", "a)b", "../../etc/${EVIL}"])
async def test_hostile_name_of_an_announcement_is_not_played(lab: Lab, prompt: str) -> None:
    """A prompt's name with anything but plain characters is no prompt: the callee hears the offer at once."""
    await lab.originate(SAYS_NOTHING, way=Way.ANNOUNCEMENT, variables=PRERECORDED | {"HEEDLINE_PROMPT": prompt})
    await heard(lab, "en/heedline-offer")
    played = [event["AppData"] for event in lab.pbx.manager.events if event.get("Application") == "BackGround"]
    assert len(played) == 1


# Callees who ring back.


async def test_key_of_a_callee_who_rings_back(lab: Lab, gate: RefusalGate) -> None:
    """Who rings a presented number hears what to press; his 9 is told with his number and the one that he rang."""
    await lab.ring_back(PRESENTED, cli="+4917600012")
    await heard(lab, "en/heedline-refusal-recorded")
    (told,) = gate.told
    assert {name: told[name] for name in ("how", "prompt", "attempt", "number", "seller", "key", "agent", "did")} == {
        "how": "inbound_call",
        "prompt": "callback",
        "attempt": "",
        "number": "+4917600012",
        "seller": "*",
        "key": "9",
        "agent": "",
        "did": PRESENTED,
    }
    assert await kept(lab) == {}


async def test_refusal_of_who_rings_back_is_kept_and_binds_all(lab: Lab, gate: RefusalGate) -> None:
    """While the service fails, who rang back is called for no seller from this switch."""
    gate.reply = Reply.FAILED
    await lab.ring_back(PRESENTED, cli=PRESSES.removeprefix("+"))
    await heard(lab, "en/heedline-refusal-recorded")
    assert list(await kept(lab)) == [f"{PRESSES.removeprefix('+')}/*"]
    assert (await denied(lab, PRESSES, "other"))["Reasons"] == "REFUSED"


@pytest.mark.parametrize(
    ("cli", "hidden"),
    [("anonymous", False), ("+4917600012", True), ("17600012):0", False), ("1${EXTEN}", False), ("1 | 1", False)],
)
async def test_caller_without_a_number_hears_so(lab: Lab, gate: RefusalGate, cli: str, hidden: bool) -> None:
    """A caller whose number is hidden, none or hostile is told that it cannot be seen, and nothing is recorded."""
    await lab.ring_back(PRESENTED, cli=cli, hidden=hidden)
    await heard(lab, "en/heedline-number-hidden", 30)
    assert gate.told == []
    assert await kept(lab) == {}


async def test_other_key_of_who_rings_back_records_nothing(lab: Lab, gate: RefusalGate) -> None:
    """Another key is no refusal, and the offer is played again."""
    await lab.ring_back(PRESENTED, cli="+4917600012", keys="5")
    await lab.pbx.manager.expect(lambda event: event.get("Event") == "Newexten" and event.get("Exten") == "i", 20)
    await lab.pbx.manager.expect(lambda event: event.get("Event") == "VarSet" and event.get("Value") == "xx", 20)
    assert gate.told == []
