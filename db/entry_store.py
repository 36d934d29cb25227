"""Evidence entries that stand by themselves, on PostgreSQL."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from db.sql import queries
from db.transaction import translated

_SQL = queries("registers")


class PostgresEntryStore:
    """Implements `dialer.ports_evidence.EntryStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def write(self, at: datetime, kind: str, subject: int | None, payload: str, callee: int | None = None) -> int:
        """One statement is one transaction."""
        with translated():
            entry: int = await self._pool.fetchval(_SQL["witness"], at, kind, subject, callee, payload)
        return entry
