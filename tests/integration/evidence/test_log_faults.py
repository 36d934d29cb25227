"""A campaign of faults against the log: two nodes that hold its key, and their database, are killed at random points
while calls are decided, refusals told and consents imported. What anyone was told is sealed, and nobody was shown two
logs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from unittest import mock

import aiohttp
import asyncpg
import pytest

from agi.pbx.instance import free_port
from db.embedded import ensure_database
from db.pool import open_pool
from dialer.app import Database, open_database, open_imports, open_registers
from dialer.config import Settings, load
from dialer.erasure_key import ErasureKey
from dialer.fsck.run import Checked, Kept
from dialer.fsck_node import check_log
from dialer.import_rows import CONSENTS
from dialer.imports import Sheet
from dialer.permits import permit_hash
from tests.gate_world import SELLER, World, digits, furnish, place_now
from tests.nodes import PRODUCTION, FaultyNode, switch_of, write_settings
from tests.recorder import Recorder, running_recorder
from tests.servers import Server, own_server
from tests.switch import Switch, allowed

FAULTS = ("kill", "postmaster", "both")
_CHECK_EVERY = 20
_IMPORTED = 30
_BREATH_S = 0.03
_WAITS = "select exists (select from unsealed)"

# How often what was told is in the log.
SEALED = {
    "decisions": """select d.callee, count(l.index) from decisions d
        join evidence e on e.subject = d.id and e.kind = 'decision' join leaves l on l.entry = e.id
        where d.callee = any ($1::bigint[]) group by d.callee""",
    "redemptions": """select a.permit_hash, count(l.index) from attempts a
        join evidence e on e.subject = a.decision_id and e.kind = 'permit.redeemed' join leaves l on l.entry = e.id
        where a.permit_hash = any ($1::bytea[]) and a.redeemed_at is not null group by a.permit_hash""",
    "refusals": """select r.callee, count(l.index) from refusals r
        join evidence e on e.subject = r.id and e.kind = 'refusal' join leaves l on l.entry = e.id
        where r.callee = any ($1::bigint[]) group by r.callee""",
    "consents": """select c.callee, count(l.index) from consents c
        join evidence e on e.subject = c.id and e.kind = 'consent.granted' join leaves l on l.entry = e.id
        where c.callee = any ($1::bigint[]) group by c.callee""",
}


@dataclass(frozen=True, slots=True)
class Door:
    """Where one node is asked. `up` is set while it runs."""

    node: FaultyNode
    switch: Switch
    url: str
    up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Load:
    """Callers and callees without end; what they were told, by callee, and every checkpoint that was seen."""

    doors: Sequence[Door]
    recorder: Recorder
    chance: random.Random
    world: World
    agreed: list[str] = field(default_factory=list)
    told: dict[str, Counter[int | bytes]] = field(default_factory=lambda: {name: Counter() for name in SEALED})
    seen: dict[int, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def calls(self, door: Door) -> None:
        """One call after the other; a permit is used where it came from."""
        while True:
            await door.up.wait()
            callee = self.agreed.pop() if self.agreed and self.chance.random() < 0.7 else self._stranger()
            answer = await door.switch.check(callee)
            is_decided = bool(answer.get("GATE_VERDICT")) and "GATE_UNAVAILABLE" not in answer.get("GATE_REASONS", "")
            if is_decided:
                self.told["decisions"][digits(callee)] += 1
            if allowed(answer):
                used = await door.switch.redeem(answer["GATE_PERMIT"], answer["GATE_CALLEE"], answer["GATE_PRESENTED"])
                if allowed(used):
                    self.told["redemptions"][permit_hash(answer["GATE_PERMIT"])] += 1
                    await self._count("redeemed")
            await self._count(door.url, "decided" if is_decided else "unavailable")
            await asyncio.sleep(_BREATH_S)

    async def refusals(self, door: Door) -> None:
        """One refusal after the other, by key."""
        while True:
            await door.up.wait()
            callee = self._stranger()
            told = ("keyed", "call", str(uuid.uuid4()), "", callee, SELLER, "9", str(int(time.time())), "", "", "1.1")
            status = (await door.switch.ask("refusal", *told)).get("REFUSAL_STATUS", "no answer")
            if status in ("RECORDED", "SPOOLED"):
                self.told["refusals"][digits(callee)] += 1
            await self._count(f"refusal {status}")
            await asyncio.sleep(_BREATH_S)

    async def recordings(self) -> None:
        """One refusal after the other, by another process."""
        while True:
            callee = self._stranger()
            told = await self.recorder.record(digits(callee), SELLER)
            if not told.failed:
                self.told["refusals"][digits(callee)] += 1
            await self._count("recording failed" if told.failed else "recording")
            await asyncio.sleep(_BREATH_S)

    async def look(self, door: Door) -> None:
        """What anyone can see of the log."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while True:
                await door.up.wait()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with session.get(f"{door.url}/log/checkpoint") as response:
                        text = await response.text()
                        if response.status == 200:
                            size = int(text.split("\n")[1])
                            assert self.seen.setdefault(size, text).split("\n\n")[0] == text.split("\n\n")[0]
                            await self._count("checkpoint seen")
                await asyncio.sleep(0.1)

    async def more(self, names: Sequence[str], by: int) -> None:
        """Wait until there are so many more answers of each of these names."""
        wanted = {name: self.answers[name] + by for name in names}
        await self.until(lambda: all(self.answers[name] >= count for name, count in wanted.items()))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what was answered or seen."""
        async with self.changed, asyncio.timeout(90):
            await self.changed.wait_for(holds)

    def _stranger(self) -> str:
        """Anyone; there are not so many numbers that each could be told of once."""
        return self.world.place.callee(self.chance)

    async def _count(self, *names: str) -> None:
        async with self.changed:
            self.answers.update(names)
            self.changed.notify_all()


@dataclass
class Campaign:
    """Strikes and mends."""

    load: Load
    server: Server
    settings: Settings
    lanes: Sequence[asyncio.Task[None]]

    async def round(self, fault: str, victim: Door) -> None:
        """Load, a fault at a random point of it, and after it was mended a checkpoint over more than before."""
        await self._import()
        urls = [door.url for door in self.load.doors]
        await self.load.more(urls, 3)
        await asyncio.sleep(self.load.chance.uniform(0, 0.5))
        if fault in ("kill", "both"):
            victim.up.clear()
            await victim.node.kill()
        if fault in ("postmaster", "both"):
            await asyncio.to_thread(kill_postmaster, self.server)
            await asyncio.to_thread(self.server.start)
        if fault in ("kill", "both"):
            await victim.node.start()
            victim.up.set()
        newest = max(self.load.seen, default=0)
        await self.load.more(urls, 3)
        await self.load.until(lambda: max(self.load.seen, default=0) > newest)
        self.claims()

    def claims(self) -> None:
        """Raise what a lane found."""
        for lane in self.lanes:
            if lane.done():
                lane.result()

    async def rest(self) -> None:
        """End the load."""
        for lane in self.lanes:
            lane.cancel()
        for result in await asyncio.gather(*self.lanes, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def sealed(self) -> None:
        """Wait until nothing waits, neither on the nodes' disk nor in the queue."""
        connection = await asyncpg.connect(self.settings.database.url)
        async with asyncio.timeout(60):
            while list(self.settings.spool_folder.glob("*.json")) or await connection.fetchval(_WAITS):  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # files announce nothing
        await connection.close()

    async def check(self) -> Checked:
        """The log, derived again, against every checkpoint that was seen."""
        kept = [Kept(f"seen at {size}", text) for size, text in self.load.seen.items()]
        async with self._database() as database:
            found = await check_log(self.settings, database, kept=kept, processes=0)
        assert [fault.text() for fault in found.findings.faults] == []
        return found

    async def missing(self) -> dict[str, dict[int | bytes, int]]:
        """What was told more often than it is in the log."""
        connection = await asyncpg.connect(self.settings.database.url)
        lost = {}
        for what, query in SEALED.items():
            told = self.load.told[what]
            lost[what] = dict(told - Counter(dict(map(tuple, await connection.fetch(query, list(told))))))
        await connection.close()
        return lost

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        """The database, whose schema is known."""
        dsn = self.settings.database.url
        pool = await open_pool(dsn)
        yield Database(dsn, pool, None, ErasureKey(self.settings.keys_folder))
        pool.terminate()

    async def _import(self) -> None:
        load_ = self.load
        callees = [load_.world.fresh() for _ in range(_IMPORTED)]
        rows = "".join(f"{callee},{SELLER},2026-01-01,written\n" for callee in callees)
        sheet = Sheet(io.BytesIO(f"number,seller,granted_at,basis\n{rows}".encode()), "file.csv", CONSENTS.columns)
        async with self._database() as database:
            assert (await open_imports(database, "test").consents(sheet)).complete
        load_.agreed += callees
        load_.told["consents"].update(set(map(digits, callees)))


