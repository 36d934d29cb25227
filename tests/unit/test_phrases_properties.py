"""What must hold of any transcript, said by anyone, hostile ones included."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.phrases import LONGEST, Meaning, chinese_rules, english_words, judge
from dialer.phrases.chinese_text import signs_of
from dialer.phrases.english_text import words_of
from dialer.phrases.loops import ROUNDS, looped
from tests.unit.test_phrases import lines

if TYPE_CHECKING:
    from _typeshed import TraceFunction

ENGLISH = [line["text"] for line in lines("phrases_en.tsv")]
CHINESE = [line["text"] for line in lines("phrases_zh.tsv")]
# Every word that a rule knows: text made of them reaches deepest into the patterns.
KNOWN = sorted(set(re.findall(r"[a-z']+", " ".join(english_words.CLASSES.values()))))
SIGNS = sorted(set(re.findall(r"[一-鿿]", " ".join(chinese_rules.CLASSES.values()))))

anything = st.text(max_size=300)
of_known_words = st.lists(st.sampled_from(KNOWN), max_size=60).map(" ".join)
of_known_signs = st.text(st.sampled_from(SIGNS), max_size=80)


@settings(deadline=None)
@given(text=anything | of_known_words | of_known_signs, language=st.sampled_from(["en", "zh", "de"]) | anything)
def test_judging_never_raises_and_quotes_the_transcript(text: str, language: str) -> None:
    """Any text in any language is judged; a phrase is a part of the transcript, and a rule is named with it."""
    heard = judge(text, language)
    assert heard.phrase in text
    assert bool(heard.rule) == bool(heard.phrase) == (heard.meaning is not Meaning.NOTHING)


@settings(deadline=None)
@given(text=st.sampled_from(ENGLISH), before=st.sampled_from(["um, ", "Uh ", "please ", "okay "]))
def test_fillers_and_politeness_around_english_mean_nothing(text: str, before: str) -> None:
    """A filler before and a politeness behind leave the meaning as it was."""
    meaning = judge(text, "en").meaning
    assert judge(before + text, "en").meaning is meaning
    assert judge(f"{text}, thank you", "en").meaning is meaning


@settings(deadline=None)
@given(text=st.sampled_from(ENGLISH), change=st.sampled_from([str.upper, str.lower, str.title]))
def test_case_and_apostrophes_mean_nothing(text: str, change: Callable[[str], str]) -> None:
    """Capitals and curly apostrophes leave the meaning as it was."""
    meaning = judge(text, "en").meaning
    assert judge(change(text), "en").meaning is meaning
    assert judge(text.replace("'", "’"), "en").meaning is meaning


@settings(deadline=None)
@given(text=st.sampled_from(CHINESE), before=st.sampled_from(["请", "嗯，", "喂 ", "麻烦"]))
def test_politeness_around_chinese_means_nothing(text: str, before: str) -> None:
    """A politeness before and thanks behind leave the meaning as it was."""
    meaning = judge(text, "zh").meaning
    assert judge(before + text, "zh").meaning is meaning
    assert judge(text + "，谢谢", "zh").meaning is meaning


@settings(deadline=None)
@given(text=anything | of_known_words | st.sampled_from(ENGLISH))
def test_normalised_english_stays_as_it_is(text: str) -> None:
    """Normalising what is normalised changes no word."""
    words = [word.text for word in words_of(text)]
    assert [word.text for word in words_of(" ".join(words))] == words


@settings(deadline=None)
@given(text=anything | of_known_signs | st.sampled_from(CHINESE))
def test_normalised_chinese_stays_as_it_is(text: str) -> None:
    """Normalising what is normalised changes no character."""
    signs = "".join(sign.text for sign in signs_of(text))
    assert "".join(sign.text for sign in signs_of(signs)) == signs


@settings(deadline=None)
@given(text=anything)
def test_spans_point_into_the_transcript(text: str) -> None:
    """Each word and each character knows where it stood, in order."""
    starts = [word.start for word in words_of(text)]
    assert starts == sorted(starts)
    assert all(0 <= word.start < word.end <= len(text) for word in words_of(text))
    assert all(0 <= sign.at < len(text) for sign in signs_of(text))


@settings(deadline=None)
@given(piece=st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), rounds=st.integers(1, 8))
def test_a_piece_is_a_loop_from_the_fourth_round(piece: list[str], rounds: int) -> None:
    """Four rounds of a piece are a loop as a whole; fewer are none unless the piece repeats itself."""
    marks = looped(piece * rounds)
    if rounds >= ROUNDS:
        assert all(marks)
    elif len(set(piece)) == len(piece):
        assert not any(marks)


def _steps(text: str, language: str) -> int:
    """How many lines of Python judging a text runs: a measure of work that no clock disturbs."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: Any) -> TraceFunction:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        judge(text, language)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(("unit", "language"), [("do not call me the ", "en"), ("stop ", "en"), ("不要再打", "zh")])
def test_work_does_not_grow_beyond_the_bound(unit: str, language: str) -> None:
    """A text of a hundred times the bound costs no more than one that reaches it."""
    full = unit * (LONGEST // len(unit) + 1)
    judge(full, language)
    assert _steps(full * 100, language) <= 1.05 * _steps(full, language)


@settings(max_examples=60, deadline=None)
@given(
    piece=st.lists(st.sampled_from(KNOWN), min_size=1, max_size=9).map(" ".join)
    | st.lists(st.sampled_from(SIGNS), min_size=1, max_size=9).map("".join),
    language=st.sampled_from(["en", "zh"]),
)
def test_no_text_explodes_in_a_pattern(piece: str, language: str) -> None:
    """A full-length repetition of any known words ends soon: a pattern that backtracks would take minutes."""
    judge(f"{piece} " * (LONGEST // len(piece) + 1), language)


@pytest.mark.parametrize(
    "text",
    [
        "any more these any more those " * 90,
        "do not want to get any more of these your " * 50,
        "put me on the your a our company " * 60,
        "make sure that you never ever will " * 60,
        "a" * 5_000,
        "a " * 3_000,
        ". " * 3_000,
        "d n d t p s " * 200,
        "'" * 4_000,
        "don't'" * 800,
    ],
)
def test_hostile_english_ends(text: str) -> None:
    """Texts made to send patterns back and forth are judged like any other."""
    assert judge(text, "en").meaning in Meaning
