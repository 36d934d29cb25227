"""Scheduled jobs, by APScheduler; of several nodes the leader alone runs them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from dialer.errors import HeedlineError

log = logging.getLogger(__name__)

# A job that comes often and fails each time says the same thing so often, in seconds.
_AGAIN_S = 60.0


class Leader(Protocol):
    """Who leads among the nodes."""

    async def leads(self) -> bool:
        """True when this process leads now. Several jobs may ask at once."""

    async def close(self) -> None:
        """Lead no more."""


class Everyone:
    """For jobs that each node does for itself: every one leads."""

    async def leads(self) -> bool:
        """Always."""
        return True

    async def close(self) -> None:
        """There is nothing to give up."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job: run `after` the start and then every so often. What it raises is logged, and it comes again at its
    time."""

    name: str
    run: Callable[[], Awaitable[None]]
    every: timedelta
    after: timedelta = timedelta(0)


@contextlib.asynccontextmanager
async def run_jobs(leader: Leader, jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Run the jobs until the end of the context. One that is still at work when its time comes is left at it."""
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it speaks of each run, and of each that was left out
    scheduler = AsyncIOScheduler(timezone=UTC)
    for job in jobs:
        scheduler.add_job(
            _Guard(leader, job).run,
            "interval",
            seconds=job.every.total_seconds(),
            next_run_time=datetime.now(UTC) + job.after,
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


class _Guard:
    """Runs one job where this node leads. A failure is logged when it is new, and once a minute while it lasts."""

    def __init__(self, leader: Leader, job: Job) -> None:
        self._leader, self._job = leader, job
        self._said, self._said_at = "", 0.0

    async def run(self) -> None:
        try:
            if await self._leader.leads():
                await self._job.run()
        except asyncio.CancelledError:  # the end of the scheduler, which would speak of it as of a failure
            return
        except HeedlineError as error:
            if self._is_new(str(error)):
                log.error("job `%s` failed: %s", self._job.name, error)
        except Exception as error:
            if self._is_new(repr(error)):
                log.exception("job `%s` failed", self._job.name)
        else:
            if self._said:
                log.warning("job `%s` works again", self._job.name)
            self._said = ""

    def _is_new(self, failure: str) -> bool:
        if failure == self._said and monotonic() - self._said_at < _AGAIN_S:
            return False
        self._said, self._said_at = failure, monotonic()
        return True
