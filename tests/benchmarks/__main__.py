"""`make bench`: the gate beside a floor, on a database of 10^5 to 10^6 rows (or more: `--rows`): rates and waits; then
the evidence (`--only evidence`), and how long a ringing call rings on after its callee's refusal (`--only cancel`).

Both sides run in one session and in turn, each a process of its own on the machine's cores; medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
from importlib import metadata
from pathlib import Path

from db.embedded import EmbeddedServer, ensure_database
from db.migrate import migrate
from tests.benchmarks import cancel
from tests.benchmarks.evidence import __main__ as evidence
from tests.benchmarks.scrub import compare
from tests.benchmarks.seed import seed
from tests.benchmarks.sides import PORT, ask, forget_attempts, serving
from tests.benchmarks.switch import Run, Switch

_SIDES = ("floor", "bare", "gate", "single")


def _measure(options: argparse.Namespace, dsn: str, rows: int) -> None:
    # one transaction a call is measured where it is cheapest; the floor does not depend on the rows
    sides = _SIDES if rows <= 1_000_000 else ("floor", "gate")
    for in_flight in (64, 8):
        rates: dict[str, list[float]] = {side: [] for side in sides}
        waits: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(options.rounds):
            for side in sides:
                asyncio.run(forget_attempts(dsn))
                with serving(side, dsn):
                    figures = ask(in_flight, options.seconds, rows)
                rates[side].append(figures["per_second"])
                waits[side].append(figures["p50_ms"])
        rate = {side: statistics.median(values) for side, values in rates.items()}
        wait = {side: statistics.median(values) for side, values in waits.items()}
        for side in sides:
            print(f"| {rows:,} | {in_flight} | {side} | {rate[side]:,.0f} | {wait[side]:.2f} |")
        ratios = [f"gate/{side} {rate['gate'] / rate[side]:.2f}" for side in ("floor", "single") if side in rate]
        print(
            f"| {rows:,} | {in_flight} | **ratios** | {', '.join(ratios)} | "
            f"gate/floor {wait['gate'] / wait['floor']:.2f} |",
            flush=True,
        )


async def _through_a_switch(options: argparse.Namespace, dsn: str, folder: Path, rows: int) -> None:
    print(
        f"\nCalls through a real Asterisk, {options.calls} offered a second for 10 s; SIPp on the same cores; medians "
        f"of {options.rounds} alternating rounds.\n\n| side | calls a second | failed |\n|---|---|---|"
    )
    switch = Switch(_home(), folder, PORT)
    runs: dict[str, list[Run]] = {"bare": [], "gate": []}
    async with switch.instance:
        for _ in range(options.rounds):
            for side, made in runs.items():
                await forget_attempts(dsn)
                with serving(side, dsn):
                    made.append(await switch.call(options.calls, 10, rows))
    rate = {side: statistics.median(run.per_second for run in made) for side, made in runs.items()}
    for side, made in runs.items():
        print(f"| {side} | {rate[side]:.0f} | {sum(run.failed for run in made)} |")
    print(f"| **ratio** | gate/bare {rate['gate'] / rate['bare']:.2f} | |", flush=True)


async def _scrub(folder: Path, dsn: str) -> None:
    print(
        "\nA dry-run scrub, `heedline list scrub`, beside the COPY and the joins alone (least of three).\n\n"
        "| numbers | floor, s | scrub, s | ratio | memory of one process, MiB |\n|---|---|---|---|---|"
    )
    for count in (100_000, 1_000_000):
        print(await compare(dsn, folder, folder, count), flush=True)


async def _prepare(folder: Path, rows: int) -> tuple[EmbeddedServer, str]:
    server = EmbeddedServer(folder / "postgres")
    dsn = await ensure_database(server.maintenance_dsn, "bench")
    await migrate(dsn)
    await seed(dsn, rows)
    return server, dsn


def _home() -> Path:
    """Where an unpacked Asterisk is kept."""
    return Path(os.environ.get("HEEDLINE_HOME") or Path.home() / ".local" / "share" / "heedline")


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [100_000, 1_000_000, 10_000_000]
    parser.add_argument("--rows", type=int, nargs="+", default=sizes, help="consents and refusals each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load, a side and round")
    parser.add_argument("--calls", type=int, default=300, help="offered a second to the switch")
    parser.add_argument("--cancels", type=int, default=400, help="ringing calls that are refused, a row")
    parser.add_argument("--only", choices=["cancel", "evidence"], help="this section alone")
    options = parser.parse_args()
    if options.only is None:
        _gate(options)
    if options.only in (None, "evidence"):
        with tempfile.TemporaryDirectory(prefix="heedline-bench-") as name:
            evidence.measure(Path(name), evidence.PARTS, evidence.Extent(rounds=options.rounds))
    if options.only in (None, "cancel"):
        with tempfile.TemporaryDirectory(prefix="heedline-bench-") as name:
            asyncio.run(cancel.measure(Path(name), _home(), options.cancels))


def _gate(options: argparse.Namespace) -> None:
    """The gate, over databases of growing size."""
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, asyncpg "
        f"{metadata.version('asyncpg')}, panoramisk {metadata.version('panoramisk')}; load generator, service and "
        f"database on the same cores; medians of {options.rounds} alternating rounds of {options.seconds:g} s.\n\n"
        "| consents and refusals, each | in flight | side | decisions a second | p50, ms |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="heedline-bench-") as name:
        folder, done = Path(name), False
        for rows in sorted(options.rows):
            server, dsn = asyncio.run(_prepare(folder, rows))
            _measure(options, dsn, rows)
            if not done and rows >= min(1_000_000, max(options.rows)):
                asyncio.run(_through_a_switch(options, dsn, folder, rows))
                asyncio.run(_scrub(folder, dsn))
                done = True
        server.stop()


if __name__ == "__main__":
    main()
