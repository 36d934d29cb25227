"""The scrub beside its floor: the COPY of the file and the joins that look every number up, with nothing decided."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil

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
    begun, most = time.perf_counter(), 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max([most, *(_peak(each) for each in _family(process.pid))])
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the scrub failed with exit code {process.returncode}")
    return time.perf_counter() - begun, most // 1024


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        return [parent, *(child for child in parent.children(recursive=True) if child.name() != "postgres")]
    return []


def _peak(process: psutil.Process) -> int:
    """KiB at the most so far (proc(5), VmHWM); getrusage would count the memory of this process before the exec."""
    with contextlib.suppress(OSError, psutil.Error):
        lines = Path(f"/proc/{process.pid}/status").read_text("ascii", "replace").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
    return 0


async def compare(dsn: str, home: Path, folder: Path, count: int) -> str:
    """One line of the table."""
    file, config = folder / "numbers.txt", folder / "heedline.toml"
    await asyncio.to_thread(write_numbers, file, count)
    config.write_text('[database]\nname = "bench"\n', "utf-8")
    least = min([await floor(dsn, file) for _ in range(3)])
    spent, memory = await asyncio.to_thread(scrub, home, config, file)
    return f"| {count:,} | {least:.1f} | {spent:.1f} | {spent / least:.1f} | {memory} |"
