"""One call's ear: what hypotheses amount to. The matcher is a table here: its own tests are elsewhere."""

from __future__ import annotations

import pytest

from dialer.phrases import Heard, Meaning
from dialer.speech import hearing
from dialer.speech.engine import Hypothesis
from dialer.speech.hearing import Detection, Hearing, hallucinated

MEANINGS = {
    "stop calling me": Meaning.REFUSAL,
    "please take me off your list": Meaning.REFUSAL,
    "off your list": Meaning.NEAR_MISS,
    "too many calls": Meaning.NEAR_MISS,
    "不要再打了": Meaning.REFUSAL,
}


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(transcript: str, language: str) -> Heard:
        text = transcript.rstrip(".").casefold()
        meaning = MEANINGS.get(text, Meaning.REFUSAL if "stop calling me" in text else Meaning.NOTHING)
        return Heard(meaning, text, f"{language}-rule")

    monkeypatch.setattr(hearing, "judge", judge)


def said(text: str, start: int, end: int, *, final: bool = True, language: str = "en") -> Hypothesis:
    """A hypothesis of a recogniser."""
    return Hypothesis(text, final, start, end, language, "moonshine", "ab12")


def test_refusal_carries_its_ground() -> None:
    """A refusal keeps transcript, span, phrase, rule, engine and model hash."""
    found = Hearing("en").take(said("Stop calling me.", 300, 1400))
    assert found == Detection(
        Meaning.REFUSAL, "Stop calling me.", "stop calling me", "en-rule", 300, 1400, "en", "moonshine", "ab12"
    )


def test_refusal_is_told_once() -> None:
    """After a refusal nothing more is told in that call, be it a refusal or a near miss."""
    ear = Hearing("en")
    assert ear.take(said("stop calling me", 0, 900)) is not None
    assert ear.refused
    assert ear.take(said("stop calling me", 2000, 2900)) is None
    assert ear.take(said("too many calls", 9000, 9900)) is None


def test_near_miss_is_told_once_an_utterance() -> None:
    """A second near miss is told only when it belongs to another utterance."""
    ear = Hearing("en")
    first = ear.take(said("too many calls", 0, 900))
    assert first is not None
    assert first.meaning is Meaning.NEAR_MISS
    assert ear.take(said("too many calls", 1500, 2300)) is None
    assert ear.take(said("too many calls", 9000, 9900)) is not None


def test_near_miss_does_not_hide_a_refusal() -> None:
    """A refusal after a near miss in the same utterance is told."""
    ear = Hearing("en")
    ear.take(said("too many calls", 0, 900))
    found = ear.take(said("stop calling me", 1500, 2300))
    assert found is not None
    assert found.meaning is Meaning.REFUSAL
    assert found.start_ms == 1500


def test_sentence_split_by_a_pause_is_joined() -> None:
    """Two finals close together are judged as one sentence too, whose span is both."""
    ear = Hearing("en")
    assert ear.take(said("Please take me.", 0, 900)) is None
    found = ear.take(said("off your list", 1700, 2400))
    assert found is not None
    assert (found.meaning, found.transcript) == (Meaning.REFUSAL, "Please take me off your list")
    assert (found.start_ms, found.end_ms) == (0, 2400)


def test_distant_finals_are_not_joined() -> None:
    """After a longer silence the sentence is a new one."""
    ear = Hearing("en")
    ear.take(said("Please take me", 0, 900))
    found = ear.take(said("off your list", 2401, 3200))
    assert found is not None
    assert found.meaning is Meaning.NEAR_MISS


def test_chinese_is_joined_without_a_space() -> None:
    """Chinese halves make one word again."""
    ear = Hearing("zh")
    assert ear.take(said("不要再。", 0, 900, language="zh")) is None
    found = ear.take(said("打了", 1500, 2000, language="zh"))
    assert found is not None
    assert found.transcript == "不要再打了"


def test_decoding_again_as_a_whole_replaces_the_parts() -> None:
    """A final that spans earlier ones is not joined with them: words are not doubled."""
    ear = Hearing("en")
    ear.take(said("please take", 0, 900))
    ear.take(said("me", 1500, 2000))
    assert ear.take(said("please take me", 0, 2000)) is None
    found = ear.take(said("off your list", 2500, 3000))
    assert found is not None
    assert found.transcript == "please take me off your list"


def test_one_partial_is_no_refusal() -> None:
    """A partial counts only when the next partial of the same start says so too."""
    ear = Hearing("en")
    assert ear.take(said("stop calling me", 0, 900, final=False)) is None
    assert ear.take(said("stop calling meg about it", 5000, 6400, final=False)) is None
    found = ear.take(said("stop calling me", 5000, 6900, final=False))
    assert found is not None
    assert found.end_ms == 6900


def test_partial_taken_back_starts_anew() -> None:
    """A partial that is no refusal in between breaks the row."""
    ear = Hearing("en")
    assert ear.take(said("stop calling me", 0, 900, final=False)) is None
    assert ear.take(said("stop calling", 0, 1400, final=False)) is None
    assert ear.take(said("stop calling me", 0, 1900, final=False)) is None


def test_partial_is_no_near_miss() -> None:
    """Near misses come from finals alone."""
    ear = Hearing("en")
    assert ear.take(said("too many calls", 0, 900, final=False)) is None
    assert ear.take(said("too many calls", 0, 1400, final=False)) is None


@pytest.mark.parametrize(
    ("text", "milliseconds", "language", "expected"),
    [
        ("stop calling me " * 20, 3000, "en", True),
        ("stop calling me, stop calling me, stop calling me, stop calling me", 3000, "en", False),
        ("no " * 60, 2000, "en", True),
        ("please take me off your list and do not ring again today", 1500, "en", False),
        ("不要再打了" * 12, 2000, "zh", True),
        ("不要再打了不要再打了不要再打了不要再打了", 4000, "zh", False),
        ("", 0, "en", False),
    ],
)
def test_loops_faster_than_speech_are_hallucinated(text: str, milliseconds: int, language: str, expected: bool) -> None:
    """A loop is rejected when no one could have spoken it in its span, and an angry repetition is not."""
    assert hallucinated(said(text, 0, milliseconds, language=language), language) is expected


def test_hallucinated_refusal_is_not_told() -> None:
    """A loop that would match is nothing."""
    assert Hearing("en").take(said("stop calling me " * 20, 0, 2000)) is None
