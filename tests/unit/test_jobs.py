"""Jobs: where this node leads, again and again, and failures that are told once."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from dialer.errors import StoreUnavailable
from dialer.jobs import Job, run_jobs

OFTEN = timedelta(milliseconds=1)


class Leader:
    """Leads from when it is told to."""

    def __init__(self, leads: bool = True) -> None:
        self.asked, self.is_leader, self.closed = asyncio.Event(), leads, False

    async def leads(self) -> bool:
        """As it was told."""
        self.asked.set()
        return self.is_leader

    async def close(self) -> None:
        """No more."""
        self.closed = True


class Work:
    """A job's work; `does[n]` is what the run of that number ends with, the last for all later ones."""

    def __init__(self, *does: Exception | None) -> None:
        self.runs, self._does = 0, does
        self._ran = asyncio.Condition()

    async def __call__(self) -> None:
        """Run once."""
        async with self._ran:
            self.runs += 1
            self._ran.notify_all()
        if (failure := self._does[min(self.runs, len(self._does)) - 1]) is not None:
            raise failure

    async def until(self, runs: int) -> None:
        """Wait until it has begun so often."""
        async with self._ran, asyncio.timeout(20):
            await self._ran.wait_for(lambda: self.runs >= runs)


async def test_a_failing_job_comes_again_and_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that repeats is one line, whether it is ours or the database's; another one, and the recovery, are told
    too. APScheduler itself says nothing of runs that come often."""
    away = StoreUnavailable("the database did not answer", "see `heedline status`")
    work = Work(away, away, away, ValueError("ours"), ValueError("ours"), None)
    leader = Leader()
    with caplog.at_level(logging.INFO):
        async with run_jobs(leader, [Job("sealing", work, OFTEN)]):
            await work.until(8)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "job `sealing` failed: the database did not answer; see `heedline status`",
        "job `sealing` failed",
        "job `sealing` works again",
    ]
    assert not [record for record in caplog.records if record.name.startswith("apscheduler")]
    assert leader.closed


async def test_a_job_waits_for_leadership_and_is_never_run_twice_at_once() -> None:
    """A node that does not lead runs nothing; a run that takes longer than its interval is let go on alone."""
    leader, running, worst, done = Leader(leads=False), 0, 0, Work(None)

    async def work() -> None:
        nonlocal running, worst
        running += 1
        worst = max(worst, running)
        for _ in range(50):
            await asyncio.sleep(0)
        running -= 1
        await done()

    async with run_jobs(leader, [Job("long", work, OFTEN)]):
        async with asyncio.timeout(20):
            await leader.asked.wait()
        assert done.runs == 0
        leader.is_leader = True
        await done.until(3)
    assert worst == 1
