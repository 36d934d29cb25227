"""What came of the log's checks of itself, on PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime

import asyncpg

from db.sql import queries
from db.transaction import translated
from dialer.self_verification import KIND, Verification

_SQL = queries("fsck")


class PostgresVerificationStore:
    """Implements `dialer.self_verification.VerificationStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def last_verification(self) -> Verification | None:
        """The newest one; None before the first."""
        with translated():
            row = await self._pool.fetchrow(_SQL["last_verification"])
        if row is None:
            return None
        said = json.loads(row["payload"])
        return Verification(row["at"], said["size"], said["faults"], said["seconds"])

    async def record_verification(self, at: datetime, payload: str) -> None:
        """Write the entry."""
        with translated():
            await self._pool.execute(queries("registers")["witness"], at, KIND, None, None, payload)
