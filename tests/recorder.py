"""Recorders of refusals as processes of their own: the real use case on a database, asked line by line.

`python -m tests.recorder` reads objects with `n`, `callee` (E.164 digits) and `seller`, one a line, and answers each
with `n`, `begun` and `returned`: when the recording began and returned (seconds since 1970-01-01T00:00:00Z by this
machine's clock), or with `failed`: what it told the one who made it. Several may be under way at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from dialer.app import clock, load_policy, open_database, open_registers
from dialer.config import load
from dialer.errors import HeedlineError
from dialer.ports_refusals import NewRefusal
from dialer.refusals import Refusals


@dataclass(frozen=True, slots=True)
class Told:
    """What a recorder answered: when recording began and returned, or why it failed."""

    begun: float = 0.0
    returned: float = 0.0
    failed: str = ""


class Recorder:
    """One such process. Its asker may be cancelled; the recording then goes on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Told]] = {}
        self._reader = asyncio.create_task(self._read())

    async def record(self, callee: int, seller: str | None) -> Told:
        """Record a refusal (None: to all sellers) and wait until that has returned there."""
        n = next(self._numbers)
        self._waiting[n] = asyncio.get_running_loop().create_future()
        writer = cast("asyncio.StreamWriter", self._process.stdin)
        writer.write(json.dumps({"n": n, "callee": callee, "seller": seller}).encode() + b"\n")
        return await self._waiting[n]

    async def close(self) -> None:
        """End it."""
        self._process.kill()
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        output = cast("asyncio.StreamReader", self._process.stdout)
        while line := await output.readline():
            answer = json.loads(line)
            waiting = self._waiting.pop(answer.pop("n"))
            if not waiting.done():
                waiting.set_result(Told(**answer))
        for waiting in self._waiting.values():
            waiting.cancel()


@asynccontextmanager
async def running_recorder(dsn: str, home: str) -> AsyncIterator[Recorder]:
    """A recorder on a database, ready; it ends with the context."""
    environment = {**os.environ, "HEEDLINE_DATABASE_URL": dsn, "HEEDLINE_HOME": home}
    environment.pop("HEEDLINE_CONFIG", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.recorder",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    ready = await cast("asyncio.StreamReader", process.stdout).readline()
    assert ready == b"ready\n"
    recorder = Recorder(process)
    try:
        yield recorder
    finally:
        await recorder.close()


async def _answer(refusals: Refusals, asked: dict[str, Any]) -> None:
    begun = time.time()
    answer: dict[str, Any] = {"n": asked["n"]}
    try:
        await refusals.record(NewRefusal(asked["callee"], asked["seller"], "agent", clock()))
        answer |= {"begun": begun, "returned": time.time()}
    except HeedlineError as error:
        answer |= {"failed": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _serve() -> None:
    settings = load()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with open_database(settings) as database, asyncio.TaskGroup() as tasks:
        refusals = open_registers(database, "recorder", load_policy(settings)).refusals
        print("ready", flush=True)
        while line := await reader.readline():
            tasks.create_task(_answer(refusals, json.loads(line)))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve())
