"""The gate with what it writes sealed meanwhile, beside the gate alone; in turn, the same load on both."""

from __future__ import annotations

import statistics
from pathlib import Path

import asyncpg
import uvloop

from tests.benchmarks.evidence.stage import load, open_sealer
from tests.benchmarks.sides import ask, forget_attempts, serving

_SIDES = ("gate", "sealing")
_IN_FLIGHT = 64


def compare(home: Path, dsn: str, rows: int, rounds: int, seconds: float) -> None:
    """Medians of so many rounds of both."""
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in _SIDES}
    for n in range(rounds):
        for name in _SIDES if n % 2 == 0 else _SIDES[::-1]:
            before = uvloop.run(_prepare(home, dsn))
            with serving(name, dsn, str(home)):
                figures[name].append(ask(_IN_FLIGHT, seconds, rows))
                made = uvloop.run(_checkpoints(dsn)) - before
            if (made >= seconds) != (name == "sealing"):
                raise SystemExit(f"the side `{name}` made {made} checkpoints")
    median = {
        name: {what: statistics.median(run[what] for run in runs) for what in ("per_second", "p50_ms", "p99_ms")}
        for name, runs in figures.items()
    }
    for name, words in (("gate", "sealing off"), ("sealing", "sealing on")):
        found = median[name]
        cells = f"{found['per_second']:,.0f} | {found['p50_ms']:.1f} | {found['p99_ms']:.1f}"
        print(f"| {words} | {cells} | {load()} |", flush=True)
    ratios = [on["per_second"] / off["per_second"] for off, on in zip(*figures.values(), strict=True)]
    print(
        f"| **on/off** | {median['sealing']['per_second'] / median['gate']['per_second']:.2f} "
        f"(rounds {min(ratios):.2f} to {max(ratios):.2f}) | | | |",
        flush=True,
    )


async def _prepare(home: Path, dsn: str) -> int:
    """Nothing is left over from the other side: neither what waits nor attempts under a cap. How many checkpoints."""
    async with open_sealer(home, dsn) as sealer:
        await sealer.seal()
    await forget_attempts(dsn)
    return await _checkpoints(dsn)


async def _checkpoints(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("select count(*) from checkpoints"))
    finally:
        await connection.close()
