"""How fast a log is verified: the arithmetic alone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from dialer.verifier.leaf import commitment, leaf_data
from dialer.verifier.tree import leaf_hash, root_of
from tests.benchmarks.evidence.stage import NOON, load


def arithmetic(count: int, said: Sequence[str], rounds: int) -> None:
    """One process, everything in memory: the best of the rounds."""
    texts = [text.encode() for text in said]
    salts = [hashlib.sha256(str(n).encode()).digest()[:16] for n in range(len(texts))]
    commitments = [commitment(salt, text) for salt, text in zip(salts, texts, strict=True)]
    instants = [NOON + timedelta(microseconds=n) for n in range(count)]
    many = len(texts)
    leaves = [leaf_data(n, instants[n], "decision", n, commitments[n % many]) for n in range(count)]

    def from_bytes() -> bytes:
        return root_of(map(leaf_hash, leaves))

    def from_payloads() -> bytes:
        return root_of(
            leaf_hash(leaf_data(n, instants[n], "decision", n, commitment(salts[n % many], texts[n % many])))
            for n in range(count)
        )

    if from_bytes() != from_payloads():
        raise SystemExit("the two ways lead to different roots")
    _say(f"{count:,} leaves of {len(leaves[-1])} bytes to their root, one process", count, from_bytes, rounds)
    length = sum(map(len, texts)) // many
    _say(f"payloads of {length:,} bytes, commitments, leaves, root, one process", count, from_payloads, rounds)


def _say(what: str, count: int, work: Callable[[], object], rounds: int) -> None:
    spent = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    print(f"| {what} | {count / sorted(spent)[len(spent) // 2]:,.0f} | {load()} |", flush=True)
