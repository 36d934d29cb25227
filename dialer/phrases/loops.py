"""Loops of a recogniser: the same words over and over, which nobody said."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_PERIOD = 12
"""Units (words, or characters of Chinese) in the longest repeated piece that is looked for."""

ROUNDS = 4
"""A piece heard this often in a row is a loop. People repeat themselves two or three times when they are angry."""


def looped(units: Sequence[str]) -> list[bool]:
    """For each unit, whether it stands in a loop: a piece of up to `LONGEST_PERIOD` units, `ROUNDS` times in a row.

    Time is linear in the number of units.
    """
    marks = [False] * len(units)
    for period in range(1, min(LONGEST_PERIOD, len(units) // ROUNDS) + 1):
        run = 0
        for at in range(period, len(units) + 1):
            if at < len(units) and units[at] == units[at - period]:
                run += 1
                continue
            if run >= period * (ROUNDS - 1):
                start = at - run - period
                marks[start:at] = [True] * (at - start)
            run = 0
    return marks
