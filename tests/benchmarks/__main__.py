"""`make bench`: the gate beside a floor, on a database of 10^5 to 10^6 rows (or more: `--rows`): rates and waits.

Both sides run in one session and in turn, each a process of its own on the machine's cores; medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from db.embedded import EmbeddedServer, ensure_database
from db.migrate import migrate
from tests.benchmarks.seed import seed

_PORT = 45_801
_SIDES = ("floor", "bare", "gate", "single")


@contextlib.contextmanager
def _side(name: str, dsn: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.benchmarks.server", name, str(_PORT), "--dsn", dsn]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout is None or process.stdin is None or not process.stdout.readline():
            raise SystemExit(f"the side `{name}` did not start")
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(20)


def _load(in_flight: int, seconds: float, rows: int) -> dict[str, float]:
    command = [
        sys.executable, "-m", "tests.benchmarks.agi_load", "127.0.0.1", str(_PORT), "outbound",
        "--in-flight", str(in_flight), "--seconds", str(seconds), "--numbers", str(rows),
        "--seed", str(time.time_ns()),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _measure(options: argparse.Namespace, dsn: str, rows: int) -> None:
    for in_flight in (64, 8):
        rates: dict[str, list[float]] = {side: [] for side in _SIDES}
        waits: dict[str, list[float]] = {side: [] for side in _SIDES}
        for _ in range(options.rounds):
            for side in _SIDES:
                with _side(side, dsn):
                    figures = _load(in_flight, options.seconds, rows)
                rates[side].append(figures["per_second"])
                waits[side].append(figures["p50_ms"])
        rate = {side: statistics.median(values) for side, values in rates.items()}
        wait = {side: statistics.median(values) for side, values in waits.items()}
        for side in _SIDES:
            print(f"| {rows:,} | {in_flight} | {side} | {rate[side]:,.0f} | {wait[side]:.2f} |")
        print(
            f"| {rows:,} | {in_flight} | **ratios** | gate/floor {rate['gate'] / rate['floor']:.2f}, "
            f"gate/single {rate['gate'] / rate['single']:.2f} | gate/floor {wait['gate'] / wait['floor']:.2f} |",
            flush=True,
        )


async def _prepare(folder: Path, rows: int) -> tuple[EmbeddedServer, str]:
    server = EmbeddedServer(folder / "postgres")
    dsn = await ensure_database(server.maintenance_dsn, "bench")
    await migrate(dsn)
    await seed(dsn, rows)
    return server, dsn


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="consents and refusals each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load, a side and round")
    options = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, asyncpg "
        f"{metadata.version('asyncpg')}, panoramisk {metadata.version('panoramisk')}; load generator, service and "
        f"database on the same cores; medians of {options.rounds} alternating rounds of {options.seconds:g} s.\n\n"
        "| consents and refusals, each | in flight | side | decisions a second | p50, ms |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="heedline-bench-") as folder:
        for rows in sorted(options.rows):
            server, dsn = asyncio.run(_prepare(Path(folder), rows))
            _measure(options, dsn, rows)
        server.stop()


if __name__ == "__main__":
    main()
