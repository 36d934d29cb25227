"""A campaign of faults: two nodes and their database are killed, stopped and crashed at random under load; afterwards
the books must be whole."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import asyncpg
import pytest

from db.embedded import ensure_database
from dialer.app import open_database, open_registers
from dialer.config import load
from dialer.permits import permit_hash
from tests.gate_world import World, furnish, place_now
from tests.nodes import PRODUCTION, FaultyNode, mend, running_nodes, strike, switch_of
from tests.servers import Server, own_server
from tests.switch import Switch, allowed

LANES = 6  # calls in flight at each node
FAULTS = ("kill", "freeze", "crash", "stop")

# Each finds what must not be: the books do not agree, or a cap of one call a day was exceeded.
CONTRADICTIONS = {
    "a decision without its one evidence entry": """
        select d.id from decisions d left join evidence e on e.kind = 'decision' and e.subject = d.id
        group by d.id having count(e.id) <> 1""",
    "evidence of a decision that is not there": """
        select e.id from evidence e where e.kind in ('decision', 'permit.redeemed')
        and not exists (select from decisions d where d.id = e.subject)""",
    "an allowed call without an attempt, or another's": """
        select d.id from decisions d left join attempts a on a.decision_id = d.id
        where (d.outcome = 'ALLOW') <> (a.decision_id is not null) or a.callee <> d.callee""",
    "an attempt without a decision": """
        select a.decision_id from attempts a where not exists (select from decisions d where d.id = a.decision_id)""",
    "a redemption without its one evidence entry": """
        select a.decision_id from attempts a left join evidence e
            on e.kind = 'permit.redeemed' and e.subject = a.decision_id
        group by a.decision_id having count(e.id) <> count(a.redeemed_at)""",
    "two permits over the cap": """
        select b.decision_id from attempts a join attempts b on b.callee = a.callee and b.decision_id > a.decision_id
        where a.redeemed_at is not null or a.expires_at > b.at""",
}


@dataclass
class Load:
    """Calls without end, and what the switches were told. `up` says which nodes run."""

    switches: Sequence[Switch]
    callees: list[str]
    chance: random.Random
    up: Sequence[asyncio.Event]
    issued: list[Mapping[str, str]] = field(default_factory=list)
    redeemed: list[str] = field(default_factory=list)
    ended: list[int] = field(default_factory=lambda: [0, 0])
    allowed: list[int] = field(default_factory=lambda: [0, 0])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def lane(self, node: int) -> None:
        """One call after the other at a node; a permit is used at either."""
        while True:
            await self.up[node].wait()
            answer = await self.switches[node].check(self.chance.choice(self.callees))
            if allowed(answer):
                self.issued.append(answer)
                await self._use(answer)
            async with self.changed:
                self.ended[node] += 1
                self.allowed[node] += allowed(answer)
                self.changed.notify_all()

    async def _use(self, answer: Mapping[str, str]) -> None:
        permit = answer["GATE_PERMIT"]
        for switch in self.chance.choices(self.switches, k=self.chance.choice((0, 1, 1, 2))):
            used = await switch.redeem(permit, answer["GATE_CALLEE"], answer["GATE_PRESENTED"])
            if allowed(used):
                self.redeemed.append(permit)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what has happened."""
        async with self.changed, asyncio.timeout(60):
            await self.changed.wait_for(holds)

    async def more(self, counts: list[int], nodes: Sequence[int], by: int) -> None:
        """Wait until a count has grown at each of these nodes."""
        wanted = {node: counts[node] + by for node in nodes}
        await self.until(lambda: all(counts[node] >= count for node, count in wanted.items()))


@dataclass
class Campaign:
    """Strikes and mends."""

    load: Load
    nodes: Sequence[FaultyNode]
    server: Server
    world: World
    dsn: str
    lanes: Sequence[asyncio.Task[None]]

    async def rest(self) -> None:
        """End the load, so that what the switches were told is all that there is to find in the books."""
        for lane in self.lanes:
            lane.cancel()
        await asyncio.gather(*self.lanes, return_exceptions=True)

    async def round(self, fault: str, victim: int) -> None:
        """Load, a fault in the midst of it, and an allowed call at every node after it was mended."""
        await self.fresh_callees(60)
        await self.load.more(self.load.ended, (0, 1), 15)
        await strike(fault, self.nodes[victim], self.load.up[victim], self.server)
        await self.load.more(self.load.ended, (1 - victim,), 10)
        await mend(fault, self.nodes[victim], self.load.up[victim], self.server)
        await self.fresh_callees(60)
        await self.load.more(self.load.allowed, (0, 1), 1)

    async def fresh_callees(self, count: int) -> None:
        """Callees whom nobody called yet, in the place of those before."""
        connection = await asyncpg.connect(self.dsn)
        self.load.callees[:] = await self.world.callees(connection, count)
        await connection.close()


@asynccontextmanager
async def campaign(folder: Path, seed: int) -> AsyncIterator[Campaign]:
    """Two nodes under load over a database of their own."""
    with own_server() as server:
        dsn = await ensure_database(server.maintenance_dsn, "heedline")
        settings = load({"HEEDLINE_HOME": str(folder / "home"), "HEEDLINE_DATABASE_URL": dsn})
        async with open_database(settings) as database:
            world = await furnish(open_registers(database, "test"), place_now())
        async with running_nodes(folder / "nodes", dsn, 2, PRODUCTION) as nodes:
            up = [asyncio.Event() for _ in nodes]
            switches = [switch_of(node, world.place, deadline_s=1.5) for node in nodes]
            calls = Load(switches, [world.fresh()], random.Random(seed), up)  # noqa: S311 - no secret
            lanes = [asyncio.create_task(calls.lane(node)) for node in (0, 1) for _ in range(LANES)]
            for event in up:
                event.set()
            struggle = Campaign(calls, nodes, server, world, dsn, lanes)
            try:
                yield struggle
            finally:
                await struggle.rest()


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=pytest.mark.soak)])
async def test_the_books_are_whole_after_any_faults(tmp_path: Path, rounds: int) -> None:
    """Whatever was killed, stopped or crashed under load, it recovers unaided; every permit that a switch was given is
    on record, every redemption too and once, decisions, evidence and attempts agree, and no cap was exceeded."""
    chance = random.Random(rounds)  # noqa: S311 - no secret
    async with campaign(tmp_path, rounds) as struggle:
        for fault in islice(cycle(FAULTS), rounds):
            await struggle.round(fault, chance.randrange(2))
        await struggle.rest()
        told = struggle.load
        connection = await asyncpg.connect(struggle.dsn)
        for what, query in CONTRADICTIONS.items():
            assert await connection.fetch(query) == [], what
        kept = {
            row["permit_hash"]: row["redeemed_at"] is not None
            for row in await connection.fetch("select permit_hash, redeemed_at from attempts")
        }
        await connection.close()
    assert {permit_hash(answer["GATE_PERMIT"]) for answer in told.issued} <= kept.keys()
    assert len(set(told.redeemed)) == len(told.redeemed) > 0
    assert all(kept[permit_hash(permit)] for permit in told.redeemed)
