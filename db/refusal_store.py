"""Refusals on PostgreSQL. They are only ever added."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import transaction
from dialer.ports_registers import NewRefusal, RefusalRecord

_SQL = queries("refusals")


class RefusalStatements:
    """The refusals' part of a transaction."""

    _connection: asyncpg.Connection

    async def refusal(self, id: int) -> RefusalRecord | None:
        """The refusal of that id."""
        row = await self._connection.fetchrow(_SQL["by_id"], id)
        return _refusal(row) if row else None

    async def add_refusal(self, refusal: NewRefusal, payload: str) -> int:
        """Records it with its evidence under the callee's lock; its id."""
        r = refusal
        id: int = await self._connection.fetchval(
            _SQL["record"], r.callee, r.seller, r.how, r.at, r.call_id, r.agent, r.note, payload
        )
        return id


async def refusals_of(pool: asyncpg.Pool, callee: int) -> list[RefusalRecord]:
    """All refusals of a callee, oldest first."""
    return [_refusal(row) for row in await pool.fetch(_SQL["of_callee"], callee)]


async def all_refusals(pool: asyncpg.Pool) -> AsyncIterator[RefusalRecord]:
    """Every refusal in the order of recording."""
    async with transaction(pool) as connection:
        async for row in connection.cursor(_SQL["all"], prefetch=2_000):
            yield _refusal(row)


def _refusal(row: Any) -> RefusalRecord:
    refusal = NewRefusal(row["callee"], row["seller"], row["how"], row["at"], row["call_id"], row["agent"], row["note"])
    return RefusalRecord(row["id"], refusal, row["recorded_at"])
