"""What the tests of the log share: writing entries, checking the whole log, a sealer that breaks off."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from dialer.app import Database
from dialer.config import Settings
from dialer.evidence_node import open_proofs
from dialer.last_signed import Intended, LastSigned
from dialer.verifier.leaf import leaf_data
from dialer.verifier.note import verify
from dialer.verifier.tree import leaf_hash, root_by_inclusion, root_of

AT = datetime(2026, 11, 24, 9, 30, 15, 250_000, tzinfo=UTC)
WRITE = "select evidence_write($1, 'test.entry'::text, null::bigint, null::bigint, $2::text)"
MANY = """select evidence_write($1, array_fill('test.entry'::text, array[$2::integer]), array[]::bigint[], '{}',
                                array_fill('{}'::text, array[$2::integer]))"""
LEAVES = """select e.id, e.at, e.kind, e.subject, e.commitment from leaves l join evidence e on e.id = l.entry
            order by l.index"""


async def write(connection: asyncpg.Connection | asyncpg.Pool, payload: str = "{}") -> int:
    """One entry; its id."""
    return int(await connection.fetchval(WRITE, AT, payload))


async def order(owner: asyncpg.Connection) -> list[int]:
    """Entries by the order of their leaves, of which no index is missing."""
    rows = await owner.fetch("select index, entry from leaves order by index")
    assert [row["index"] for row in rows] == list(range(len(rows)))
    return [row["entry"] for row in rows]


async def check_whole(database: Database, owner: asyncpg.Connection) -> int:
    """Everything committed is sealed once, and the newest checkpoint, signed by the log's key, is the root over it all,
    computed from the entries alone; the log's size."""
    assert sorted(await order(owner)) == [row["id"] for row in await owner.fetch("select id from evidence order by id")]
    assert await owner.fetchval("select count(*) from unsealed") == 0
    leaves = [leaf_hash(leaf_data(*row)) for row in await owner.fetch(LEAVES)]
    proofs = open_proofs(database)
    published = await proofs.latest()
    assert published is not None
    assert (published.checkpoint.size, published.checkpoint.root) == (len(leaves), root_of(leaves))
    verify(published.note, (await proofs.keys())[-1])
    size = len(leaves)
    for index, path in zip(some := [0, size // 2, size - 1], await proofs.inclusion(some, size), strict=True):
        assert root_by_inclusion(index, size, leaves[index], path) == published.checkpoint.root
    return size


def intention(settings: Settings) -> Intended | None:
    """What the file says is about to be."""
    signed = LastSigned(settings.keys_folder).read()
    return signed.intended if signed else None


class Crashing(LastSigned):
    """Breaks off at a point of the step: before the file is written, after it, or after the commit."""

    def __init__(self, folder: Path, point: str) -> None:
        super().__init__(folder)
        self.point = point

    def write(self, signed: Any) -> None:
        """The intention."""
        if self.point == "before":
            raise KeyError(self.point)
        super().write(signed)
        if self.point == "after":
            raise KeyError(self.point)

    def settle(self, note: Any) -> None:
        """After the commit."""
        if self.point != "commit":
            super().settle(note)
            return
        raise KeyError(self.point)


class Lending(asyncpg.Pool):  # type: ignore[misc] # asyncpg ships no types
    """A pool of one connection, which is not closed: what the store does is in that connection's transaction."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def acquire(self, *, timeout: float | None = None) -> asyncpg.Connection:  # noqa: ASYNC109 - as in the driver
        """The connection."""
        del timeout
        return self._connection

    async def release(self, connection: asyncpg.Connection, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Nothing."""
