"""The log of evidence on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.pool import lent
from db.sql import queries
from db.transaction import translated
from dialer.errors import HeedlineError, LogFault
from dialer.evidence.tiles import TileKey
from dialer.ports_log import CheckpointRecord, KeyRecord, LogState, LogTransaction, Queue, Waiting

_SQL = queries("log")
_SLICE, _SHORT = 500, 10_000


class PostgresLogStore:
    """Implements `dialer.ports_log.LogStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[LogTransaction]:
        """Commits on a clean exit, otherwise leaves nothing; each statement sees what was committed before it."""
        fault: HeedlineError | None = None
        with _told():
            async with lent(self._pool) as connection:
                transaction = connection.transaction(isolation="read_committed")
                await transaction.start()
                try:
                    yield _Transaction(connection)
                except HeedlineError as error:  # no fault of the connection, which would be dropped
                    await transaction.rollback()
                    fault = error
                else:
                    await transaction.commit()
        if fault is not None:
            raise fault

    async def state(self) -> LogState | None:
        """The log, None when there is none."""
        with _told():
            return _state(await self._pool.fetchrow(_SQL["state"]))

    async def keys(self) -> list[KeyRecord]:
        """All keys, oldest first."""
        with _told():
            return [KeyRecord(**row) for row in await self._pool.fetch(_SQL["keys"])]

    async def latest(self) -> CheckpointRecord | None:
        """The newest checkpoint."""
        with _told():
            return _checkpoint(await self._pool.fetchrow(_SQL["latest"]))

    async def at_least(self, size: int) -> CheckpointRecord | None:
        """The oldest checkpoint of at least this size."""
        with _told():
            return _checkpoint(await self._pool.fetchrow(_SQL["at_least"], size))

    async def indexes(self, entries: Sequence[int]) -> dict[int, int]:
        """Leaf indexes by entry."""
        with _told():
            return {row["entry"]: row["index"] for row in await self._pool.fetch(_SQL["indexes"], entries)}

    async def tiles(self, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
        """Those of the tiles that there are."""
        with _told():
            return await _tiles(self._pool, keys)

    async def queue(self) -> Queue:
        """What waits for its leaf."""
        with _told():
            return Queue(**await self._pool.fetchrow(_SQL["queue"]))


class _Transaction:
    """Implements `dialer.ports_log.LogTransaction`; errors are translated where it was opened."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def make_alone(self) -> None:
        await self._connection.execute(_SQL["make_alone"])

    async def state(self) -> LogState | None:
        return _state(await self._connection.fetchrow(_SQL["lock_state"]))

    async def keys(self) -> list[KeyRecord]:
        return [KeyRecord(**row) for row in await self._connection.fetch(_SQL["keys"])]

    async def announced(self) -> frozenset[int]:
        return frozenset(row["id"] for row in await self._connection.fetch(_SQL["announced"]))

    async def last_checkpoint(self) -> CheckpointRecord | None:
        row = await self._connection.fetchrow(_SQL["last_checkpoint"])
        return CheckpointRecord(**row) if row else None

    async def leaves(self) -> int:
        return int(await self._connection.fetchval(_SQL["leaves"]))

    async def tiles(self, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
        return await _tiles(self._connection, keys)

    async def take(self, most: int, *, present: bool = False) -> Sequence[Waiting]:
        if most > _SHORT:
            await self._connection.execute(_SQL["room"])
        return await _waiting(await self._connection.fetch(_SQL["take_present" if present else "take"], most))

    async def take_these(self, entries: Sequence[int]) -> Sequence[Waiting]:
        return await _waiting(await self._connection.fetch(_SQL["take_these"], entries))

    async def append(self, first: int, entries: Sequence[int]) -> None:
        await self._connection.execute(_SQL["append"], first, entries)

    async def put_tiles(self, tiles: Mapping[TileKey, bytes]) -> None:
        keys = list(tiles)
        columns = [level for level, _ in keys], [index for _, index in keys], list(tiles.values())
        await self._connection.execute(_SQL["put_tiles"], *columns)

    async def publish(self, checkpoint: CheckpointRecord) -> None:
        c = checkpoint
        await self._connection.execute(_SQL["publish"], c.size, c.root, c.at, c.key, c.note)

    async def witness(self, at: datetime, kind: str, payload: str) -> int:
        return int(await self._connection.fetchval(_SQL["witness"], at, kind, payload))

    async def make(self, name: str, key: int) -> None:
        await self._connection.execute(_SQL["make"], name, key)

    async def add_key(self, name: str, public: bytes, at: datetime, by: str, entry: int | None) -> int:
        return int(await self._connection.fetchval(_SQL["add_key"], name, public, at, by, entry))

    async def use_key(self, name: str, key: int) -> None:
        await self._connection.execute(_SQL["use_key"], name, key)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """The driver's errors in the product's words; a leaf or a checkpoint that is there already is the log's fault."""
    with translated():
        try:
            yield
        except asyncpg.UniqueViolationError as error:
            raise LogFault(
                f"the log holds already what was to be added: {error.detail or error}", "run `heedline evidence fsck`"
            ) from error


async def _tiles(connection: asyncpg.Pool | asyncpg.Connection, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
    levels, indexes = [level for level, _ in keys], [index for _, index in keys]
    rows = await connection.fetch(_SQL["tiles"], levels, indexes)
    return {(row["level"], row["index"]): row["hashes"] for row in rows}


def _state(row: Any) -> LogState | None:
    return LogState(**row) if row else None


def _checkpoint(row: Any) -> CheckpointRecord | None:
    if row is None:
        return None
    fields = dict(row)
    return CheckpointRecord(cosignatures=tuple(fields.pop("cosignatures")), **fields)


async def _waiting(rows: Sequence[Any]) -> list[Waiting]:
    """The event loop, which is the gate's too, is held for a fraction of a millisecond at a time."""
    waiting: list[Waiting] = []
    for first in range(0, len(rows), _SLICE):
        waiting += [Waiting(*row) for row in rows[first : first + _SLICE]]
        await asyncio.sleep(0)
    return waiting
