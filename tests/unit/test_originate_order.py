"""An order to call: what may never reach the manager interface."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from agi.ami import Event
from agi.originate import Order, Result, originate
from dialer.cli import app
from dialer.errors import UnsafeText
from tests.unit.ami_peer import Frame, Peer, packet, success

GOOD: dict[str, Any] = {"number": "+442079460123", "seller": "acme", "agent": "PJSIP/1001", "trunks": ("egress",)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", ""),
        ("number", "+1555&PJSIP/900@trunk"),
        ("number", "1555,1"),
        ("number", "+1555\r\nAction: Originate"),
        ("number", "+1555\n"),
        ("number", "١٢٣٤"),
        ("number", "5" * 500),
        ("number", "${EXTEN}"),
        ("seller", "a,GATE_VERDICT=ALLOW"),
        ("seller", "a=b"),
        ("seller", ""),
        ("purpose", "marketing,x"),
        ("trunk", "t$"),
        ("route", "r\n"),
        ("cli", "+1555>"),
        ("agent", "PJSIP/900@egress"),
        ("agent", "PJSIP/egress"),
        ("agent", "PJSIP/EGRESS"),
        ("agent", "PJSIP/1001&PJSIP/900@egress"),
        ("agent", "Local/900@from-internal"),
        ("agent", "PJSIP/egress/sip:900@192.0.2.1"),
        ("agent", "1001"),
        ("agent", "PJSIP/1001,30"),
        ("agent_ring_s", 0),
        ("callee_ring_s", 601),
    ],
)
def test_unsafe_order_is_refused_before_anything_is_sent(field: str, value: Any) -> None:
    """Text that could dial another number, set another variable or reach a trunk makes no order."""
    with pytest.raises(UnsafeText):
        Order(**{**GOOD, field: value})


@pytest.mark.parametrize("callee_first", [False, True])
def test_every_order_leads_through_the_gate(callee_first: bool) -> None:
    """The callee is dialled by the gate's context alone, whoever is called first."""
    fields = dict(Order(**GOOD, callee_first=callee_first).fields("id"))
    if callee_first:
        assert fields["Channel"] == "Local/+442079460123@heedline-outbound/n"
    else:
        assert fields["Channel"] == "PJSIP/1001"
        assert (fields["Context"], fields["Exten"]) == ("heedline-outbound", "+442079460123")


def test_variables_are_the_gates_and_empty_ones_are_left_out() -> None:
    """What the order says of the call reaches the gate under the dialplan's names."""
    order = Order(**GOOD, trunk="one", cli="+442079460999")
    variables = [value for key, value in order.fields("id") if key == "Variable"]
    assert variables == [
        "__HEEDLINE_SELLER=acme",
        "__HEEDLINE_PURPOSE=marketing",
        "__HEEDLINE_TRUNK=one",
        "__HEEDLINE_CLI=+442079460999",
        "__HEEDLINE_AGENT=PJSIP/1001",
    ]


class Switch:
    """Answers an originate with the events of a story, `{id}` being the first channel's."""

    def __init__(self, *story: bytes) -> None:
        self.story = story

    def __call__(self, peer: Peer, frame: Frame) -> bytes:
        answer = success(peer, frame)
        if frame["Action"] == "Originate":
            for event in self.story:
                answer += event.replace(b"{id}", frame["ChannelId"].encode())
        return answer


def told(name: str, **headers: str) -> bytes:
    """An event of the call."""
    return packet(Event=name, Linkedid="{id}", **headers)


DIAL = told("UserEvent", UserEvent="HeedlineDial", Attempt="7", Where="pbx", Uniqueid="c")
DENY = told("UserEvent", UserEvent="HeedlineDeny", Verdict="REFUSE", Reasons="NO_CONSENT:REFUSED", AGIStatus="SUCCESS")
FAILED = packet(Event="OriginateResponse", Uniqueid="{id}", Response="Failure", Reason="0")
GONE = told("Hangup", Uniqueid="{id}", Cause="21")


