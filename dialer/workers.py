"""Pure work on chunks of a file, in other processes, in the order of the file and with a bounded number under way."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any, TypeVar

from dialer.bulk import Validator, validate_here
from dialer.import_rows import RowContext, Validated, validate
from dialer.imports import Chunk

Done = TypeVar("Done")


async def in_order(
    executor: Executor, ahead: int, function: Callable[..., Done], works: Iterator[tuple[Any, ...]]
) -> AsyncIterator[Done]:
    """`function(*work)` for each work, `ahead` of them at a time; results come in the order of the works."""
    loop = asyncio.get_running_loop()
    under_way: deque[asyncio.Future[Done]] = deque()
    try:
        for work in works:
            under_way.append(loop.run_in_executor(executor, function, *work))
            if len(under_way) >= ahead:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for future in under_way:
            future.cancel()


@contextlib.contextmanager
def process_pool(
    processes: int, initializer: Callable[..., None] | None = None, *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """Processes that leave Ctrl-C to their parent and end with it."""
    # A fork would copy the event loop and the database's connections.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, context, _begin, (initializer, arguments))
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _begin(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if initializer is not None:
        initializer(*arguments)


@contextlib.contextmanager
def validator(processes: int) -> Iterator[Validator]:
    """A validator of rows on so many processes; 0 and 1: in this one."""
    if processes < 2:
        yield validate_here
        return
    with process_pool(processes) as executor:

        async def elsewhere(
            kind: str, columns: tuple[str, ...], chunks: Iterator[Chunk], context: RowContext
        ) -> AsyncIterator[Validated]:
            works = ((kind, columns, chunk, context) for chunk in chunks)
            async for validated in in_order(executor, processes + 1, validate, works):
                yield validated

        yield elsewhere
