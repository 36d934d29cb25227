"""`python -m tests.benchmarks --only evidence`, or one part: `python -m tests.benchmarks.evidence PART...`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import uvloop

from tests.benchmarks.evidence import sealing, verifying
from tests.benchmarks.evidence.stage import database, payloads, server

PARTS = ("sealing", "verifying")


def measure(folder: Path, parts: list[str], *, entries: int, rounds: int, seconds: float) -> None:
    """Print the tables of these parts."""
    with server(folder) as running:
        dsn = uvloop.run(database(running, "sealing", 100_000))
        said = uvloop.run(payloads(dsn, 2000))
        if "sealing" in parts:
            print("\n| sealing | entries a second | lag p50, ms | p99 | most | |\n|---|---|---|---|---|---|")
            uvloop.run(sealing.backlog(dsn, folder / "keys", said, entries))
            rates = [1000, 2000, 4000, 6000, 8000, 10_000, 12_000, 15_000, 20_000]
            uvloop.run(sealing.beside_a_writer(dsn, folder / "keys", said, rates, seconds))
        if "verifying" in parts:
            print("\n| verifying | leaves a second | |\n|---|---|---|")
            verifying.arithmetic(500_000, said, rounds)


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all when none is named")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the backlog")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="that a writer writes at one rate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="heedline-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        measure(
            folder,
            options.parts or list(PARTS),
            entries=options.entries,
            rounds=options.rounds,
            seconds=options.seconds,
        )


if __name__ == "__main__":
    main()
