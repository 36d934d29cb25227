"""Sealing on a real PostgreSQL: the order of commits, exactly once, checkpoints that verify, keys that change, crashes.

The tests share one log, and each leaves it whole.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from db.embedded import EmbeddedServer
from dialer.app import Database, clock
from dialer.config import Settings, load
from dialer.errors import HeedlineError, LogFault
from dialer.evidence_node import is_sealed_elsewhere, open_log_keys, open_proofs, open_sealer, open_sealing, seal
from dialer.last_signed import LastSigned
from dialer.log_keys import rotation_text
from dialer.verifier.note import Note, NoteFault, read_key, verify
from dialer.verifier.tree import check_consistency
from tests.integration.conftest import fresh_database
from tests.log_world import AT, MANY, Crashing, Lending, check_whole, intention, order, write


@pytest.fixture(scope="module")
def dsn(server: EmbeddedServer) -> Iterator[str]:
    """One database for all tests here."""
    with fresh_database(server) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, dsn: str) -> Settings:
    """One home."""
    home = tmp_path_factory.mktemp("home")
    return load({"HEEDLINE_HOME": str(home), "HEEDLINE_DATABASE_URL": dsn})


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
    assert (await order(owner))[-3:] == [second, first, third]
    await check_whole(database, owner)


async def test_two_nodes_that_seal_at_once_seal_each_entry_once(
    settings: Settings, database: Database, owner: asyncpg.Connection, dsn: str
) -> None:
    """Two sealers with the same key race over a queue while it is filled."""
    await seal(settings, database)
    before = len(await order(owner))
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
    assert await check_whole(database, owner) - before == sealed == 320


async def test_a_running_service_covers_an_entry_by_itself(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Proofs of consistency lead from each checkpoint to the next; what is written last is sealed when it stops."""
    quick = settings.model_copy(update={"evidence": settings.evidence.model_copy(update={"seal_ms": 50})})
    async with open_sealing(quick, database) as sealing:
        proofs = open_proofs(database)
        covered = [await proofs.sealed(await write(database.pool)) for _ in range(3)]
        assert sealing.status()["leads"] is True
        assert await is_sealed_elsewhere(database)
        last = await write(database.pool)
    assert sealing.status()["problem"] == ""
    assert not await is_sealed_elsewhere(database)
    for old, new in pairwise(covered):
        path = await proofs.consistency(old.checkpoint.size, new.checkpoint.size)
        check_consistency(old.checkpoint.size, new.checkpoint.size, old.checkpoint.root, new.checkpoint.root, path)
    assert await proofs.indexes([last])
    await check_whole(database, owner)


async def test_an_entry_that_nobody_seals_is_told_of(database: Database) -> None:
    """Waiting for a proof ends with the cure."""
    with pytest.raises(HeedlineError, match="is `heedline serve` running"):
        await open_proofs(database).sealed(await write(database.pool), patience_s=0.01)


