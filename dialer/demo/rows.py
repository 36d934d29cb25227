"""The demonstration's table: what each call must come to, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RING_BACK: Final = "ring back"
"""The path of a row that is no outbound call: the gate is not asked."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a call must come to. `reasons` must all be given; `more` may be given besides (the hour, where the callee of
    a refused call may well be asleep). `refusal` is how the callee must have refused meanwhile; empty: not at all."""

    outcome: str
    reasons: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset({"OUTSIDE_HOURS", "HOLIDAY"})
    invites: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `outcome` is empty when there was no answer of the gate at all, `refusal` when none was
    recorded; `decision` is None when none was made."""

    path: str
    situation: str
    number: str
    outcome: str
    reasons: tuple[str, ...]
    invites: int
    expected: Expected
    refusal: str = ""
    decision: int | None = None

    @property
    def right(self) -> bool:
        """Whether it is as it should be."""
        want, got = self.expected, frozenset(self.reasons)
        fits = want.reasons <= got and got - want.reasons <= (want.more if want.outcome != "ALLOW" else frozenset())
        done = (self.outcome, self.invites, self.refusal)
        return fits and done == (want.outcome, want.invites, want.refusal)
