"""A time axis on which years and seconds can stand side by side: it is linear but for long empty stretches, which are
cut out, and each cut says how long it was. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

_MOST_CUTS = 8
_CUT_WIDTH = 34.0
# A gap that makes up more than this share of what is left is empty space.
_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Cut:
    """An empty stretch that is not drawn to scale, between two places on the axis."""

    left: float
    right: float
    length: timedelta


class Axis:
    """From instants to places between `left` and `right`."""

    def __init__(self, instants: Iterable[datetime], left: float, right: float) -> None:
        self.instants = sorted(set(instants))
        self.left, self.right = left, right
        gaps = [after - before for before, after in zip(self.instants, self.instants[1:], strict=False)]
        cut = _cuts(gaps)
        self._places = self._placed(gaps, cut)
        self.cuts = [Cut(self._places[i], self._places[i + 1], gaps[i]) for i in sorted(cut)]

    def place(self, at: datetime) -> float:
        """Where an instant is; before the first and after the last one at the ends."""
        if not self.instants:
            return (self.left + self.right) / 2
        i = bisect_right(self.instants, at) - 1
        if i < 0:
            return self.left
        if i + 1 >= len(self.instants):
            return self._places[-1] if at == self.instants[-1] else self.right
        span = self.instants[i + 1] - self.instants[i]
        share = (at - self.instants[i]) / span
        return self._places[i] + share * (self._places[i + 1] - self._places[i])

    def _placed(self, gaps: list[timedelta], cut: set[int]) -> list[float]:
        if len(self.instants) < 2:
            return [(self.left + self.right) / 2] * len(self.instants)
        room = self.right - self.left
        span = sum((gap for i, gap in enumerate(gaps) if i not in cut), timedelta(0))
        wide = room / len(cut) if not span else min(_CUT_WIDTH, 0.5 * room / max(len(cut), 1))
        scale = (room - wide * len(cut)) / span.total_seconds() if span else 0.0
        places, at = [self.left], self.left
        for i, gap in enumerate(gaps):
            at += wide if i in cut else gap.total_seconds() * scale
            places.append(min(at, self.right))
        return places


def _cuts(gaps: list[timedelta]) -> set[int]:
    """Which gaps are cut: the longest, while it alone takes much of the room."""
    cut: set[int] = set()
    order = sorted(range(len(gaps)), key=lambda i: gaps[i], reverse=True)
    left = sum(gaps, timedelta(0))
    for i in order[:_MOST_CUTS]:
        if len(gaps) < 2 or gaps[i] < _SHARE * left:
            break
        cut.add(i)
        left -= gaps[i]
    return cut
