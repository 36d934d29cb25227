"""A campaign of faults against refusals: two nodes and their database are killed, stopped and crashed at random while
refusals are told by key, by the HTTP API and by other processes; none that was confirmed may be missing."""

from __future__ import annotations

import asyncio
import json
import os
import random
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
from dialer.app import open_database, open_registers, open_tokens
from dialer.config import load
from dialer.ports_tokens import Scope
from tests.gate_world import SELLER, World, digits, furnish, place_now
from tests.nodes import PRODUCTION, FaultyNode, mend, strike, switch_of, write_settings
from tests.recorder import Recorder, running_recorder
from tests.servers import Server, own_server
from tests.switch import Switch, allowed

FAULTS = ("kill", "crash", "freeze", "stop")
WAYS = ("key", "api", "process")
_STOCK = 200

# Each finds what must not be.
CONTRADICTIONS = {
    "a receipt of two refusals, or of none": """
        select c.receipt from refusal_receipts c left join refusals r on r.id = c.refusal_id
        group by c.receipt having count(r.id) <> 1""",
    "a refusal of two receipts": """
        select refusal_id from refusal_receipts group by refusal_id having count(*) <> 1""",
    "a refusal without its one evidence entry": """
        select r.id from refusals r left join evidence e on e.kind = 'refusal' and e.subject = r.id
        group by r.id having count(e.id) <> 1""",
    "evidence of a refusal that is not there": """
        select e.id from evidence e
        where e.kind = 'refusal' and not exists (select from refusals r where r.id = e.subject)""",
    "a call that was allowed after its callee's refusal was recorded": """
        select r.id from refusals r join evidence said on said.kind = 'refusal' and said.subject = r.id
        join decisions d on d.callee = r.callee and d.outcome = 'ALLOW'
        join evidence e on e.subject = d.id and e.kind in ('decision', 'permit.redeemed') where e.id > said.id""",
}


