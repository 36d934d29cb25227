"""Work for requests, bounded in time and in number."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeVar

from dialer.errors import StoreUnavailable

Result = TypeVar("Result")


class Deadlines:
    """At most so many pieces of work are unfinished at once."""

    def __init__(self, unfinished: int) -> None:
        self._most = unfinished
        self._unfinished: set[asyncio.Task[Any]] = set()

    async def worked(self, work: Coroutine[Any, Any, Result], ends: float) -> Result:
        """The work's result, until `ends` (monotonic). What hangs beyond it is cancelled but not waited for: a driver
        that waits for a server that hangs would hold its client too. Raises `StoreUnavailable`."""
        if len(self._unfinished) >= self._most:
            work.close()
            raise StoreUnavailable("too many requests are unfinished", "ask again")
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._finished)
        await asyncio.wait({task}, timeout=max(0.0, ends - monotonic()))
        if task.done():
            return task.result()
        task.cancel()
        raise StoreUnavailable("the database did not answer in time", "see `heedline status`")

    async def close(self) -> None:
        """Give up what is unfinished."""
        for task in self._unfinished:
            task.cancel()
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=1)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled():
            task.exception()  # what failed after its time was answered for already
