"""The log's check, opened on a database; and the job by which the log checks itself.

A part of the wiring, like `dialer.app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from db.attempt_store import PostgresAttemptStore
from db.fsck_store import open_snapshot
from db.verification_store import PostgresVerificationStore
from dialer.app import Database, clock
from dialer.config import Settings
from dialer.errors import FileError, HeedlineError, RegisterError
from dialer.fsck.files import FileCheck
from dialer.fsck.run import Checked, Kept, check
from dialer.jobs import Job
from dialer.self_verification import SelfVerification, Verification
from dialer.verifier.note import read_key
from dialer.verifier.words import Words


async def check_log(
    settings: Settings,
    database: Database,
    *,
    start: int = 0,
    kept: Sequence[Kept] = (),
    processes: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, size: None,
) -> Checked:
    """Derive the log again from the leaf `start` on; hold it against what this node kept, and `kept` besides. With
    `start` 0 the files of this node are read too. `processes` None: one a core.

    Raises `StoreUnavailable`, and `RegisterError` for a start that the log does not have.
    """
    many = min(os.cpu_count() or 1, 4) if processes is None else processes
    witnesses = [read_key(witness.key) for witness in settings.evidence.witnesses]
    files = FileCheck(settings.clips_folder, settings.artefacts_folder)
    here, unread = _kept_here(settings)  # before the snapshot, which must not be the older of both
    async with open_snapshot(database.dsn, many) as snapshot:
        checked = await check(snapshot, start, [*here, *kept], witnesses, on_progress)
        if start and start >= checked.size:
            raise RegisterError(f"the log has no leaf {start}: it has {checked.size}", "begin at one that it has")
        if not start:
            async for name, clip in snapshot.files():
                files.named(name, clip=clip)
            await asyncio.to_thread(files.read_all, checked.findings)
    checked.files = files.checked
    checked.notes += [*unread, *files.notes()]
    return checked


def _kept_here(settings: Settings) -> tuple[list[Kept], list[Words]]:
    """The last checkpoints that are known here to be published, and what is to be said of them."""
    kept = [_kept(file) for file in sorted(settings.keys_folder.glob("log*.checkpoint"))]
    if kept:
        return [each for each in kept if each is not None], []
    where = settings.keys_folder
    english = f"no checkpoint is kept in `{where}`, so that a log that was cut off would not be seen"
    return [], [Words(english, f"`{where}` 中没有保存检查点，因此无法发现日志被截断")]


def _kept(file: Path) -> Kept | None:
    """The checkpoint in a file that a sealing node writes; None before the first."""
    try:
        committed = json.loads(file.read_text("utf-8"))["committed"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FileError(f"`{file}`, which says what was signed last, cannot be read: {error}", "restore it") from error
    return Kept(str(file), str(committed)) if committed else None


def open_self_verification(settings: Settings, database: Database, by: str) -> Job:
    """The job that checks the log once a day, in a process of its own that leaves others first."""
    verification = SelfVerification(
        PostgresVerificationStore(database.pool),
        PostgresAttemptStore(database.pool),
        clock,
        lambda: _fsck(settings),
        by,
    )

    async def run() -> None:
        await verification.run_if_due()

    # Not while the node starts: a restart is when others need the machine.
    return Job("self-verification", run, timedelta(hours=1), after=timedelta(minutes=10))


async def last_verification(database: Database) -> Verification | None:
    """When the log was last checked as a whole, and what was found."""
    return await PostgresVerificationStore(database.pool).last_verification()


async def _fsck(settings: Settings) -> dict[str, Any]:
    """What `heedline evidence fsck --json` prints. Raises `HeedlineError` when it could not tell."""
    environment = {**os.environ, "HEEDLINE_HOME": str(settings.home)}
    if settings.file.exists():
        environment["HEEDLINE_CONFIG"] = str(settings.file)
    if settings.database.url and settings.database.password_file is None:
        environment["HEEDLINE_DATABASE_URL"] = settings.database.url
    command = (sys.executable, "-m", "dialer.cli", "evidence", "fsck", "--json", "--processes", "0")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, 19)
        said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in (0, 1):
        words = complaint.decode("utf-8", "replace").strip()[-500:]
        raise HeedlineError(f"the log could not be checked: {words}", "run `heedline evidence fsck`")
    try:
        document: dict[str, Any] = json.loads(said)
    except ValueError as error:
        raise HeedlineError("the log could not be checked", "run `heedline evidence fsck`") from error
    return document
