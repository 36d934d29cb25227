"""A side of a comparison as a process of its own, and a load on it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import asyncpg

PORT = 45_801


@contextlib.contextmanager
def serving(name: str, dsn: str, home: str = "") -> Iterator[None]:
    """Serves on `PORT` meanwhile; see `tests.benchmarks.server`."""
    command = [sys.executable, "-m", "tests.benchmarks.server", name, str(PORT), "--dsn", dsn, "--home", home]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout is None or process.stdin is None or not process.stdout.readline():
            raise SystemExit(f"the side `{name}` did not start")
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(20)


def ask(in_flight: int, seconds: float, rows: int) -> dict[str, float]:
    """Ask the side that serves about callees of the first `rows`; see `tests.benchmarks.agi_load` for the figures."""
    command = [
        sys.executable, "-m", "tests.benchmarks.agi_load", "127.0.0.1", str(PORT), "outbound",
        "--in-flight", str(in_flight), "--seconds", str(seconds), "--numbers", str(rows),
        "--seed", str(time.time_ns()),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


async def forget_attempts(dsn: str) -> None:
    """So that the callees of one round do not meet their caps in the next."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("truncate attempts")
    finally:
        await connection.close()
