"""Sealing on a real PostgreSQL: the order of commits, exactly once, one log, checkpoints that verify."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest

from db.log_store import PostgresLogStore
from dialer.app import Database
from dialer.config import Settings
from dialer.evidence_node import open_proofs, open_sealer, open_sealing, seal
from dialer.verifier.leaf import leaf_data
from dialer.verifier.note import verify
from dialer.verifier.tree import check_consistency, leaf_hash, root_by_inclusion, root_of

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


async def test_the_first_start_makes_a_log(settings: Settings, database: Database, owner: asyncpg.Connection) -> None:
    """Entries from before are sealed too; the key is a file for its owner alone, and announced by the log."""
    await write(database.pool)
    assert await seal(settings, database) == 2
    assert await check_whole(database, owner) == 2
    (key,) = await open_proofs(database).keys()
    (file,) = settings.keys_folder.glob("log-*.key")
    assert file.name == f"log-{key.hash.hex()}.key"
    assert file.stat().st_mode & 0o777 == 0o600
    row = await owner.fetchrow(
        "select kind, payload::jsonb ->> 'key' as key from evidence_entries order by id desc limit 1"
    )
    assert tuple(row) == ("log.key_added", str(key))
    assert await seal(settings, database) == 0


async def test_leaves_have_the_order_of_commits(
    settings: Settings, database: Database, owner: asyncpg.Connection, dsn: str
) -> None:
    """What is committed late comes after what was sealed, though its id is lower; what is rolled back leaves no gap; a
    transaction that stays open holds nothing up."""
    await seal(settings, database)
    late = await asyncpg.connect(dsn)
    try:
        transaction, undone = late.transaction(), owner.transaction()
        await transaction.start()
        first = await write(late)
        await undone.start()
        await write(owner)
        second = await write(database.pool)
        await undone.rollback()
        assert await seal(settings, database) == 1
        third = await write(database.pool)
        await transaction.commit()
        assert await seal(settings, database) == 2
    finally:
        await late.close()
    assert first < second < third
    assert (await order(owner))[1:] == [second, first, third]
    await check_whole(database, owner)


async def test_two_nodes_that_seal_at_once_seal_each_entry_once(
    settings: Settings, database: Database, owner: asyncpg.Connection, dsn: str
) -> None:
    """Two sealers with the same key race over a queue while it is filled, from the log's making on."""
    one, other = (open_sealer(settings, database.pool) for _ in range(2))
    for sealer in (one, other):
        sealer._batch = 50

    async def fill() -> None:
        for _ in range(8):
            await owner.execute(MANY, AT, 40)

    async def race() -> int:
        sealed = 0
        for sealer in (one, other):
            assert await sealer.ready()
        for _ in range(4):
            sealed += sum(await asyncio.gather(one.seal(), other.seal()))
        return sealed

    sealed, _ = await asyncio.gather(race(), fill())
    sealed += await one.seal()
    assert await check_whole(database, owner) == sealed == 321
    assert await owner.fetchval("select count(*) from log_keys") == 1


async def test_nodes_that_start_at_once_make_one_log(database: Database, settings: Settings, tmp_path: Path) -> None:
    """Of two homes one makes the log and its key; the other knows that it does not hold it, and seals nothing."""
    homes = [settings.model_copy(update={"home": tmp_path / name}) for name in ("a", "b")]
    sealers = [open_sealer(home, database.pool) for home in homes]
    ready = await asyncio.gather(*[sealer.ready() for sealer in sealers])
    assert sorted(ready) == [False, True]
    assert sorted(await asyncio.gather(*[seal(home, database) for home in homes])) == [0, 1]
    state = await PostgresLogStore(database.pool).state()
    assert state is not None
    assert state.size == 1


async def test_a_running_service_covers_an_entry_by_itself(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Proofs of consistency lead from each checkpoint to the next; what is written last is sealed when it stops."""
    async with open_sealing(settings, database) as sealing:
        proofs = open_proofs(database)
        covered = [await proofs.sealed(await write(database.pool)) for _ in range(3)]
        assert sealing.status()["leads"] is True
        last = await write(database.pool)
    assert sealing.status()["problem"] == ""
    for old, new in pairwise(covered):
        path = await proofs.consistency(old.checkpoint.size, new.checkpoint.size)
        check_consistency(old.checkpoint.size, new.checkpoint.size, old.checkpoint.root, new.checkpoint.root, path)
    assert await proofs.indexes([last])
    await check_whole(database, owner)


async def test_an_entry_that_nobody_seals_is_told_of(database: Database) -> None:
    """Waiting for a proof ends with the cure."""
    with pytest.raises(Exception, match="is `heedline serve` running"):
        await open_proofs(database).sealed(await write(database.pool), patience_s=0.01)
