"""Use case: the clock was once ahead, and an administrator says that it is right now.

A decision that was made with a clock in the future would have the gate refuse until that instant comes. What time it is
cannot be told from within, so a person must say so, and why; that is evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dialer.errors import RegisterError
from dialer.evidence.entries import instant
from dialer.gate import CLOCK_TOLERANCE
from dialer.registers import Register, checked_text


@dataclass(frozen=True, slots=True)
class Witness:
    """What decisions say of the time: the newest one's id (0: there is none), when the latest that counts was made
    (None: none counts), and the clock of this machine."""

    decision: int
    latest: datetime | None
    now: datetime

    @property
    def trusted(self) -> bool:
        """Whether a gate with this clock decides."""
        return self.latest is None or self.now >= self.latest - CLOCK_TOLERANCE


class Clocks(Register):
    """The clock, as the decisions bear witness of it."""

    async def witness(self) -> Witness:
        """What the decisions say now. Raises `StoreUnavailable`."""
        async with self._store.transaction() as transaction:
            return Witness(*await transaction.clock_witness(), self._clock())

    async def accept(self, reason: str) -> Witness:
        """From now on no decision that has been made bears witness of the time; what they said of it until now.

        Raises `RegisterError` when the clock is trusted anyway, `StoreUnavailable`.
        """
        checked_text(reason, "reason", 500)
        async with self._store.transaction() as transaction:
            before = Witness(*await transaction.clock_witness(), self._clock())
            if before.trusted:
                raise RegisterError(
                    "this machine's clock is not behind the latest decision, so there is nothing to accept",
                    "run it where the clock is as on the nodes that refuse",
                )
            await self._witness(
                transaction, "clock.accepted", before.decision, latest=instant(before.latest), reason=reason
            )
            await transaction.reconfigure()
        return before
