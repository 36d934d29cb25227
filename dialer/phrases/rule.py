"""A rule of the phrase matcher: a pattern over normalised text, with what may not stand before or after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dialer.phrases.meaning import Meaning

_CLASS = re.compile(r"<([A-Z_]+)>")
MOST_REPEATS = 5
_GROUP = re.compile(r"(?<!\\)\((?!\?)")


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that matched, with the span of normalised text that counted."""

    meaning: Meaning
    rule: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One construction. Where `before` is found in the sentence up to a match, it is none; where `after` is not
    found behind it, it means `otherwise`. `scoped` says that a time or a place behind it ("before nine") narrows it, so
    that it is no longer about all calls."""

    name: str
    pattern: re.Pattern[str]
    meaning: Meaning
    before: re.Pattern[str] | None = None
    after: re.Pattern[str] | None = None
    otherwise: Meaning = Meaning.NOTHING
    scoped: bool = False

    def matches(self, sentence: str) -> Iterator[Match]:
        """Every place where the construction stands in a sentence of normalised text."""
        for found in self.pattern.finditer(sentence):
            start, end = found.span()
            if self.before is not None and self.before.search(sentence[max(0, start - 80) : start]):
                continue
            meaning = self.meaning if self.after is None or self.after.match(sentence, end) else self.otherwise
            if meaning is not Meaning.NOTHING:
                yield Match(meaning, self.name, start, end)


def expand(pattern: str, classes: Mapping[str, str]) -> str:
    """Replace `<NAME>` by its word class, repeatedly, and make each plain group one that captures nothing.

    A starred group may come `MOST_REPEATS` times: what a person says fits in, and no text makes the time explode.
    """
    while _CLASS.search(pattern):
        pattern = _CLASS.sub(lambda found: f"({classes[found[1]]})", pattern)
    return _GROUP.sub("(?:", pattern).replace(")*", f"){{0,{MOST_REPEATS}}}")
