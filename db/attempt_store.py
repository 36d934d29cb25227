"""Attempts and alarms on PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.faults import DRIVER_FAULTS
from db.sql import queries
from dialer.attempts import alarm_payload, ended_payload
from dialer.errors import StoreUnavailable
from dialer.hostile import printable
from dialer.ports_attempts import Alarm, AttemptFacts, OpenAttempt

_SQL = queries("attempts")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DRIVER_FAULTS as error:
        raise StoreUnavailable(f"the database did not answer: {type(error).__name__}: {error}") from error


class PostgresAttemptStore:
    """Implements `dialer.ports_attempts.AttemptStore` and `AlarmStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def record(self, facts: Sequence[AttemptFacts], now: datetime) -> list[int]:
        """One transaction: the facts, and evidence of the attempts that ended or were amended after their end."""
        with _translated():
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_SQL["record"], *_columns(facts))
                entries = [_entry(row) for row in rows if row["changed"] and row["ended_at"] is not None]
                if entries:
                    kinds, subjects, payloads = zip(*entries, strict=True)
                    await connection.execute(_SQL["evidence"], now, kinds, subjects, payloads)
        found = {row["attempt"] for row in rows}
        return [fact.attempt for fact in facts if fact.attempt not in found]

    async def open_attempts(self, dialled_before: datetime) -> list[OpenAttempt]:
        """Dialled and not ended, among the newest 200,000 attempts."""
        with _translated():
            rows = await self._pool.fetch(_SQL["open"], dialled_before)
        return [OpenAttempt(row["attempt"], row["callee"]) for row in rows]

    async def raise_alarm(self, alarm: Alarm) -> None:
        """The alarm and its evidence, in one statement."""
        with _translated():
            await self._pool.execute(
                _SQL["alarm"],
                alarm.at,
                alarm.kind,
                printable(alarm.channel),
                printable(alarm.detail),
                f"alarm.{alarm.kind}",
                alarm_payload(alarm),
            )


def _columns(facts: Sequence[AttemptFacts]) -> tuple[list[Any], ...]:
    return (
        [fact.attempt for fact in facts],
        [fact.dialled_at for fact in facts],
        [fact.ringing_at for fact in facts],
        [fact.answered_at for fact in facts],
        [fact.ended_at for fact in facts],
        [fact.cause for fact in facts],
        [fact.sip_status for fact in facts],
        [fact.dial_status for fact in facts],
        [fact.carrier_call_id for fact in facts],
    )


def _entry(row: Any) -> tuple[str, int, str]:
    """Kind, subject and payload of the evidence about a row that is over now."""
    kind = "attempt.amended" if row["over"] else "attempt.ended"
    state = AttemptFacts(
        attempt=row["attempt"],
        dialled_at=row["dialled_at"],
        ringing_at=row["ringing_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        cause=row["cause"],
        sip_status=row["sip_status"],
        dial_status=row["dial_status"],
        carrier_call_id=row["carrier_call_id"],
    )
    return kind, row["attempt"], ended_payload(kind, state)
