"""Waiting for what tells nobody: rows in a table, counters of another process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 20.0) -> None:
    """Return when it holds, or after so many seconds: what comes next shows which."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 # see above
                await asyncio.sleep(0.1)
