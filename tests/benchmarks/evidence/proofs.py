"""What a proof from a long log costs. The log is made by the tree's own arithmetic over hashes of leaves that stand for
nothing, and copied into the tables that proofs read: leaves and tiles.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from db.log_store import PostgresLogStore
from db.pool import open_pool
from dialer.evidence.tiles import Growth, TileKey, edge
from dialer.proofs import Proofs
from dialer.verifier.tree import check_consistency, root_by_inclusion
from tests.benchmarks.evidence.stage import load, share

# Entries of rolled-back transactions leave gaps in the ids, so an entry's id is no leaf's index.
_FIRST_ENTRY = 1_000
_CHUNK = 250_000


def leaf(index: int) -> bytes:
    """A hash that stands for a leaf's."""
    return hashlib.sha256(index.to_bytes(8, "big")).digest()


async def prepare(dsn: str, size: int) -> bytes:
    """Copy a log of so many leaves into the database; its root."""
    tiles: dict[TileKey, bytes] = {}
    root = b""
    for first in range(0, size, _CHUNK):
        growth = Growth(first, {key: tiles[key] for key in edge(first)})
        growth.extend(map(leaf, range(first, min(first + _CHUNK, size))))
        root = growth.finish()
        tiles |= growth.changed
    connection = await asyncpg.connect(dsn)
    leaves: Iterator[tuple[int, int]] = ((index, _FIRST_ENTRY + index) for index in range(size))
    await connection.copy_records_to_table("leaves", records=leaves, timeout=3600)
    rows = [(level, index, hashes) for (level, index), hashes in sorted(tiles.items())]
    await connection.copy_records_to_table("tiles", records=rows, timeout=3600)
    for statement in ("vacuum analyze leaves", "vacuum analyze tiles", "checkpoint"):
        await connection.execute(statement, timeout=3600)
    await connection.close()
    return root


def forget(data: Path) -> None:
    """Put out of the kernel's memory what it keeps of a database's files; its server must not be running."""
    for file in data.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


async def ask(dsn: str, size: int, root: bytes, count: int, how: str) -> None:
    """Random proofs, each checked: from an entry's id to its path; and that an old log is a beginning of this one."""
    chance = random.Random()  # noqa: S311 # a load, not a secret
    pool = await open_pool(dsn, max_size=2)
    proofs = Proofs(PostgresLogStore(pool))
    await pool.fetchval("select 1")

    async def included() -> float:
        entry = _FIRST_ENTRY + chance.randrange(size)
        begun = time.perf_counter()
        index = (await proofs.indexes([entry]))[entry]
        (path,) = await proofs.inclusion([index], size)
        spent = time.perf_counter() - begun
        if root_by_inclusion(index, size, leaf(index), path) != root:
            raise SystemExit(f"the proof of leaf {index} does not lead to the root")
        return spent

    async def consistent() -> float:
        old = chance.randrange(1, size)
        begun = time.perf_counter()
        path = await proofs.consistency(old, size)
        spent = time.perf_counter() - begun
        (to_last,) = await proofs.inclusion([old - 1], old)
        check_consistency(old, size, root_by_inclusion(old - 1, old, leaf(old - 1), to_last), root, path)
        return spent

    for what, prove in (("inclusion", included), ("consistency", consistent)):
        spent = [1000 * await prove() for _ in range(count)]
        cells = " | ".join(f"{each:.2f}" for each in (spent[0], *(share(spent[1:], of) for of in (0.5, 0.99, 1.0))))
        print(f"| {what}, {how} | {count} | {cells} | {load()} |", flush=True)
    await pool.close()
