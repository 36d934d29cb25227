"""How much listening the machine can bear: the level at which callees are heard, by measured lag and load. Pure.

Shedding is quick and one level at a time; coming back needs calm for a while, so that the level does not flap.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """What is done for a callee who speaks, best first."""

    FULL = "full"  # recognised while he still speaks
    FINALS = "finals"  # recognised when he has finished: about a fifth of the work
    OFF = "off"  # calls that begin now are not listened to; the others go on as in FINALS


_ORDER: Final = (Level.FULL, Level.FINALS, Level.OFF)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a level is left. `lag_s`: how long audio waited until it was recognised; `share`: the workers' part of their
    time that they compute, 0 to 1. Above `shed_*` the next level is taken, and below `calm_*` the one before."""

    shed_lag_s: float
    shed_share: float
    calm_lag_s: float
    calm_share: float


BOUNDS: Final = {
    Level.FULL: Bounds(1.0, 0.85, 0.0, 0.0),
    # calm_share: what takes a seventh of the time now would take most of it with partials
    Level.FINALS: Bounds(4.0, 0.95, 0.5, 0.15),
    Level.OFF: Bounds(float("inf"), float("inf"), 1.0, 0.6),
}
SETTLE_S: Final = 2.0
"""After a change the next one waits so long: what was shed must show first."""
CALM_S: Final = 10.0
"""So long must it have been calm before a level is taken back."""


class Budget:
    """The level now. `best` is the best there can be: without partials it is FINALS."""

    def __init__(self, best: Level = Level.FULL) -> None:
        self.best = best
        self.level = best
        self._changed_s = float("-inf")
        self._calm_since: float | None = None

    def measure(self, lag_s: float, share: float, now_s: float) -> Level | None:
        """Take a measurement at `now_s` (a monotonic clock); the new level when it changes by it."""
        bounds = BOUNDS[self.level]
        if lag_s >= bounds.calm_lag_s or share >= bounds.calm_share:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now_s
        if now_s - self._changed_s < SETTLE_S:
            return None
        if lag_s > bounds.shed_lag_s or share > bounds.shed_share:
            return self._change(+1, now_s)
        if self._calm_since is not None and now_s - self._calm_since >= CALM_S and self.level is not self.best:
            return self._change(-1, now_s)
        return None

    def _change(self, step: int, now_s: float) -> Level:
        self.level = _ORDER[_ORDER.index(self.level) + step]
        self._changed_s = now_s
        self._calm_since = None
        return self.level
