"""Bulk imports on PostgreSQL: rows stream by COPY into a temporary table, then go in by one statement.

The whole import is one transaction, so that nothing of it is in force before all of it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import translated
from dialer.ports_registers import BulkCounts, BulkWriter, Digest

_BULK, _CONSENTS, _REFUSALS, _REGISTERS = (queries(topic) for topic in ("bulk", "consents", "refusals", "registers"))
# The pool's own limit is meant for statements that people wait for.
_LONG_S = 24 * 3600.0


class PostgresBulkStore:
    """Implements `dialer.ports_registers.BulkStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def consents(self, by: str, at: datetime) -> contextlib.AbstractAsyncContextManager[BulkWriter]:
        """Consents, recorded by `by`, with their evidence of the instant `at`."""
        return self._open(
            lambda connection: _Writer(
                connection,
                "consents",
                _CONSENTS["bulk_table"],
                _CONSENTS["bulk_put"],
                (by, at),
                before_commit=_CONSENTS["bulk_lock"],
            )
        )

    def refusals(self, at: datetime) -> contextlib.AbstractAsyncContextManager[BulkWriter]:
        """Refusals; in force for every decision that ends after `commit` has returned."""
        return self._open(
            lambda connection: _Writer(
                connection,
                "refusals",
                _REFUSALS["bulk_table"],
                _REFUSALS["bulk_put"],
                (at,),
                before_commit=_REFUSALS["bulk_lock"],
            )
        )

    def sellers(self) -> contextlib.AbstractAsyncContextManager[BulkWriter]:
        """Sellers."""
        return self._open(
            lambda connection: _Writer(connection, "sellers", _BULK["sellers_table"], _BULK["sellers_put"])
        )

    def numbers(self, at: datetime) -> contextlib.AbstractAsyncContextManager[BulkWriter]:
        """Numbers that may be presented, with their evidence of the instant `at`."""
        return self._open(
            lambda connection: _Writer(connection, "numbers", _BULK["numbers_table"], _BULK["numbers_put"], (at,))
        )

    def listed(
        self, list_id: int, as_of: datetime, digest: Digest
    ) -> contextlib.AbstractAsyncContextManager[BulkWriter]:
        """A suppression list's numbers, in place of those before."""
        return self._open(lambda connection: _ListWriter(connection, list_id, as_of, digest))

    @contextlib.asynccontextmanager
    async def _open(self, make: Callable[[asyncpg.Connection], _Writer]) -> AsyncIterator[BulkWriter]:
        with translated():
            async with self._pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                writer = make(connection)
                try:
                    await connection.execute(_BULK["patience"])
                    await connection.execute(writer.table)
                    yield writer
                    if writer.done:
                        await transaction.commit()
                    else:
                        await transaction.rollback()
                except BaseException:
                    connection.terminate()  # the server rolls back, however much it was given
                    raise


class _Writer:
    """Implements `dialer.ports_registers.BulkWriter`."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        kind: str,
        table: str,
        put: str,
        arguments: tuple[Any, ...] = (),
        before_commit: str | None = None,
    ) -> None:
        self.table, self.done = table, False
        self.subject: int | None = None
        # One name a kind: the driver remembers the columns of a table by its name.
        self._incoming = f"incoming_{kind}"
        self._connection, self._put, self._arguments = connection, put, arguments
        self._before_commit = before_commit

    async def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """COPY the rows."""
        with translated():
            await self._connection.copy_records_to_table(self._incoming, records=rows, timeout=_LONG_S)

    async def put(self) -> BulkCounts:
        """From the temporary table into the register."""
        with translated():
            row = await self._connection.fetchrow(self._put, *self._arguments, timeout=_LONG_S)
        return BulkCounts(row["rows"], row["added"])

    async def commit(self, at: datetime, kind: str, payload: str) -> None:
        """Evidence, then whatever must be held at the commit."""
        with translated():
            await self._connection.execute(_REGISTERS["witness"], at, kind, self.subject, None, payload)
            if self._before_commit is not None:
                await self._connection.fetchrow(self._before_commit, timeout=_LONG_S)
        self.done = True


class _ListWriter(_Writer):
    def __init__(self, connection: asyncpg.Connection, list_id: int, as_of: datetime, digest: Digest) -> None:
        super().__init__(connection, "listed", _BULK["listed_table"], _BULK["listed_put"])
        self._list_id, self._as_of, self._digest = list_id, as_of, digest

    async def put(self) -> BulkCounts:
        """The import's row comes last: it bumps the configuration, whose row every other change must wait for."""
        with translated():
            self.subject = await self._connection.fetchval(_BULK["listed_id"])
        self._arguments = (self.subject,)
        counts = await super().put()
        with translated():
            await self._connection.execute(
                _BULK["listed_import"], self.subject, self._list_id, self._as_of, counts.added, self._digest.digest()
            )
        return counts