async def test_a_node_that_would_seal_in_another_s_place_looks_on(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """It remembers how far the log went, and refuses to follow one that was set back since; when entries wait for long
    and the other does not seal, it says so. A node without the key says that the key is not here."""
    await seal(settings, database)
    await write(database.pool)
    home = settings.model_copy(update={"home": tmp_path})
    without = open_sealer(home, database.pool)
    assert not await without.attend()
    shutil.copytree(settings.keys_folder, home.keys_folder, ignore=shutil.ignore_patterns("*checkpoint*"))
    sealer = open_sealer(home, database.pool)
    assert await sealer.attend()
    await sealer.follow()
    remembered, latest = LastSigned(home.keys_folder).read(), await open_proofs(database).latest()
    assert remembered is not None
    assert latest is not None
    assert remembered.checkpoint == latest.checkpoint
    later = clock() + timedelta(seconds=40)
    for node, problem in ((sealer, "another node that holds the key does not seal"), (without, "is not here")):
        node._clock, node._examined = lambda: later, float("-inf")
        with pytest.raises(LogFault, match=problem):
            await (node.follow() if node is sealer else node._complain())
    further = replace(latest.checkpoint, size=latest.checkpoint.size + 1)
    LastSigned(home.keys_folder).write(replace(remembered, committed=Note(further.text(), latest.note.signatures)))
    sealer._examined = float("-inf")
    with pytest.raises(LogFault, match="was an old backup restored"):
        await sealer.follow()
    await seal(settings, database)


async def test_a_rotated_key_is_linked_by_both(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """A sealer that runs goes on with the new key; both sign the checkpoint that first covers the rotation, and from
    then on the new one alone. The entry's signatures verify."""
    sealer = open_sealer(settings, database.pool)
    assert await sealer.ready()
    await sealer.seal()
    old, new = await open_log_keys(settings, database, "test").rotate()
    assert await sealer.seal() == 1
    proofs = open_proofs(database)
    first = await proofs.latest()
    await write(database.pool)
    await sealer.seal()
    second = await proofs.latest()
    assert first is not None
    assert second is not None
    verify(first.note, old)
    verify(first.note, new)
    verify(second.note, new)
    with pytest.raises(NoteFault):
        verify(second.note, old)
    assert (await proofs.keys())[-2:] == [old, new]
    told = json.loads(await owner.fetchval("select payload from evidence_entries where kind = 'log.key_rotated'"))
    assert (told["old"], told["new"]) == (str(old), str(new))
    check_signature(told["by_old"], read_key(told["old"]).public, rotation_text(old, new))
    check_signature(told["by_new"], read_key(told["new"]).public, rotation_text(old, new))


def check_signature(signature: str, public: bytes, text: bytes) -> None:
    """Raises when it is wrong."""
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature), text)


async def test_a_crash_between_two_steps_neither_blocks_nor_makes_a_second_tree(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Wherever it breaks off, the next step makes exactly the tree that was to be signed, although more waits by then
    (with a lower id); then the rest."""
    await seal(settings, database)
    for point in ("before", "after", "commit"):
        sealer = open_sealer(settings, database.pool)
        last = Crashing(settings.keys_folder, point)
        sealer._last = last
        async with owner.transaction():
            await write(owner)
            await write(database.pool)
            with pytest.raises(KeyError):
                await sealer.seal()
        intended = intention(settings)
        assert (intended is None) == (point == "before")
        assert await seal(settings, database) == {"before": 2, "after": 2, "commit": 1}[point]
        if intended is not None:
            published = await open_proofs(database).at_least(intended.checkpoint.size)
            assert published is not None
            assert published.checkpoint == intended.checkpoint
        await check_whole(database, owner)
    assert intention(settings) is None


CHANGES = {
    "update tiles set hashes = sha256('x') || substr(hashes, 33) where level = 0": "the tiles lead to another root",
    "delete from tiles": "the log's tiles are not whole",
    "update log_state set size = 3": "the log says that it has 3 leaves, has {}",
    "update checkpoints set root = sha256('x')": "its text says another thing than its row",
    "update checkpoints set note = regexp_replace(note, '[0-9]+', '1')": "of {}, is wrong",
    "delete from leaves": "the log says that it has {0} leaves, has 0, and its last checkpoint is of {0}",
}


async def test_a_log_that_was_changed_is_not_signed(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Each kind of change to what the next tree grows from is found before anything is signed."""
    await seal(settings, database)
    size = len(await order(owner))
    await write(database.pool)
    for table in ("leaves", "checkpoints"):
        await owner.execute(f"alter table {table} disable trigger append_only")
    for change, problem in CHANGES.items():
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute(change)
        with pytest.raises(LogFault, match=problem.format(size)):
            await open_sealer(settings, Lending(owner)).step()
        await transaction.rollback()
    for table in ("leaves", "checkpoints"):
        await owner.execute(f"alter table {table} enable trigger append_only")
    assert await seal(settings, database) == 1
