"""Complaints on PostgreSQL. What was received is never changed; what is done about it is added."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.register_store import RegisterTransaction
from db.sql import queries
from db.trace_store import calls_of_complaint
from db.transaction import transaction, translated
from dialer.ports_complaints import Channel, ComplaintRecord, ComplaintTransaction, Source, Status
from dialer.ports_trace import TracedCall

_SQL = queries("complaints")


class PostgresComplaintStore:
    """Implements `dialer.ports_complaints.ComplaintStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[ComplaintTransaction]:
        """Commits on a clean exit, otherwise leaves nothing."""
        async with transaction(self._pool) as connection:
            yield _Transaction(connection)

    async def show(self, id: int) -> ComplaintRecord | None:
        """One complaint."""
        with translated():
            return _optional(await self._pool.fetchrow(_SQL["by_id"], id))

    async def find(
        self, *, unanswered: bool, due_before: datetime | None, after: int, limit: int
    ) -> list[ComplaintRecord]:
        """A page of complaints by id."""
        with translated():
            rows = await self._pool.fetch(_SQL["page"], unanswered, due_before, after, limit)
        return [_complaint(row) for row in rows]

    async def calls_of(self, complaint: int) -> list[TracedCall]:
        """Its calls, oldest first."""
        with translated():
            return await calls_of_complaint(self._pool, complaint)

    async def overdue(self, now: datetime, since: datetime) -> list[ComplaintRecord]:
        """Those that are overdue and not told of since."""
        with translated():
            return [_complaint(row) for row in await self._pool.fetch(_SQL["overdue"], now, since)]


class _Transaction(RegisterTransaction):
    """Implements `dialer.ports_complaints.ComplaintTransaction`."""

    async def complaint_of_case(self, source: Source, authority: str, case_number: str) -> ComplaintRecord | None:
        case = (source.value, authority, case_number)
        await self._connection.execute(_SQL["lock_case"], *case)
        return _optional(await self._connection.fetchrow(_SQL["of_case"], *case))

    async def complaint_of_refusal(self, refusal: int) -> ComplaintRecord | None:
        return _optional(await self._connection.fetchrow(_SQL["of_refusal"], refusal))

    async def complaint(self, id: int) -> ComplaintRecord | None:
        await self._connection.execute(_SQL["locked"], id)
        return _optional(await self._connection.fetchrow(_SQL["by_id"], id))

    async def next_complaint(self) -> int:
        id: int = await self._connection.fetchval(_SQL["next"])
        return id

    async def add_complaint(self, record: ComplaintRecord) -> None:
        r = record
        await self._connection.execute(
            _SQL["add"], r.id, r.case_number, r.source.value, r.authority, r.callee, r.cli, r.seller, r.channel.value,
            r.received_at, r.due_at, r.text, r.refusal_id, r.recorded_at, r.recorded_by,
        )  # fmt: skip

    async def tie_calls(
        self, complaint: int, callee: int, cli: str | None, since: datetime, until: datetime, at: datetime, by: str
    ) -> Sequence[int]:
        rows = await self._connection.fetch(_SQL["tie_calls"], complaint, callee, cli, since, until, at, by)
        return sorted(row["decision"] for row in rows)

    async def tie_call(self, complaint: int, decision: int, at: datetime, by: str) -> bool:
        return bool(await self._connection.fetchval(_SQL["tie_call"], complaint, decision, at, by))

    async def callee_of(self, decision: int) -> int | None:
        callee: int | None = await self._connection.fetchval(_SQL["callee_of"], decision)
        return callee

    async def answer_complaint(self, id: int, answer: str, at: datetime, by: str) -> None:
        await self._connection.execute(_SQL["answer"], id, answer, at, by)

    async def close_complaint(self, id: int, outcome: str, at: datetime, by: str) -> None:
        await self._connection.execute(_SQL["close"], id, outcome, at, by)


def _optional(row: Any) -> ComplaintRecord | None:
    return _complaint(row) if row else None


def _complaint(row: Any) -> ComplaintRecord:
    fields = dict(row)
    del fields["seller_id"]
    kinds = {"source": Source(row["source"]), "channel": Channel(row["channel"]), "status": Status(row["status"])}
    return ComplaintRecord(**{**fields, **kinds, "calls": tuple(row["calls"])})
