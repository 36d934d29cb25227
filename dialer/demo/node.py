"""The demonstration's Heedline: `heedline serve` as a process of its own, that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from dialer.errors import HeedlineError

_UP = "heedline is up"


@dataclass
class Node:
    """One node on the settings in `config`; FastAGI on `agi_port`, HTTP on `http_port` (0: on any)."""

    config: Path
    agi_port: int
    http_port: int = 0
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start it and wait until it answers. Raises `HeedlineError` with what it said."""
        environment = {**os.environ, "HEEDLINE_CONFIG": str(self.config)}
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer.cli", "serve",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
            env=environment, start_new_session=True,
        )  # fmt: skip
        output = cast("asyncio.StreamReader", process.stdout)
        said = ""
        while _UP not in said:
            line = await output.readline()
            if not line:
                raise HeedlineError(f"the service did not start: {said.strip()}")
            said += line.decode("utf-8", "replace")
        self._drain = asyncio.create_task(output.read())  # it must not stop at a full pipe

    @property
    def url(self) -> str:
        """Where its pages and its API are."""
        return f"http://127.0.0.1:{self.http_port}"

    def freeze(self) -> None:
        """Let it do nothing more; the kernel still takes connections for it."""
        self._running.send_signal(signal.SIGSTOP)

    async def asked(self) -> None:
        """Wait until a switch's question waits at the frozen node."""
        async with asyncio.timeout(10):
            while not _connections(self.agi_port):  # noqa: ASYNC110 # the kernel tells nobody of a connection that nobody accepts
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it at once."""
        self._running.kill()
        await self._running.wait()

    async def stop(self) -> None:
        """End it in good order, if it runs."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the node was not started")
        return self._process


def _connections(port: int) -> int:
    """Established TCP connections to a local port (proc(5): state 01)."""
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    return sum(columns[3] == "01" and columns[1].endswith(f":{port:04X}") for columns in map(str.split, lines))
