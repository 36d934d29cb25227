"""What the benchmarks of the evidence share: a database, a log with its key, entries as the gate writes them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from db.embedded import EmbeddedServer, ensure_database
from db.gate_store import PostgresGateStore
from db.migrate import migrate
from db.pool import open_pool
from db.sql import queries
from dialer import evidence_node
from dialer.config import Settings
from dialer.config import load as load_settings
from dialer.evidence.entries import decision_payload
from dialer.gate import Gate
from dialer.policy.facts import CallRequest
from dialer.policy.pack import load_packs
from dialer.sealing import Sealer
from tests.benchmarks.seed import FIRST_CALLEE, PRESENTED, seed

# A Wednesday at 10:00 in China: within hours whenever the benchmark runs.
NOON = datetime(2026, 11, 25, 2, tzinfo=UTC)
WRITE = queries("attempts")["evidence"]
_TOGETHER = 1000


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def load() -> str:
    """The machine's load at this moment, for the record."""
    return f"load {os.getloadavg()[0]:.1f}"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[EmbeddedServer]:
    """A PostgreSQL of the benchmark's own."""
    found = EmbeddedServer(folder / "postgres")
    try:
        yield found
    finally:
        found.stop()


async def database(server: EmbeddedServer, name: str, rows: int) -> str:
    """A migrated database with so many consents and refusals; its DSN."""
    dsn = await ensure_database(server.maintenance_dsn, name)
    await migrate(dsn)
    await seed(dsn, rows)
    return dsn


def settings(home: Path, dsn: str) -> Settings:
    """A node's, whose keys are in a folder of `home`."""
    return load_settings({"HEEDLINE_HOME": str(home), "HEEDLINE_DATABASE_URL": dsn})


@contextlib.asynccontextmanager
async def open_sealer(home: Path, dsn: str) -> AsyncIterator[Sealer]:
    """A sealer of the database's log, which is made if there is none, with its key in `home`."""
    pool = await open_pool(dsn, max_size=3)
    try:
        sealer = evidence_node.open_sealer(settings(home, dsn), pool)
        if not await sealer.ready():
            raise SystemExit("the log's key is not here")
        yield sealer
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def open_gate(dsn: str) -> AsyncIterator[Gate]:
    """A gate at ten o'clock on a working day of its callees."""
    pool = await open_pool(dsn, max_size=6, reset=_keep)
    gate = Gate(PostgresGateStore(pool), load_packs(), lambda: NOON, patience_s=30)
    try:
        yield gate
    finally:
        await gate.close()
        await pool.close()


async def _keep(_: asyncpg.Connection) -> None:
    """Nothing to reset."""


def request(n: int) -> CallRequest:
    """A call to the callee of that number, who agreed."""
    return CallRequest(
        callee=f"+{FIRST_CALLEE + n}", seller="acme", trunk="carrier", presented=PRESENTED, call_id=f"1795500000.{n}"
    )


async def payloads(dsn: str, count: int) -> list[str]:
    """What the entries of so many decisions say, made by the gate itself."""
    made: list[str] = []
    async with open_gate(dsn) as gate:
        for n in range(count):
            asked = request(n)
            facts, verdict = await gate.check(asked)
            made.append(decision_payload(asked, facts, verdict, NOON))
    return made


async def fill(dsn: str, said: Sequence[str], count: int) -> None:
    """Write so many entries, a thousand a statement; they then wait for their leaves."""
    pool = await open_pool(dsn, max_size=2)
    places = iter(range(0, count, _TOGETHER))

    async def write() -> None:
        for first in places:
            some = range(first, min(first + _TOGETHER, count))
            texts = [said[n % len(said)] for n in some]
            await pool.execute(WRITE, now(), ["decision"] * len(some), list(some), texts)

    await asyncio.gather(write(), write())
    await pool.close()


def share(values: Sequence[float], of: float) -> float:
    """The value that so large a share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(of * len(values)))]
