"""A database that is lost, slow, hung or full, and a clock that was set: refusals, nothing half-written, recovery."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from db.bulk_store import PostgresBulkStore
from dialer import app
from dialer.app import Database, Registers, open_imports
from dialer.config import Gate as GateSettings
from dialer.config import Settings
from dialer.errors import StoreUnavailable
from dialer.gate import UNAVAILABLE, Gate
from dialer.import_rows import REFUSALS
from dialer.imports import Sheet
from dialer.ports import CalleeRecord, Configuration, DecisionRow, GateStore, GateTransaction
from dialer.verdict import Outcome
from tests.gate_world import (
    CHINA,
    SetClock,
    World,
    digits,
    furnish,
    open_gate,
    open_store,
    packs,
    place_now,
    redeem,
    rows,
)

LOCK = "select pg_advisory_lock(callee_lock($1))"
UNLOCK = "select pg_advisory_unlock(callee_lock($1))"
WAITING = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
SERVICE = "select pid from pg_stat_activity where datname = current_database() and application_name = 'heedline'"


@pytest.fixture
def clock() -> SetClock:
    """Within hours in China."""
    return SetClock()


@pytest.fixture
async def world(registers: Registers) -> World:
    """Sellers, a trunk and a number, in China."""
    return await furnish(registers, CHINA)


@pytest.fixture
async def here(registers: Registers) -> World:
    """The same where it is a permitted hour by the real clock."""
    return await furnish(registers, place_now())


@pytest.fixture
async def wired(settings: Settings, database: Database) -> AsyncIterator[Gate]:
    """The gate as a node has it, with a patience of a quarter of a second."""
    hasty = settings.model_copy(update={"gate": GateSettings(patience_ms=250)})
    async with app.open_gate(hasty, database) as gate:
        yield gate


@dataclass(frozen=True)
class Interrupted:
    """A store to which something happens when a batch has read and not yet written."""

    store: GateStore
    happens: Callable[[], Awaitable[None]]

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[GateTransaction]:
        """As the store's."""
        async with self.store.transaction(read_only=read_only) as transaction:
            yield _Interrupted(transaction, self.happens)

    async def redeem(
        self, permit_hash: bytes, callee: str, presented: str, by: str, now: datetime, payload: str
    ) -> int | None:
        """As the store's."""
        return await self.store.redeem(permit_hash, callee, presented, by, now, payload)


@dataclass(frozen=True)
class _Interrupted:
    transaction: GateTransaction
    happens: Callable[[], Awaitable[None]]

    async def load(
        self, callees: Sequence[int], since: datetime, now: datetime, hashes: Sequence[bytes] | None = None
    ) -> tuple[Configuration, dict[int, CalleeRecord]]:
        return await self.transaction.load(callees, since, now, hashes)

    async def record(self, made: Sequence[DecisionRow], now: datetime, permits_expire: datetime) -> list[int]:
        await self.happens()
        return await self.transaction.record(made, now, permits_expire)


async def allowed(gate: Gate, world: World) -> None:
    """A fresh callee may be called, to the end: decided, recorded and redeemed."""
    answer = await gate.decide(world.request(await world.callee()))
    assert answer.verdict.outcome is Outcome.ALLOW
    assert (await redeem(gate, answer)).verdict.outcome is Outcome.ALLOW


# Lost.


