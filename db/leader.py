"""Leadership among nodes: who holds one advisory lock on the database. It ends with the connection that holds it."""

from __future__ import annotations

import contextlib

import asyncpg

_LEADER_LOCK = 5_284_167_703


class PostgresLeader:
    """Implements `dialer.jobs.Leader` on a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None

    async def leads(self) -> bool:
        """True when this process leads now; it then goes on leading until it closes or the connection is lost."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=5)
            elif await self._connection.fetchval(
                "select true from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
            ):
                return True
            return bool(await self._connection.fetchval("select pg_try_advisory_lock($1)", _LEADER_LOCK))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.close()
            return False

    async def close(self) -> None:
        """Lead no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=2)