@pytest.mark.parametrize(
    ("story", "result", "attempt", "reasons"),
    [
        ((DIAL, told("Newstate", Uniqueid="c", ChannelState="6")), Result.ANSWERED, 7, ()),
        ((DIAL, packet(Event="DialEnd", DestUniqueid="c", DialStatus="ANSWER")), Result.ANSWERED, 7, ()),
        ((DIAL, told("Hangup", Uniqueid="c", Cause="17")), Result.BUSY, 7, ()),
        ((DIAL, told("Hangup", Uniqueid="c", Cause="19")), Result.NO_ANSWER, 7, ()),
        ((DIAL, told("Hangup", Uniqueid="c", Cause="1")), Result.FAILED, 7, ()),
        ((DENY, GONE), Result.REFUSED, None, ("NO_CONSENT", "REFUSED")),
        ((FAILED, DENY), Result.REFUSED, None, ("NO_CONSENT", "REFUSED")),
        ((FAILED,), Result.FAILED, None, ()),
        ((GONE,), Result.FAILED, None, ()),
    ],
    ids=["up", "dial end", "busy", "no answer", "unassigned", "refused", "overtaken", "unreached", "gone"],
)
async def test_events_make_the_outcome(
    story: tuple[bytes, ...], result: Result, attempt: int | None, reasons: tuple[str, ...]
) -> None:
    """Each way in which a call can go is told apart, also when the response overtakes the channel's events."""
    async with Peer(Switch(*story)) as peer, peer.ami() as ami:
        await ami.ready()
        outcome = await originate(ami, Order(**GOOD))
    assert (outcome.result, outcome.attempt, outcome.reasons) == (result, attempt, reasons)


async def test_call_of_another_is_not_taken_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events with another linked id change nothing."""
    monkeypatch.setattr("agi.originate._STRAGGLERS_S", 0)
    foreign = packet(Event="Hangup", Linkedid="other", Uniqueid="c", Cause="17")
    async with Peer(Switch(DIAL, foreign, GONE)) as peer, peer.ami() as ami:
        await ami.ready()
        assert (await originate(ami, Order(**GOOD))).result is Result.FAILED


async def test_call_without_outcome_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded, and the call that came to nothing is ended."""
    monkeypatch.setattr("agi.originate._SPARE_S", -2)
    async with Peer(Switch(DIAL)) as peer, peer.ami() as ami:
        await ami.ready()
        outcome = await originate(ami, Order(**GOOD, agent_ring_s=1, callee_ring_s=1))
        hangup = await peer.got("Hangup")
    assert (outcome.result, outcome.attempt) == (Result.FAILED, 7)
    assert hangup["Channel"] == peer.of("Originate")[0]["ChannelId"]


def test_event_is_read_in_any_case() -> None:
    """Headers are found whatever their case, and a missing one is empty."""
    event = Event("X", {"uniqueid": "1"})
    assert (event.get("UniqueID"), event.get("None")) == ("1", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["12x", "--seller", "a", "--agent", "PJSIP/1"], "characters"),
        (["+442079460123", "--seller", "a b", "--agent", "PJSIP/1"], "seller"),
        (["+442079460123", "--seller", "a", "--agent", "PJSIP/9@egress"], "agent"),
        (["+442079460123", "--seller", "a", "--agent", "PJSIP/egress"], "trunk"),
        (["+442079460123", "--seller", "a", "--agent", "PJSIP/1", "--pbx", "other"], "other"),
    ],
)
def test_bad_argument_of_the_command_is_a_usage_error(
    arguments: list[str], words: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`heedline originate` says what is wrong and exits with 2, without a switch being reached."""
    monkeypatch.setenv("HEEDLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HEEDLINE_LANGUAGE", "en")
    monkeypatch.delenv("HEEDLINE_CONFIG", raising=False)
    section = {"name": '"pbx"', "role": '"pbx"', "secret_file": '"/none"', "trunks": '["egress"]', "port": "1"}
    (tmp_path / "heedline.toml").write_text("[[ami]]\n" + "".join(f"{k} = {v}\n" for k, v in section.items()))
    result = CliRunner().invoke(app, ["originate", *arguments])
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_doctor_without_switches_fails_in_json(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing configured the doctor says so, in both languages, and exits with 1."""
    monkeypatch.setenv("HEEDLINE_HOME", str(tmp_path))
    monkeypatch.delenv("HEEDLINE_CONFIG", raising=False)
    monkeypatch.setenv("HEEDLINE_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    (tmp_path / "heedline.toml").write_text("[agi]\nport = 1\n")
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    found = {finding["id"]: finding for finding in document["findings"]}
    assert document["healthy"] is False
    assert set(found) == {"settings.ami", "agi.answer", "database"}
    assert all(finding["level"] == "fail" and finding["cure"] and finding["cure_zh"] for finding in found.values())
