"""How fast what waits is sealed, and how far sealing lags behind a writer that does not stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from dialer.config import Evidence
from dialer.sealing import Sealer
from tests.benchmarks.evidence.stage import fill, load, open_sealer, share

_EVERY_S = Evidence().seal_ms / 1000


@dataclass
class Published:
    """When sealing up to a size had returned, seconds since 1970."""

    sizes: list[tuple[float, int]] = field(default_factory=list)

    def when(self, index: int) -> float:
        """Of the first checkpoint that covers a leaf."""
        return next(at for at, size in self.sizes if size > index)


async def backlog(home: Path, dsn: str, said: list[str], count: int) -> None:
    """A backlog, sealed by one process beside its database."""
    await fill(dsn, said, count)
    async with open_sealer(home, dsn) as sealer:
        begun = time.perf_counter()
        sealed = await sealer.seal()
        spent = time.perf_counter() - begun
    print(f"| backlog of {sealed:,} | {sealed / spent:,.0f} | | | | {load()} |", flush=True)


async def beside_a_writer(home: Path, dsn: str, said: list[str], rates: Sequence[int], seconds: float) -> None:
    """Rates that rise until sealing lags by a second, or the database cannot follow the writer."""
    file = home / "payloads.json"
    file.write_text(json.dumps(said), "utf-8")
    for rate in rates:
        async with open_sealer(home, dsn) as sealer:
            await sealer.seal()
            async with _sealing(sealer) as published:
                written, commits = await _written(dsn, rate, seconds, file)
                await _all_sealed(sealer, commits[-1][1], dsn)
        lags = await _lags(dsn, commits, published)
        p50, p99, most = (1000 * share(lags, of) for of in (0.5, 0.99, 1.0))
        print(f"| writer at {rate:,}/s | {written:,.0f} | {p50:.0f} | {p99:.0f} | {most:.0f} | {load()} |", flush=True)
        if most >= 1000 or written < 0.95 * rate:
            break


@contextlib.asynccontextmanager
async def _sealing(sealer: Sealer) -> AsyncIterator[Published]:
    """As often as a service does."""
    published = Published()

    async def run() -> None:
        while True:
            begun = time.perf_counter()
            await sealer.run()
            published.sizes.append((time.time(), sealer.stats.size))
            await asyncio.sleep(max(0.0, _EVERY_S - (time.perf_counter() - begun)))

    task = asyncio.create_task(run())
    try:
        yield published
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _written(dsn: str, rate: int, seconds: float, payloads: Path) -> tuple[float, list[tuple[float, int]]]:
    command = ("-m", "tests.benchmarks.evidence.writer", dsn, str(rate), str(seconds), str(payloads))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    if process.returncode:
        raise SystemExit("the writer failed")
    told = json.loads(said)
    return told["per_second"], sorted((at, entry) for at, entry in told["commits"])


async def _all_sealed(sealer: Sealer, entry: int, dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    async with asyncio.timeout(120):
        while not await connection.fetchval("select true from leaves where entry = $1", entry):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await connection.close()
    await asyncio.sleep(2 * _EVERY_S)  # what was sealed is noted when the step has returned


async def _lags(dsn: str, commits: list[tuple[float, int]], published: Published) -> list[float]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select entry, index from leaves where entry = any ($1)", [id for _, id in commits])
    await connection.close()
    index = {row["entry"]: row["index"] for row in rows}
    return [published.when(index[entry]) - at for at, entry in commits]
