"""What is known of attempts after their permit was issued, and of channels that had none: data and ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """What one witness saw of one attempt; None is what it did not see (yet).

    `attempt` is the decision's id. `cause` is a Q.850 cause (1 to 127), `sip_status` the final SIP status of the called
    leg, `dial_status` Asterisk's DIALSTATUS. `near_carrier`: seen at the egress, whose cause and status are the
    carrier's own, not a translation. `carrier_call_id` is the SIP Call-ID towards the carrier, by which his records
    name the call.
    """

    attempt: int
    dialled_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: int | None = None
    sip_status: int | None = None
    dial_status: str | None = None
    near_carrier: bool = False
    carrier_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that was dialled and of which no end is known. `callee` is the number as it was dialled."""

    attempt: int
    callee: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that must not happen, and did."""

    at: datetime
    kind: str
    channel: str
    detail: str


class AttemptStore(Protocol):
    """Where attempts are kept. Every method raises `StoreUnavailable` when it cannot."""

    async def record(self, facts: Sequence[AttemptFacts], now: datetime) -> list[int]:
        """Add facts (one entry an attempt) in one transaction. What is known already stays as it is. An attempt that
        ends by this, or of which more becomes known after its end, gets an evidence row. Returns the ids that are no
        attempts."""

    async def open_attempts(self, dialled_before: datetime) -> list[OpenAttempt]:
        """Attempts that were dialled before an instant and have no end; of old ones not necessarily all."""


class AlarmStore(Protocol):
    """Where alarms are kept. Raises `StoreUnavailable` when it cannot."""

    async def raise_alarm(self, alarm: Alarm) -> None:
        """Write the alarm and its evidence in one transaction."""
