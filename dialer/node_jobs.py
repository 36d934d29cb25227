"""What a node does by the clock, and not for a call: on the node that leads, or on each for itself.

Part of the wiring, like `dialer.app`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

from db.attempt_store import PostgresAttemptStore
from db.gate_store import current_configuration
from db.leader import PostgresLeader
from dialer.app import Database, clock
from dialer.complaint_node import overdue_job
from dialer.config import Settings
from dialer.evidence_node import open_retention
from dialer.freshness import stale_lists
from dialer.fsck_node import open_self_verification
from dialer.jobs import Everyone, Job, run_jobs
from dialer.policy.pack import PackSet
from dialer.ports_attempts import Alarm
from dialer.retention import Retention
from dialer.webhook_node import prune_deliveries

log = logging.getLogger(__name__)

_DAY = timedelta(hours=24)


@contextlib.asynccontextmanager
async def open_jobs(settings: Settings, packs: PackSet, database: Database, by: str) -> AsyncIterator[None]:
    """Run them until the context ends. Raises `ConfigError` when data would be kept for less than a pack asks."""
    retention = open_retention(settings, database, by, packs)
    await retention.check()
    async with (
        run_jobs(PostgresLeader(database.dsn), _of_the_leader(settings, packs, database, retention, by)),
        run_jobs(Everyone(), [_erased_files(retention)]),
    ):
        yield


def _of_the_leader(settings: Settings, packs: PackSet, database: Database, retention: Retention, by: str) -> list[Job]:
    alarms = PostgresAttemptStore(database.pool)

    async def freshness() -> None:
        lists = (await current_configuration(database.pool)).all_lists
        for stale in stale_lists(packs.packs, lists, clock()):
            log.warning("%s", stale.text)
            await alarms.raise_alarm(Alarm(clock(), "list_stale", stale.list, stale.text))

    async def prune() -> None:
        await prune_deliveries(database)

    async def retain() -> None:
        await retention.run()

    return [
        Job("list freshness", freshness, timedelta(hours=12)),
        Job("old deliveries", prune, _DAY),
        Job("retention", retain, _DAY, after=timedelta(minutes=5)),
        overdue_job(database),
        open_self_verification(settings, database, by),
    ]


def _erased_files(retention: Retention) -> Job:
    """Each node has folders of its own."""

    async def remove() -> None:
        await retention.remove_files()

    return Job("erased files", remove, timedelta(hours=1))