def kill_postmaster(server: Server) -> None:
    """SIGKILL; returns when the last of its processes has gone."""
    postmaster = int((server.data / "postmaster.pid").read_text("utf-8").split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii").split()
    os.kill(postmaster, signal.SIGKILL)
    for pid in (str(postmaster), *children):
        while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
    # Where nobody reaps orphans the dead one still has its id, which would be taken for a server that runs.
    for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (server.data / lock).unlink(missing_ok=True)


@asynccontextmanager
async def campaign(folder: Path, seed: int) -> AsyncIterator[Campaign]:
    """Two nodes with one home and one database of their own, under load."""
    home = str(folder / "home")
    async with AsyncExitStack() as stack:
        server = stack.enter_context(own_server())
        stack.enter_context(mock.patch.dict(os.environ, {"HEEDLINE_HOME": home}))
        dsn = await ensure_database(server.maintenance_dsn, "heedline")
        settings = load({"HEEDLINE_HOME": home, "HEEDLINE_DATABASE_URL": dsn})
        async with open_database(settings) as database:
            world = await furnish(open_registers(database, "test"), place_now())
        doors = [await stack.enter_async_context(_door(folder / f"node-{n}", dsn, world)) for n in range(2)]
        recorder = await stack.enter_async_context(running_recorder(dsn, home))
        load_ = Load(doors, recorder, random.Random(seed), world)  # noqa: S311 - no secret
        works = [work for door in doors for work in (load_.calls(door), load_.refusals(door), load_.look(door))]
        lanes = [asyncio.create_task(work) for work in (*works, *(load_.calls(door) for door in doors))]
        lanes.append(asyncio.create_task(load_.recordings()))
        struggle = Campaign(load_, server, settings, lanes)
        try:
            yield struggle
        finally:
            await struggle.rest()


@asynccontextmanager
async def _door(folder: Path, dsn: str, world: World) -> AsyncIterator[Door]:
    """A node with an HTTP port that stays the same."""
    file, agi_port = write_settings(folder, dsn, PRODUCTION)
    http_port = free_port("127.0.0.1")
    file.write_text(file.read_text("utf-8").replace("[http]\nport = 0", f"[http]\nport = {http_port}"), "utf-8")
    node = FaultyNode(file, agi_port)
    await node.start()
    door = Door(node, switch_of(node, world.place, deadline_s=1.5), f"http://127.0.0.1:{http_port}")
    door.up.set()
    try:
        yield door
    finally:
        await node.stop()


@pytest.mark.soak
@pytest.mark.parametrize("rounds", [200])
async def test_no_committed_entry_is_lost(tmp_path: Path, rounds: int) -> None:
    """Whatever was killed and when: what was told is in the log, once; the log has no gap; and every checkpoint that
    anyone was shown is of this one log."""
    rounds = int(os.environ.get("HEEDLINE_ROUNDS", rounds))
    chance = random.Random(rounds)  # noqa: S311 - no secret
    began = time.monotonic()
    async with campaign(tmp_path, rounds) as struggle:
        for number, fault in enumerate(islice(cycle(FAULTS), rounds), 1):
            await struggle.round(fault, chance.choice(struggle.load.doors))
            if number % _CHECK_EVERY == 0:
                await struggle.check()
        await struggle.rest()
        await struggle.sealed()
        found, lost = await struggle.check(), await struggle.missing()
    told = {what: each.total() for what, each in struggle.load.told.items()}
    seen = len(struggle.load.seen)
    print(
        f"\n{rounds} rounds in {time.monotonic() - began:.0f} s: {found.size} leaves, {found.checkpoints} checkpoints"
    )
    print(
        f"told {json.dumps(told)}, {seen} checkpoints seen, {json.dumps(dict(sorted(struggle.load.answers.items())))}"
    )
    assert lost == {what: {} for what in SEALED}
    assert found.waiting == 0
    assert all(told.values())
