"""Races of real processes: two nodes and a recorder of refusals over one PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import asyncpg
import pytest

from dialer.app import Database, Registers, open_imports
from dialer.import_rows import REFUSALS
from dialer.imports import Sheet
from dialer.ports_refusals import NewRefusal
from tests.gate_world import GRANTED, World, digits, furnish, place_now
from tests.nodes import Patience, running_nodes, switch_of
from tests.switch import Switch, allowed


@pytest.fixture
async def world(registers: Registers) -> World:
    """Sellers, a trunk and a number, where it is a permitted hour now."""
    return await furnish(registers, place_now())


@asynccontextmanager
async def two_switches(folder: Path, database: Database, world: World) -> AsyncIterator[list[Switch]]:
    """Two nodes over the database, and a switch at each."""
    async with running_nodes(folder, database.dsn, 2, Patience()) as nodes:
        yield [switch_of(node, world.place) for node in nodes]


def rounds(suite: int, soak: int) -> pytest.MarkDecorator:
    """A few rounds in the suite, many in the soak."""
    return pytest.mark.parametrize("rounds", [suite, pytest.param(soak, marks=pytest.mark.soak)])


@rounds(5, 200)
async def test_two_hundred_checks_at_once_on_two_nodes_issue_one_permit(
    tmp_path: Path, database: Database, world: World, owner: asyncpg.Connection, rounds: int
) -> None:
    """With a cap of one, each callee gets one permit of 200 checks, and every other check is told of the cap."""
    callees = await world.callees(owner, rounds)
    async with two_switches(tmp_path, database, world) as switches:
        for callee in callees:
            answers = await asyncio.gather(*[switch.check(callee) for switch in switches for _ in range(100)])
            assert Counter(answer["GATE_VERDICT"] for answer in answers) == {"ALLOW": 1, "DEFER": 199}
            assert {answer["GATE_REASONS"] for answer in answers} == {"", "CAP_REACHED"}
    assert await owner.fetchval("select count(*) from attempts") == rounds
    assert await owner.fetchval("select count(*) from decisions") == 200 * rounds


@dataclass
class Callee:
    """One callee whom both nodes are about to call; each permit is used as soon as it is there."""

    number: str
    switches: Sequence[Switch]
    permits: list[Mapping[str, str]] = field(default_factory=list)
    redeemed: int = 0

    def ring(self, times: int) -> list[asyncio.Task[None]]:
        """Start so many calls, by turns on the nodes."""
        return [asyncio.create_task(self._call(switch)) for switch, _ in zip(cycle(self.switches), range(times))]

    async def _call(self, switch: Switch) -> None:
        answer = await switch.check(self.number)
        if allowed(answer):
            self.permits.append(answer)
            self.redeemed += allowed(await self._redeem(switch, answer))

    async def _redeem(self, switch: Switch, answer: Mapping[str, str]) -> Mapping[str, str]:
        return await switch.redeem(answer["GATE_PERMIT"], answer["GATE_CALLEE"], answer["GATE_PRESENTED"])

    async def is_left_alone(self) -> bool:
        """No node allows a call to him any more, nor takes a permit that was issued before."""
        checks = [switch.check(self.number) for switch in self.switches]
        uses = [self._redeem(switch, answer) for switch in self.switches for answer in self.permits]
        checked, used = await asyncio.gather(*checks), await asyncio.gather(*uses)
        return all("REFUSED" in answer["GATE_REASONS"].split(":") for answer in checked) and all(
            answer["GATE_REASONS"] == "PERMIT_INVALID" for answer in used
        )


async def some_done(calls: Sequence[asyncio.Task[None]], count: int) -> None:
    """Wait until so many of the calls are over."""
    for _, first in zip(range(count), asyncio.as_completed(calls)):  # noqa: B905 - no more than are wanted
        await first


@rounds(200, 10_000)
async def test_a_refusal_that_was_recorded_binds_every_node(
    tmp_path: Path, database: Database, world: World, owner: asyncpg.Connection, rounds: int
) -> None:
    """Once recording has returned, no permit for the callee is issued or redeemed on either node, however many calls
    are under way; and none of those comes after the refusal in the evidence."""
    chance = random.Random(rounds)  # noqa: S311 - no secret
    refused = asyncio.Semaphore(8)
    redeemed = 0

    async def one(number: str, before: int, switches: Sequence[Switch]) -> int:
        async with refused:
            callee = Callee(number, switches)
            calls = callee.ring(4)
            await some_done(calls, before)
            await world.registers.refusals.add(NewRefusal(digits(number), None, "agent", GRANTED))
            assert await callee.is_left_alone()
            await asyncio.gather(*calls)
            assert await callee.is_left_alone()
            return callee.redeemed

    async with two_switches(tmp_path, database, world) as switches:
        for start in range(0, rounds, 1000):
            numbers = await world.callees(owner, min(1000, rounds - start))
            redeemed += sum(await asyncio.gather(*[one(n, chance.randrange(5), switches) for n in numbers]))
    assert redeemed > 0
    assert await owner.fetchval("select count(*) from refusals") == rounds
    late = await owner.fetchval(
        "select count(*) from refusals r join evidence said on said.kind = 'refusal' and said.subject = r.id"
        " join decisions d on d.callee = r.callee and d.outcome = 'ALLOW'"
        " join evidence e on e.subject = d.id and e.kind in ('decision', 'permit.redeemed') where e.id > said.id"
    )
    assert late == 0


@rounds(8, 300)
async def test_refusals_that_were_imported_bind_every_node(
    tmp_path: Path, database: Database, world: World, owner: asyncpg.Connection, rounds: int
) -> None:
    """Once an import of refusals has returned, no permit for any callee in it is issued or redeemed on either node."""
    chance = random.Random(rounds)  # noqa: S311 - no secret
    imports = open_imports(database, "test")
    redeemed = 0
    async with two_switches(tmp_path, database, world) as switches:
        for _ in range(rounds):
            callees = [Callee(number, switches) for number in await world.callees(owner, 15)]
            calls = [call for callee in callees for call in callee.ring(3)]
            await some_done(calls, chance.randrange(len(calls)))
            text = "\n".join(["number,at", *[f"{callee.number},{GRANTED.isoformat()}" for callee in callees]])
            report = await imports.refusals(Sheet(io.BytesIO(text.encode()), "refusals", REFUSALS.columns), seller="*")
            newest = await owner.fetchval("select max(id) from evidence")
            assert (report.added, report.bad) == (15, 0)
            assert all(await asyncio.gather(*[callee.is_left_alone() for callee in callees]))
            await asyncio.gather(*calls)
            assert all(await asyncio.gather(*[callee.is_left_alone() for callee in callees]))
            redeemed += sum(callee.redeemed for callee in callees)
            late = await owner.fetchval(
                "select count(*) from evidence e join decisions d on d.id = e.subject"
                " where e.id > $1 and d.outcome = 'ALLOW' and e.kind in ('decision', 'permit.redeemed')",
                newest,
            )
            assert late == 0
    assert redeemed > 0
