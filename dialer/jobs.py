"""Scheduled jobs, by APScheduler; of several nodes the leader alone runs them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from dialer.errors import HeedlineError

log = logging.getLogger(__name__)


class Leader(Protocol):
    """Who leads among the nodes."""

    async def leads(self) -> bool:
        """True when this process leads now."""

    async def close(self) -> None:
        """Lead no more."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job: run at the start and then every so many hours."""

    name: str
    run: Callable[[], Awaitable[None]]
    hours: float


@contextlib.asynccontextmanager
async def run_jobs(leader: Leader, jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Run the jobs until the end of the context. A job that fails is logged and comes again at its time."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    for job in jobs:
        scheduler.add_job(
            _guarded,
            "interval",
            args=(leader, job),
            hours=job.hours,
            next_run_time=datetime.now(UTC),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        await leader.close()


async def _guarded(leader: Leader, job: Job) -> None:
    if not await leader.leads():
        return
    try:
        await job.run()
    except HeedlineError as error:
        log.error("job `%s` failed: %s", job.name, error)
    except Exception:
        log.exception("job `%s` failed", job.name)