@dataclass(frozen=True, slots=True)
class Door:
    """Where one node is told of refusals. `up` is set while it runs."""

    node: FaultyNode
    switch: Switch
    http_port: int
    up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Load:
    """Callees who refuse without end, and what those who told of it were answered."""

    doors: Sequence[Door]
    recorder: Recorder
    token: str
    chance: random.Random
    callees: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    confirmed: dict[str, str] = field(default_factory=dict)
    receipts: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def lane(self, way: str, door: Door) -> None:
        """One refusal after the other at a node; a confirmed one binds there from then on."""
        while True:
            await door.up.wait()
            callee = await self.callees.get()
            answer = await self._tell(way, door, callee)
            if answer in ("RECORDED", "SPOOLED"):
                self.confirmed[callee] = way
                assert not allowed(await door.switch.check(callee)), f"{callee} was {answer} and may be called"
            async with self.changed:
                self.answers[f"{way} {answer}"] += 1
                self.answers[way] += 1
                self.changed.notify_all()

    async def _tell(self, way: str, door: Door, callee: str) -> str:
        match way:
            case "key":
                return await self._by_key(door, callee)
            case "api":
                return await self._by_api(door, callee)
        told = await self.recorder.record(digits(callee), SELLER)
        return "failed" if told.failed else "RECORDED"

    async def _by_key(self, door: Door, callee: str) -> str:
        receipt = str(uuid.uuid4())
        told = ("keyed", "call", receipt, "", callee, SELLER, "9", str(int(time.time())), "", "", "1.1")
        status = (await door.switch.ask("refusal", *told)).get("REFUSAL_STATUS", "no answer")
        if status in ("RECORDED", "SPOOLED"):
            self.receipts.add(receipt)
        return status

    async def _by_api(self, door: Door, callee: str) -> str:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(uuid.uuid4())}
        url = f"http://127.0.0.1:{door.http_port}/api/v1/refusals"
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=8)) as session,
                session.post(url, json={"number": callee, "seller": SELLER}) as response,
            ):
                await response.read()
                return "RECORDED" if response.status in (200, 201) else str(response.status)
        except (aiohttp.ClientError, TimeoutError):
            return "no answer"

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what was answered."""
        async with self.changed, asyncio.timeout(90):
            await self.changed.wait_for(holds)

    async def more(self, names: Sequence[str], by: int) -> None:
        """Wait until there are so many more answers of each of these names."""
        wanted = {name: self.answers[name] + by for name in names}
        await self.until(lambda: all(self.answers[name] >= count for name, count in wanted.items()))


@dataclass
class Campaign:
    """Strikes and mends."""

    load: Load
    server: Server
    world: World
    dsn: str
    spool: Path
    lanes: Sequence[asyncio.Task[None]]

    async def round(self, fault: str, victim: int) -> None:
        """Load, a fault in the midst of it, and confirmations of every way after it was mended."""
        await self._stock()
        await self.load.more(WAYS, 3)
        await strike(fault, self.load.doors[victim].node, self.load.doors[victim].up, self.server)
        await self.load.more(("key",), 6)
        await mend(fault, self.load.doors[victim].node, self.load.doors[victim].up, self.server)
        await self._stock()
        await self.load.more([f"{way} RECORDED" for way in WAYS], 2)
        for lane in self.lanes:
            if lane.done():
                lane.result()  # what was claimed and did not hold

    async def rest(self) -> None:
        """End the load; raise what a lane found."""
        for lane in self.lanes:
            lane.cancel()
        for result in await asyncio.gather(*self.lanes, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def replayed(self) -> None:
        """Wait until nothing waits on disk."""
        async with asyncio.timeout(60):
            while list(self.spool.glob("*.json")):  # noqa: ASYNC110 # files announce nothing
                await asyncio.sleep(0.05)

    async def _stock(self) -> None:
        connection = await asyncpg.connect(self.dsn)
        for callee in await self.world.callees(connection, max(0, _STOCK - self.load.callees.qsize())):
            self.load.callees.put_nowait(callee)
        await connection.close()


@asynccontextmanager
async def campaign(folder: Path, seed: int) -> AsyncIterator[Campaign]:
    """Two nodes with one home, told of refusals over a database of their own."""
    home = str(folder / "home")
    async with AsyncExitStack() as stack:
        server = stack.enter_context(own_server())
        stack.enter_context(mock.patch.dict(os.environ, {"HEEDLINE_HOME": home}))
        dsn = await ensure_database(server.maintenance_dsn, "heedline")
        settings = load({"HEEDLINE_HOME": home, "HEEDLINE_DATABASE_URL": dsn})
        async with open_database(settings) as database:
            world = await furnish(open_registers(database, "test"), place_now())
            _, token = await open_tokens(database, "test").add("campaign", tuple(Scope), None)
        doors = [await stack.enter_async_context(_door(folder / f"node-{n}", dsn, world)) for n in range(2)]
        recorder = await stack.enter_async_context(running_recorder(dsn, home))
        load_ = Load(doors, recorder, token, random.Random(seed))  # noqa: S311 - no secret
        lanes = [asyncio.create_task(load_.lane(way, door)) for door in doors for way in (*WAYS, "key")]
        struggle = Campaign(load_, server, world, dsn, settings.spool_folder, lanes)
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
    door = Door(node, switch_of(node, world.place, deadline_s=1.5), http_port)
    door.up.set()
    try:
        yield door
    finally:
        await node.stop()


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=pytest.mark.soak)])
async def test_no_refusal_that_was_confirmed_is_lost(tmp_path: Path, rounds: int) -> None:
    """Whatever was killed, stopped or crashed: each refusal that was answered RECORDED or SPOOLED, by whichever way,
    bound at once where it was told, and is on record in the end, once by its receipt, with its evidence."""
    chance = random.Random(rounds)  # noqa: S311 - no secret
    async with campaign(tmp_path, rounds) as struggle:
        for fault in islice(cycle(FAULTS), rounds):
            await struggle.round(fault, chance.randrange(2))
        await struggle.rest()
        await struggle.replayed()
        told = struggle.load
        connection = await asyncpg.connect(struggle.dsn)
        for what, query in CONTRADICTIONS.items():
            assert await connection.fetch(query) == [], what
        present = {row["callee"] for row in await connection.fetch("select callee from refusals")}
        receipts = {row["receipt"] for row in await connection.fetch("select receipt from refusal_receipts")}
        await connection.close()
    print(f"\n{rounds} rounds: {json.dumps(dict(sorted(told.answers.items())))}")
    assert {callee for callee in told.confirmed if digits(callee) not in present} == set()
    assert {receipt for receipt in told.receipts if not any(receipt in known for known in receipts)} == set()
    assert set(told.confirmed.values()) == set(WAYS)
    assert told.answers["key SPOOLED"] > 0
