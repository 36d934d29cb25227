"""The first start on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from dialer.app import Database
from dialer.config import Settings
from dialer.evidence_node import open_proofs, open_sealer, seal
from tests.log_world import check_whole, write


async def test_nodes_that_start_at_once_make_one_log(
    settings: Settings, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Of two homes one makes the log and its key, a file for its owner alone that the log announces; the other knows
    that it does not hold it, and seals nothing. Entries from before are sealed too."""
    await write(database.pool)
    homes = [settings.model_copy(update={"home": tmp_path / name}) for name in ("a", "b")]
    ready = await asyncio.gather(*[open_sealer(home, database.pool).ready() for home in homes])
    assert sorted(ready) == [False, True]
    assert [await seal(home, database) for home in homes] == [2 * is_here for is_here in ready]
    assert await check_whole(database, owner) == 2
    (key,) = await open_proofs(database).keys()
    ((file,),) = [files for home in homes if (files := list(home.keys_folder.glob("log-*.key")))]
    assert file.name == f"log-{key.hash.hex()}.key"
    assert file.stat().st_mode & 0o777 == 0o600
    said = "select kind, payload::jsonb ->> 'key' from evidence_entries order by id desc limit 1"
    assert tuple(await owner.fetchrow(said)) == ("log.key_added", str(key))
