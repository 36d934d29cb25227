"""Leadership among nodes: who holds one advisory lock on the database. It ends with the connection that holds it."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg

from db.faults import DRIVER_FAULTS

JOBS_LOCK, SEALING_LOCK = 5_284_167_703, 5_284_167_705


class PostgresLeader:
    """Implements `dialer.jobs.Leader` on a connection of its own. Each `lock` has a leader of its own."""

    def __init__(self, dsn: str, lock: int = JOBS_LOCK) -> None:
        self._dsn, self._lock = dsn, lock
        self._connection: asyncpg.Connection | None = None
        self._is_leader = False
        self._one_asks = asyncio.Lock()

    async def leads(self) -> bool:
        """True when this process leads now; it then goes on leading until it closes or the connection is lost."""
        async with self._one_asks:
            try:
                return await self._ask()
            except DRIVER_FAULTS:
                self._drop()
                return False
            except asyncio.CancelledError:  # the connection may be in the middle of an answer
                self._drop()
                raise

    async def _ask(self) -> bool:
        if self._connection is None or self._connection.is_closed():
            self._is_leader = False
            self._connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5)
        if self._is_leader:  # the lock is the session's: it is held as long as the session answers
            return bool(await self._connection.fetchval("select true"))
        self._is_leader = bool(await self._connection.fetchval("select pg_try_advisory_lock($1)", self._lock))
        return self._is_leader

    async def close(self) -> None:
        """Lead no more."""
        async with self._one_asks:
            await self._leave()

    async def _leave(self) -> None:
        connection, self._connection, self._is_leader = self._connection, None, False
        if connection is not None:
            with contextlib.suppress(*DRIVER_FAULTS):
                await connection.close(timeout=2)

    def _drop(self) -> None:
        connection, self._connection, self._is_leader = self._connection, None, False
        if connection is not None:
            connection.terminate()
