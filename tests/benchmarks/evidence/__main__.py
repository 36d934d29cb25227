"""`python -m tests.benchmarks --only evidence`, or some parts: `python -m tests.benchmarks.evidence PART...`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.benchmarks.evidence import gate, proofs, sealing, storage, verifying
from tests.benchmarks.evidence.stage import database, payloads, server

_RATES = (2000, 4000, 8000, 12_000, 16_000, 20_000, 25_000)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured. `entries` of a backlog, `leaves` of the long log, `decisions` whose bytes are counted;
    `seconds` that a writer writes at one rate."""

    rounds: int = 5
    entries: int = 1_000_000
    leaves: int = 10_000_000
    decisions: int = 200_000
    seconds: float = 30.0


def _sealing(folder: Path, extent: Extent) -> None:
    with server(folder) as running:
        dsn = uvloop.run(database(running, "sealing", 10_000))
        said = uvloop.run(payloads(dsn, 2000))
        print(f"\nPayloads of {sum(map(len, said)) // len(said):,} bytes.\n")
        print(
            "| sealing | entries a second | lag p50, ms | p99, ms | most, ms | |\n|---|---|---|---|---|---|", flush=True
        )
        uvloop.run(sealing.backlog(folder, dsn, said, extent.entries))
        uvloop.run(sealing.beside_a_writer(folder, dsn, said, _RATES, extent.seconds))


def _verifying(folder: Path, extent: Extent) -> None:
    with server(folder) as running:
        dsn = uvloop.run(database(running, "verifying", 10_000))
        said = uvloop.run(payloads(dsn, 2000))
        print("\n| verifying | leaves a second | |\n|---|---|---|", flush=True)
        verifying.arithmetic(500_000, said, extent.rounds)
        verifying.bundles(20_000, said, extent.rounds)


def _gate(folder: Path, extent: Extent) -> None:
    rows = 100_000
    with server(folder) as running:
        dsn = uvloop.run(database(running, "gate", rows))
        print(
            "\n| the gate, 64 in flight | decisions a second | p50, ms | p99, ms | |\n|---|---|---|---|---|", flush=True
        )
        gate.compare(folder, dsn, rows, extent.rounds, 6.0)


def _proofs(folder: Path, extent: Extent) -> None:
    with server(folder) as running:
        dsn = uvloop.run(database(running, "proofs", 10))
        root = uvloop.run(proofs.prepare(dsn, extent.leaves))
        print(f"\n| of {extent.leaves:,} leaves | proofs | the first, ms | p50 | p99 | most | |")
        print("|---|---|---|---|---|---|---|")
        uvloop.run(proofs.ask(dsn, extent.leaves, root, 2000, "warm"))
    proofs.forget(folder / "postgres")
    with server(folder):
        uvloop.run(proofs.ask(dsn, extent.leaves, root, 200, "cold"))


def _storage(folder: Path, extent: Extent) -> None:
    with server(folder) as running:
        dsn = uvloop.run(database(running, "storage", extent.decisions))
        uvloop.run(storage.occupy(folder, dsn, extent.decisions))
        print("\n| verifying that log | leaves a second | |\n|---|---|---|", flush=True)
        uvloop.run(verifying.whole_log(folder, dsn))


_PARTS = {"sealing": _sealing, "verifying": _verifying, "gate": _gate, "proofs": _proofs, "storage": _storage}
PARTS = tuple(_PARTS)


def measure(folder: Path, parts: Sequence[str], extent: Extent) -> None:
    """Print the tables of these parts, each with a server of its own."""
    for part in parts:
        own = folder / part
        own.mkdir()
        for each in (folder, own):
            each.chmod(0o755)  # as root the server runs under another user
        _PARTS[part](own, extent)


def main() -> None:
    """Print tables in Markdown."""
    usual = Extent()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument("--entries", type=int, default=usual.entries, help="of a backlog")
    parser.add_argument("--leaves", type=int, default=usual.leaves, help="of the long log")
    parser.add_argument("--decisions", type=int, default=usual.decisions, help="whose bytes are counted")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="that a writer writes at one rate")
    options = vars(parser.parse_args())
    parts = options.pop("parts") or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="heedline-bench-") as name:
        measure(Path(name), parts, Extent(**options))


if __name__ == "__main__":
    main()
