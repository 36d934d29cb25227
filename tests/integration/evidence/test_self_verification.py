"""The log checks itself once a day in a process of its own; what came of it is an entry, and faults raise an alarm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from db.attempt_store import PostgresAttemptStore
from db.verification_store import PostgresVerificationStore
from dialer.app import Database
from dialer.config import Settings
from dialer.evidence_node import seal
from dialer.fsck_node import check_log, last_verification, open_self_verification
from dialer.self_verification import EVERY, SelfVerification
from tests.gate_world import SetClock


def verifying(database: Database, clock: SetClock, check: Callable[[], Awaitable[Any]]) -> SelfVerification:
    """What checks by `check`."""
    pool = database.pool
    return SelfVerification(PostgresVerificationStore(pool), PostgresAttemptStore(pool), clock, check, "test")


async def test_the_job_checks_the_log_and_says_so(
    settings: Settings, database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job of a node checks its log in another process, writes what it found, and then is not due."""
    monkeypatch.setattr("os.setpriority", lambda *_: None)  # the test does not wait for a machine that is idle
    await seal(settings, database)
    job = open_self_verification(settings, database, "service")
    assert await last_verification(database) is None
    await job.run()
    found = await last_verification(database)
    assert found is not None
    assert (found.size, found.faults) == (1, 0)
    await job.run()
    assert await owner.fetchval("select count(*) from evidence where kind = 'log.verified'") == 1
    await seal(settings, database)
    assert (await check_log(settings, database)).clean


async def test_faults_raise_the_alarm_and_a_day_is_waited(database: Database, owner: asyncpg.Connection) -> None:
    """Faults are counted in the entry and raise `alarm.log_faulty`; within a day it is not checked again, after one it
    is, and so it is when the clock was set back."""
    clock, document = SetClock(), {"size": 7, "counts": {"leaf_missing": 2, "order": 1}, "seconds": 1.6}
    asked: list[int] = []

    async def check() -> dict[str, Any]:
        asked.append(1)
        return document

    verification = verifying(database, clock, check)
    found = await verification.run_if_due()
    assert found is not None
    assert (found.size, found.faults, found.seconds) == (7, 3, 2)
    detail = await owner.fetchval("select detail from alarms where kind = 'log_faulty'")
    assert detail.startswith("the log is not as it was sealed, 3 faults: leaf_missing 2, order 1;")
    clock.now += EVERY - timedelta(seconds=1)
    assert await verification.run_if_due() is None
    document["counts"] = {}
    clock.now += timedelta(seconds=1)
    assert await verification.run_if_due() is not None
    assert await owner.fetchval("select count(*) from alarms") == 1
    clock.now -= EVERY
    assert await verification.run_if_due() is not None
    assert len(asked) == 3
