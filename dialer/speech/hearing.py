"""What one call's hypotheses amount to: the refusals and near misses that are told on. Pure.

`heedline speech evaluate` and the live listener both use it, so that what is measured is what runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from dialer.phrases import Heard, Meaning, judge
from dialer.speech.engine import Hypothesis

JOIN_GAP_MS: Final = 1_500
"""Finals that follow each other within this are one utterance: people pause within a sentence."""

JOIN_SPAN_MS: Final = 15_000
"""A joined transcript reaches back no further than this."""

LOOP_TURNS: Final = 4
"""So many turns of the same words in a row are a loop."""

FASTEST_SPEECH: Final = {"en": 6.0, "zh": 9.0}
"""Words (English) or characters (Chinese) a second beyond which no one speaks."""

_TOKENS: Final = {"en": re.compile(r"[^\W_]+(?:['’][^\W_]+)*"), "zh": re.compile(r"[^\W_]")}
_LONGEST_LOOP: Final = 12
_SENTENCE_ENDS: Final = " .,!?\u2026\u3001\u3002\uff01\uff0c\uff1f"
_JUDGED_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Detection:
    """A refusal, or a near miss for a person to review, with what it rests on.

    `start_ms` and `end_ms` are counted from the stream's first sample; `transcript` is hostile.
    """

    meaning: Meaning
    transcript: str
    phrase: str
    rule: str
    start_ms: int
    end_ms: int
    language: str
    engine: str
    model: str


class Hearing:
    """One call's ear. A refusal is told once a call and ends it; a near miss once an utterance."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._utterance: list[Hypothesis] = []
        self._near_miss_told = False
        self._refusing_partial: int | None = None
        self.refused = False
        """Whether a refusal was told; nothing is told after it."""

    def take(self, hypothesis: Hypothesis) -> Detection | None:
        """What the next hypothesis of the stream adds.

        A final counts by itself and joined with the finals just before it. A partial counts only as a refusal, and only
        when the partial before it of the same start was one too: recognisers take half-heard words back.
        """
        if self.refused:
            return None
        found = self._final(hypothesis) if hypothesis.final else self._partial(hypothesis)
        if found is not None and found.meaning is Meaning.REFUSAL:
            self.refused = True
        return found

    def _partial(self, hypothesis: Hypothesis) -> Detection | None:
        heard = self._judge(hypothesis)
        if heard.meaning is not Meaning.REFUSAL:
            self._refusing_partial = None
            return None
        stable = self._refusing_partial == hypothesis.start_ms
        self._refusing_partial = hypothesis.start_ms
        return _detection(heard, hypothesis) if stable else None

    def _final(self, hypothesis: Hypothesis) -> Detection | None:
        self._refusing_partial = None
        self._follow(hypothesis)
        near_miss: Detection | None = None
        for spoken in self._readings():
            heard = self._judge(spoken)
            if heard.meaning is Meaning.REFUSAL:
                return _detection(heard, spoken)
            if heard.meaning is Meaning.NEAR_MISS and near_miss is None:
                near_miss = _detection(heard, spoken)
        if near_miss is None or self._near_miss_told:
            return None
        self._near_miss_told = True
        return near_miss

    def _follow(self, hypothesis: Hypothesis) -> None:
        """Put a final at the utterance's end; one that spans earlier finals (decoded anew as a whole) replaces them."""
        before = [final for final in self._utterance if final.end_ms <= hypothesis.start_ms]
        spans = len(before) < len(self._utterance)
        if not spans and before and hypothesis.start_ms - before[-1].end_ms > JOIN_GAP_MS:
            before, self._near_miss_told = [], False
        kept = [final for final in before if hypothesis.end_ms - final.start_ms <= JOIN_SPAN_MS]
        self._utterance = [*kept, hypothesis]

    def _readings(self) -> list[Hypothesis]:
        """The last final alone, then with ever more of the finals before it."""
        readings = [self._utterance[-1]]
        for earlier in reversed(self._utterance[:-1]):
            text = self._joined(earlier.text, readings[-1].text)
            readings.append(replace(readings[-1], text=text, start_ms=earlier.start_ms))
        return readings

    def _joined(self, first: str, second: str) -> str:
        # The recogniser ended a sentence there only because the sound ended.
        first = first.rstrip(_SENTENCE_ENDS)
        return f"{first}{second}" if self._language == "zh" else f"{first} {second}"

    def _judge(self, hypothesis: Hypothesis) -> Heard:
        if hallucinated(hypothesis, self._language):
            return Heard(Meaning.NOTHING)
        return judge(hypothesis.text, self._language)


def hallucinated(hypothesis: Hypothesis, language: str) -> bool:
    """Whether the text is a recogniser's loop: the same words in turn over and over, faster than anyone speaks.

    Speed decides, because an angry person does repeat himself.
    """
    words = _TOKENS.get(language, _TOKENS["en"]).findall(hypothesis.text[:_JUDGED_CHARACTERS].casefold())
    seconds = max(hypothesis.end_ms - hypothesis.start_ms, 1) / 1000
    if len(words) <= FASTEST_SPEECH.get(language, FASTEST_SPEECH["en"]) * seconds:
        return False
    return any(_loops(words, length) for length in range(1, min(_LONGEST_LOOP, len(words) // LOOP_TURNS) + 1))


def _loops(words: list[str], length: int) -> bool:
    """Whether somewhere `length` words come `LOOP_TURNS` times in a row."""
    run = 0
    for word, earlier in zip(words[length:], words, strict=False):
        run = run + 1 if word == earlier else 0
        if run >= length * (LOOP_TURNS - 1):
            return True
    return False


def _detection(heard: Heard, spoken: Hypothesis) -> Detection:
    return Detection(
        meaning=heard.meaning,
        transcript=spoken.text,
        phrase=heard.phrase,
        rule=heard.rule,
        start_ms=spoken.start_ms,
        end_ms=spoken.end_ms,
        language=spoken.language,
        engine=spoken.engine,
        model=spoken.model,
    )
