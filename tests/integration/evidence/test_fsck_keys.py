"""The check of a log whose key was replaced, and of one that went on after a loss."""

from __future__ import annotations

import asyncpg

from dialer.app import Database
from dialer.config import Settings
from dialer.evidence_node import open_log_keys, open_sealer, seal
from dialer.fsck.run import Checked, Kept
from dialer.fsck_node import check_log
from dialer.last_signed import LastSigned
from dialer.log_restore import accept_restore
from tests.log_world import write


def told(checked: Checked) -> list[str]:
    """Its faults in words."""
    return [fault.text() for fault in checked.findings.faults]


async def test_a_log_with_several_keys_is_clean(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """After a rotation and after a loss of the key all checkpoints are those of the log's keys in their time; one from
    before the loss is told of, and is no fault."""

    async def nobody() -> bool:
        return False

    await write(owner)
    await seal(settings, database)
    keys = open_log_keys(settings, database, "test")
    await keys.rotate()
    await write(owner)
    await seal(settings, database)
    assert told(await check_log(settings, database)) == []
    before = await owner.fetchval("select note from checkpoints order by size desc limit 1")
    for file in settings.keys_folder.glob("log-*.key"):
        file.unlink()
    await accept_restore(
        "the key is gone", keys, LastSigned(settings.keys_folder), open_sealer(settings, database.pool), nobody
    )
    unsealed = await check_log(settings, database)
    assert (told(unsealed), unsealed.waiting) == ([], 1)
    await seal(settings, database)
    await write(owner)
    await seal(settings, database)
    checked = await check_log(settings, database, kept=[Kept("a bundle", before)])
    assert told(checked) == []
    assert len(checked.keys) == 3
    assert any("a name that the log gave up after a loss" in note.english for note in checked.notes)
    await owner.execute("set session_replication_role = replica")
    await owner.execute("update checkpoints set key = (select max(id) from log_keys)")
    assert {fault.kind.value for fault in (await check_log(settings, database)).findings.faults} >= {"checkpoint_row"}
