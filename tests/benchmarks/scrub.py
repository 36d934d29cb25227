"""The scrub beside its floor: the COPY of the file and the joins that look every number up, with nothing decided."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from tests.benchmarks.seed import FIRST_CALLEE

# What a scrub must know of each number, as one statement over the copied file.
_JOINS = """
select n.number, c.id, r.id, s.import_id, a.decision_id
from scrub_floor n
left join consents c on c.callee = n.number
left join refusals r on r.callee = n.number
left join suppressed_numbers s on s.number = n.number
left join attempts a on a.callee = n.number
"""


def write_numbers(file: Path, count: int) -> None:
    """Numbers of which half agreed and half refused."""
    with file.open("w", encoding="ascii") as lines:
        for n in range(count // 2):
            lines.write(f"+{FIRST_CALLEE + n}\n+{FIRST_CALLEE + 100_000_000 + n}\n")


async def floor(dsn: str, file: Path) -> float:
    """Seconds for the COPY, the index that the joins want, and reading their rows."""
    connection = await asyncpg.connect(dsn, server_settings={"jit": "off"})
    try:
        begun = time.perf_counter()
        await connection.execute("create temporary table scrub_floor (number bigint)")
        await connection.copy_to_table("scrub_floor", source=str(file))
        await connection.execute("analyze scrub_floor")
        async with connection.transaction():
            async for _ in connection.cursor(_JOINS, prefetch=10_000):
                pass
        return time.perf_counter() - begun
    finally:
        await connection.close()


def scrub(home: Path, config: Path, file: Path) -> tuple[float, int]:
    """Seconds of `heedline list scrub` as a whole process, and the largest memory of one process in it, MiB."""
    environment = {**os.environ, "HEEDLINE_HOME": str(home), "HEEDLINE_CONFIG": str(config)}
    command = [sys.executable, "-m", "dialer.cli", "list", "scrub", str(file), "--seller", "acme", "-o", os.devnull]
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # this process and its workers, and no other child
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the scrub failed with exit code {process.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss // 1024


async def compare(dsn: str, home: Path, folder: Path, count: int) -> str:
    """One line of the table."""
    file, config = folder / "numbers.txt", folder / "heedline.toml"
    await asyncio.to_thread(write_numbers, file, count)
    config.write_text('[database]\nname = "bench"\n', "utf-8")
    least = min([await floor(dsn, file) for _ in range(3)])
    spent, memory = await asyncio.to_thread(scrub, home, config, file)
    return f"| {count:,} | {least:.1f} | {spent:.1f} | {spent / least:.1f} | {memory} |"