async def test_a_connection_lost_between_reading_and_writing_costs_its_batch_alone(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """Every call of the batch is refused, no row is left, and the next call is allowed on another connection."""

    async def cut() -> None:
        if cuts:
            cuts.pop()
            for row in await owner.fetch(SERVICE):
                await owner.execute("select pg_terminate_backend($1, 5000)", row["pid"])

    cuts: list[int] = []
    async with open_store(database.dsn) as store:
        gate = Gate(Interrupted(store, cut), packs(), clock, patience_s=10)
        await allowed(gate, world)
        callees = await world.callees(owner, 8)
        before = await rows(owner)
        cuts += [1, 1]  # both workers may have taken some
        answers = await asyncio.gather(*[gate.decide(world.request(callee)) for callee in callees])
        assert answers.count(UNAVAILABLE) >= 7
        cuts.clear()
        after = await rows(owner)
        assert after["decisions"] - before["decisions"] == 8 - answers.count(UNAVAILABLE)
        await allowed(gate, world)


@pytest.mark.parametrize("table", ["decisions", "attempts"])
async def test_a_connection_lost_at_the_commit_leaves_nothing(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection, table: str
) -> None:
    """The server ends the session while it commits: the call is refused, no row is left, and the gate recovers."""
    await owner.execute(
        "create function cut() returns trigger language plpgsql security definer as"
        " $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$"
    )
    async with open_gate(database.dsn, clock) as gate:
        callee = await world.callee()
        before = await rows(owner)
        await owner.execute(
            f"create constraint trigger cut after insert on {table} deferrable initially deferred"
            " for each row execute function cut()"
        )
        assert await gate.decide(world.request(callee)) == UNAVAILABLE
        await owner.execute(f"drop trigger cut on {table}")
        assert await rows(owner) == before
        await allowed(gate, world)


# Slow.


async def test_a_lock_that_is_held_too_long_refuses_and_is_forgotten(
    wired: Gate, here: World, owner: asyncpg.Connection
) -> None:
    """Decisions and redemptions of a callee whose lock is held are refused after the gate's patience, again and again
    without using up its connections; others are allowed meanwhile, and he is when the lock is free. What was given up
    has no effect later: his permit is still good."""
    answer = await wired.decide(here.request(await here.callee()))
    stuck = await here.callee()
    for callee in (stuck, answer.callee):
        await owner.execute(LOCK, digits(callee))
    before = await rows(owner)
    for _ in range(4):
        assert await wired.decide(here.request(stuck)) == UNAVAILABLE
        assert await redeem(wired, answer) == UNAVAILABLE
    assert await rows(owner) == before
    await allowed(wired, here)
    for callee in (stuck, answer.callee):
        await owner.execute(UNLOCK, digits(callee))
    assert (await redeem(wired, answer)).decision == answer.decision
    assert (await wired.decide(here.request(stuck))).permit


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """These processes do nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("use", ["decide", "redeem"])
async def test_a_server_that_hangs_is_not_waited_for(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection, use: str
) -> None:
    """While every server process of the gate is stopped, decisions and redemptions come back refused, and those after
    them are served by new ones."""
    async with open_store(database.dsn, statement_timeout_s=3600) as store:
        gate = Gate(store, packs(), clock, patience_s=0.25)
        answer = await gate.decide(world.request(await world.callee()))
        callee, other = await world.callee(), await world.callee()
        with stopped([row["pid"] for row in await owner.fetch(SERVICE)]):
            async with asyncio.timeout(30):
                refused = await (redeem(gate, answer) if use == "redeem" else gate.decide(world.request(callee)))
                assert refused == UNAVAILABLE
                assert (await redeem(gate, await gate.decide(world.request(other)))).decision


async def test_an_import_of_refusals_ends_after_every_decision_under_way(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """A batch that has read before the import is over before the import has returned."""
    callee = await world.callee()
    text = f"number\n{callee}\n"

    async def bring() -> None:
        sheet = Sheet(io.BytesIO(text.encode()), "refusals", REFUSALS.columns)
        assert (await open_imports(database, "test").refusals(sheet, seller="*")).kept

    async with open_store(database.dsn) as store:
        async with store.transaction() as transaction:
            _, records = await transaction.load([digits(callee)], clock.now - timedelta(days=1), clock.now)
            assert records[digits(callee)].refusals == []
            importing = asyncio.create_task(bring())
            while not await owner.fetchval(WAITING):
                assert not importing.done()
        await importing
        async with store.transaction() as transaction:
            _, records = await transaction.load([digits(callee)], clock.now - timedelta(days=1), clock.now)
            assert len(records[digits(callee)].refusals) == 1


async def test_an_importer_that_falls_asleep_at_its_commit_does_not_stop_the_gate(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """It is ended within seconds, its import undone, and calls are decided."""
    async with open_gate(database.dsn, clock) as gate:
        callee = await world.callee()

        async def sleeper() -> None:
            async with PostgresBulkStore(database.pool).refusals(clock.now) as writer:
                await writer.add([(digits(callee), None, "import", clock.now, None, "{}")])
                await writer.put()
                await writer.commit(clock.now, "refusal.imported", "{}")
                assert (await gate.decide(world.request(callee))).permit

        with pytest.raises(StoreUnavailable):
            await sleeper()
        assert await owner.fetchval("select count(*) from refusals") == 0


# Full.


@contextmanager
def small_disk(owner_of: Path) -> Iterator[Path | None]:
    """A file system of 2 MB that belongs to whoever owns that folder; None when none may be mounted here."""
    folder = Path(tempfile.mkdtemp(dir=owner_of.parent))
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False, capture_output=True
    ).returncode  # fmt: skip
    try:
        os.chown(folder, owner_of.stat().st_uid, owner_of.stat().st_gid)
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


async def test_a_full_disk_refuses_and_leaves_nothing(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """No room for the evidence: the call is refused and neither decision nor attempt is kept; with room it is allowed.

    Where no file system may be mounted (a plain user), a trigger raises the server's error for a full disk instead.
    """
    data = Path(await owner.fetchval("show data_directory"))
    callees = await world.callees(owner, 200)
    with small_disk(data) as disk:
        async with open_gate(database.dsn, clock) as gate, full(owner, disk) as make_room:
            for callee in callees:  # the last page may have room for some more
                before = await rows(owner)
                answer = await gate.decide(world.request(callee))
                if answer == UNAVAILABLE:
                    break
            assert answer == UNAVAILABLE
            assert await rows(owner) == before
            await make_room()
            await allowed(gate, world)


@asynccontextmanager
async def full(owner: asyncpg.Connection, disk: Path | None) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The evidence is on a disk without room; gives what makes room."""
    if disk is None:
        await owner.execute(
            "create function full() returns trigger language plpgsql as"
            " $$ begin raise 'no space left on device' using errcode = 'disk_full'; end $$;"
            " create trigger full before insert on evidence for each row execute function full()"
        )

        async def drop() -> None:
            await owner.execute("drop trigger full on evidence")

        yield drop
        return
    await owner.execute(f"create tablespace small location '{disk}'")
    await owner.execute("alter table evidence set tablespace small")
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(4096))

    async def remove() -> None:
        filler.unlink()

    yield remove
    await owner.execute("alter table evidence set tablespace pg_default")
    await owner.execute("drop tablespace small")
