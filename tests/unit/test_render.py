"""The dialplan fragments as text: settings in their places, and rules that every line must keep."""

from __future__ import annotations

import re
import wave

import pytest

from agi.dialplan.render import EMERGENCY_NUMBERS, SOUNDS, DialplanSettings, Fragment, render

SETTINGS = DialplanSettings("gate.example:4573", deadline_s=1.25, ring_s=33, egress="out", carrier="line")


def lines(fragment: Fragment) -> list[str]:
    """The lines that do something."""
    return [line for line in render(fragment, SETTINGS).splitlines() if line and not line.startswith(";")]


def test_settings_stand_where_they_belong() -> None:
    """The server, the deadline, the ring time and the endpoints appear in the rendered text, and no `%{` is left."""
    assert "AGI(agi://gate.example:4573/outbound," in render(Fragment.GATE, SETTINGS)
    assert "TIMEOUT(absolute)=1.25" in render(Fragment.GATE, SETTINGS)
    assert "PJSIP/${GATE_CALLEE}@out,33," in render(Fragment.OUTBOUND, SETTINGS)
    assert "PJSIP/${GATE_CALLEE}@line,33," in render(Fragment.EGRESS, SETTINGS)
    assert not [fragment for fragment in Fragment if "%{" in "".join(lines(fragment))]


@pytest.mark.parametrize("fragment", [Fragment.OUTBOUND, Fragment.EGRESS])
def test_every_emergency_number_is_an_exact_extension(fragment: Fragment) -> None:
    """Each emergency number of each country has its own extension, once, in both contexts."""
    found = re.findall(
        r"^exten => (\d+),1,Gosub\(heedline-\S*emergency,s,1\((\d+)\)\)$", render(fragment, SETTINGS), re.M
    )
    assert all(number == argument for number, argument in found)
    assert sorted(number for number, _ in found) == sorted({n for each in EMERGENCY_NUMBERS.values() for n in each})


def test_without_countries_there_is_no_emergency_extension() -> None:
    """An administrator's own list replaces the built-in one."""
    text = render(Fragment.OUTBOUND, DialplanSettings("h:1", emergency={}))
    assert "Gosub(heedline-emergency" not in text


@pytest.mark.parametrize("fragment", list(Fragment))
def test_outside_text_is_in_no_expression(fragment: Fragment) -> None:
    """No expression mentions dialled text, a caller number, a header or a HEEDLINE_ word other than by its length."""
    outside = re.compile(r"\$\{(EXTEN|raw|rest|ARG1|CALLERID|PJSIP_HEADER|HEEDLINE_(?!STATUS))")
    expressions = [found for line in lines(fragment) for found in re.findall(r"\$\[(.*?)\]\?", line)]
    # The permit that heedline-predial gets as ARG1 is clean by then.
    assert [each for each in expressions if outside.search(each) and each != '"${ARG1}" = ""'] == []


@pytest.mark.parametrize("fragment", [Fragment.GATE, Fragment.EGRESS])
def test_answers_are_cleared_before_the_gate_is_asked(fragment: Fragment) -> None:
    """Every variable that the gate answers with, and the AGI's status, is emptied before the AGI runs."""
    text = "\n".join(lines(fragment))
    before = text[: text.index("AGI(agi://")]
    for name in ("VERDICT", "REASONS", "PERMIT", "CALLEE", "PRESENTED", "UNTIL", "ATTEMPT"):
        assert f"Set(GATE_{name}=)" in before
    assert "Set(AGISTATUS=)" in before


@pytest.mark.parametrize("fragment", list(Fragment))
def test_no_catch_all_extension(fragment: Fragment) -> None:
    """No pattern could catch `h`, `T` or another special extension."""
    patterns = re.findall(r"^exten => (_[^,]*),", render(fragment, SETTINGS), re.M)
    assert set(patterns) <= {"_[+0-9]!"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"agi": "host"},
        {"agi": "host:1)\nexten => s,1,System(x"},
        {"agi": "h:1", "egress": "a,b"},
        {"agi": "h:1", "carrier": "a/b"},
        {"agi": "h:1", "deadline_s": 0},
        {"agi": "h:1", "ring_s": 0},
        {"agi": "h:1", "emergency": {"de": ("112",)}},
        {"agi": "h:1", "emergency": {"DE": ("_X.",)}},
        {"agi": "h:1", "callee_key": ""},
        {"agi": "h:1", "callee_key": "9,self"},
        {"agi": "h:1", "agent_key": "*7x"},
        {"agi": "h:1", "audio": "h"},
        {"agi": "h:1", "sounds": "relative"},
        {"agi": "h:1", "sounds": "/a)b"},
        {"agi": "h:1", "sounds": "/a\nb"},
    ],
)
def test_settings_that_could_not_stand_in_a_dialplan_are_errors(wrong: dict[str, object]) -> None:
    """A setting that would break out of its place is refused by name."""
    with pytest.raises(ValueError, match=r"must be|cannot stand in a dialplan"):
        DialplanSettings(**wrong)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("agi", ["127.0.0.1:4573", "[::1]:4573", "gate.internal:1"])
def test_addresses_of_the_server(agi: str) -> None:
    """IPv4, IPv6 in brackets and names are servers."""
    assert f"agi://{agi}/egress" in render(Fragment.EGRESS, DialplanSettings(agi))


@pytest.mark.parametrize(("callee", "agent"), [("9", "9"), ("9", "91"), ("*71", "*7")])
def test_keys_that_cannot_be_told_apart_are_an_error(callee: str, agent: str) -> None:
    """A key that begins like the other would take its place."""
    with pytest.raises(ValueError, match="told apart"):
        DialplanSettings("h:1", callee_key=callee, agent_key=agent)


def test_refusal_is_written_before_anything_else() -> None:
    """The very first step after a key puts the refusal into AstDB: who pressed may be gone at the second."""
    text = "\n".join(lines(Fragment.REFUSED))
    first = text.split("[heedline-refused]\n")[1].splitlines()[0]
    assert first.startswith("exten => s,1,Set(DB(heedline-refusal/${HEEDLINE_CALLEE}/${HEEDLINE_SELLER})=${UUID()}:")


def test_no_deadline_is_set_on_the_channel_of_who_pressed() -> None:
    """The subroutine that runs in a talk sets no time limit there: the service is waited for on another channel."""
    text = "\n".join(lines(Fragment.REFUSED))
    talk = text.split("[heedline-refused]\n")[1].split("\n[")[0]
    assert "TIMEOUT" not in talk
    assert "AGI(" not in talk


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_prompt_that_is_played_is_shipped(language: str) -> None:
    """Each prompt that a fragment plays is a file in both languages: 8 kHz, mono, 16 bits, and no louder than full."""
    text = "".join(render(fragment, SETTINGS) for fragment in Fragment)
    played = set(re.findall(r"/heedline-([a-z-]+)\)", text)) | {"refusal-recorded", "refusal-recorded-agent"}
    played |= set(re.findall(r"LOCAL\(said\)=([a-z-]+)\)", text))
    shipped = {file.stem.removeprefix("heedline-") for file in (SOUNDS / language).glob("*.wav")}
    assert shipped == played
    for file in (SOUNDS / language).glob("*.wav"):
        with wave.open(str(file)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
            assert 1 < sound.getnframes() / 8000 < 15
