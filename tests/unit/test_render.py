"""The dialplan fragments as text: settings in their places, and rules that every line must keep."""

from __future__ import annotations

import re

import pytest

from agi.dialplan.render import EMERGENCY_NUMBERS, DialplanSettings, Fragment, render

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
