"""How fast evidence is verified: the arithmetic alone, bundles without a database, and a whole log in one."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg

from dialer.app import open_database
from dialer.evidence.tiles import Growth, Tiles
from dialer.fsck_node import check_log
from dialer.verifier.bundle import Trust, verify_bundle
from dialer.verifier.leaf import commitment, leaf_data
from dialer.verifier.tree import leaf_hash, root_of
from tests.benchmarks.evidence.stage import NOON, load, settings
from tests.bundle_maker import LogMaker


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


class _LongLog(LogMaker):
    """A log in memory whose proofs come from tiles, and so in no time."""

    _tiles: Tiles | None = None
    _known = 0

    def subtree(self, low: int, high: int) -> bytes:
        """The hash over the leaves [low, high)."""
        if self._tiles is None or self._known < len(self.leaves):
            growth = Growth(0, {})
            growth.extend(leaf_hash(leaf.data()) for leaf in self.leaves)
            growth.finish()
            self._tiles, self._known = Tiles(growth.changed), len(self.leaves)
        return self._tiles.subtree(low, high)


def bundles(count: int, said: Sequence[str], rounds: int) -> None:
    """One with a proof an entry, one of a whole stretch; both zipped and in memory, of a log of ten times as many
    leaves, checked by the verifier in one process."""
    log = _LongLog()
    decisions = [json.loads(text) for text in said]
    for n in range(10 * count):
        log.add("decision", decisions[n % len(decisions)], n)
    proved = log.bundle(range(5, 10 * count, 10)).zipped()
    stretch = log.bundle([], stretch=(3, 3 + count)).zipped()
    trust = Trust(log.keys)
    for what, bundle in ((f"a bundle of {count:,} entries, a proof each", proved), ("one of a stretch", stretch)):

        def verify(bundle: bytes = bundle) -> None:
            if not (report := verify_bundle(io.BytesIO(bundle), trust)).is_right:
                raise SystemExit(f"the bundle is not right: {report.findings}")

        _say(f"{what}, {len(bundle) >> 20} MiB", count, verify, rounds)


async def whole_log(home: Path, dsn: str) -> None:
    """`heedline evidence fsck` on a log of real decisions, by one process and by one a core."""
    wanted = settings(home, dsn)
    await _forget_seed(dsn)
    async with open_database(wanted) as database:
        for processes, words in ((0, "one process"), (None, "one a core")):
            begun = time.perf_counter()
            checked = await check_log(wanted, database, processes=processes)
            spent = time.perf_counter() - begun
            if not checked.clean:
                raise SystemExit(f"the log is not clean: {checked.findings.faults[:3]}")
            print(f"| fsck of {checked.size:,} entries, {words} | {checked.size / spent:,.0f} | {load()} |", flush=True)


async def _forget_seed(dsn: str) -> None:
    """Consents and refusals that were put in without the entry that each must have."""
    connection = await asyncpg.connect(dsn)
    for table in ("consents", "refusals"):
        await connection.execute(f"alter table {table} disable trigger user")
        await connection.execute(f"delete from {table}")  # noqa: S608 - ours
        await connection.execute(f"alter table {table} enable trigger user")
    await connection.close()
