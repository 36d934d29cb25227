"""Races of real processes: two nodes, and recorders of refusals, over one PostgreSQL.

Each round has a callee of its own who agreed, a call that is checked at one node and whose permit is redeemed at one,
and a refusal that another process records at a random moment of it. What binds follows from the instants, which are of
one machine's clock: had the recording returned before a question was asked, its answer is no.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from pathlib import Path
from time import time

import asyncpg
import pytest

from dialer.app import Database, Registers
from tests.gate_world import SELLER, World, digits, furnish, place_now
from tests.nodes import Patience, running_nodes, switch_of
from tests.recorder import Recorder, Told, running_recorder
from tests.switch import Switch, allowed

LANES, RECORDERS, BATCH = 32, 3, 500
# The longest pause of a call between two steps, and of a recorder within one; a step lasts some milliseconds.
_PAUSE_S, _WITHIN_S = 0.03, 0.015


class Moment(Enum):
    """When the recording is begun."""

    BEFORE = "before the check"
    CHECKING = "during the check"
    ALLOWED = "between ALLOW and redemption"
    REDEEMING = "during the redemption"
    AFTER = "after the redemption"


class Interleaving(Enum):
    """How recording and call lay in time."""

    BEFORE = "returned before the check"
    IN_CHECK = "returned during the check"
    BETWEEN = "returned between ALLOW and redemption"
    IN_REDEMPTION = "returned during the redemption"
    ACROSS = "begun before the redemption's end, returned after it"
    AFTER = "begun after the redemption"


@dataclass
class Steps:
    """When each step of one round began and ended; infinite: never."""

    recording: Told = field(default_factory=lambda: Told(inf, inf))
    check: tuple[float, float] = (inf, inf)
    redemption: tuple[float, float] = (inf, inf)

    def interleaving(self) -> Interleaving:
        """Which one it was. Where no permit was issued the recording is part of the check, whenever it returned."""
        returned = self.recording.returned
        if returned <= self.check[0]:
            return Interleaving.BEFORE
        if returned <= self.check[1] or self.redemption[0] == inf:
            return Interleaving.IN_CHECK
        if returned <= self.redemption[0]:
            return Interleaving.BETWEEN
        if returned <= self.redemption[1]:
            return Interleaving.IN_REDEMPTION
        return Interleaving.ACROSS if self.recording.begun < self.redemption[1] else Interleaving.AFTER


@dataclass
class Round:
    """One callee's call and refusal."""

    number: str
    switches: Sequence[Switch]
    recorder: Recorder
    chance: random.Random
    steps: Steps = field(default_factory=Steps)
    permit: Mapping[str, str] | None = None
    redeemed: bool = False
    recording: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Play it, and hold its answers against what binds."""
        moment, patient = self.chance.choice(list(Moment)), self.chance.random() < 0.5
        await self._pause(moment is Moment.BEFORE, patient)
        if moment is Moment.CHECKING:
            self._begin(_WITHIN_S)
        asked = time()
        answer = await self.chance.choice(self.switches).check(self.number)
        self.steps.check = (asked, time())
        if allowed(answer):
            self.permit = answer
            await self._pause(moment is Moment.ALLOWED, patient)
            if moment is Moment.REDEEMING:
                self._begin(_WITHIN_S)
            asked = time()
            self.redeemed = allowed(await redeem(self.chance.choice(self.switches), answer))
            self.steps.redemption = (asked, time())
        if self.recording is None:
            self._begin(0)
        assert self.recording is not None
        await self.recording
        self._judge(answer)

    def _judge(self, answer: Mapping[str, str]) -> None:
        told, steps = self.steps.recording, self.steps
        assert not told.failed
        if told.returned <= steps.check[0]:
            assert answer["GATE_VERDICT"] == "REFUSE"
            assert "REFUSED" in answer["GATE_REASONS"].split(":")
        if told.begun >= steps.check[1]:
            assert allowed(answer)
        if told.returned <= steps.redemption[0]:
            assert not self.redeemed
        if self.permit is not None and told.begun >= steps.redemption[1]:
            assert self.redeemed

    async def _pause(self, here: bool, patient: bool) -> None:
        """Between two steps, where the recording is begun if it is to be `here`; the patient call lets it return."""
        if here:
            self._begin(0)
        if here and patient and self.recording is not None:
            await self.recording
        elif here:
            await asyncio.sleep(self.chance.random() * _PAUSE_S)

    def _begin(self, within: float) -> None:
        self.recording = asyncio.create_task(self._record(self.chance.random() * within))

    async def _record(self, after: float) -> None:
        await asyncio.sleep(after)
        self.steps.recording = await self.recorder.record(digits(self.number), self.chance.choice((SELLER, None)))


async def redeem(switch: Switch, answer: Mapping[str, str]) -> Mapping[str, str]:
    """Use a permit."""
    return await switch.redeem(answer["GATE_PERMIT"], answer["GATE_CALLEE"], answer["GATE_PRESENTED"])


@pytest.fixture
async def world(registers: Registers) -> World:
    """Sellers, a trunk and a number, where it is a permitted hour now."""
    return await furnish(registers, place_now())


@asynccontextmanager
async def processes(folder: Path, dsn: str, world: World) -> AsyncIterator[tuple[Sequence[Switch], Sequence[Recorder]]]:
    """A switch at each of two nodes, and recorders."""
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(running_nodes(folder, dsn, 2, Patience()))
        recorders = [
            await stack.enter_async_context(running_recorder(dsn, str(folder / "recorder"))) for _ in range(RECORDERS)
        ]
        yield [switch_of(node, world.place) for node in nodes], recorders


# Evidence of a call that was allowed, or whose permit was redeemed, after the evidence of the callee's refusal.
_LATE = """
    select count(*) from refusals r join evidence said on said.kind = 'refusal' and said.subject = r.id
    join decisions d on d.callee = r.callee and d.outcome = 'ALLOW'
    join evidence e on e.subject = d.id and e.kind in ('decision', 'permit.redeemed') where e.id > said.id
"""


@pytest.mark.parametrize("rounds", [300, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_a_refusal_binds_from_the_instant_that_recording_it_returns(
    tmp_path: Path, database: Database, world: World, owner: asyncpg.Connection, rounds: int
) -> None:
    """Whatever the other processes do meanwhile: a check or a redemption that is asked after the recording returned is
    refused, no permit of a callee who refused can be redeemed afterwards at any node, and each interleaving came up."""
    chance = random.Random(rounds)  # noqa: S311 - no secret
    hit: Counter[Interleaving] = Counter()
    outcomes: Counter[str] = Counter()
    lanes = asyncio.Semaphore(LANES)
    begun = time()

    async def play(one: Round) -> None:
        async with lanes:
            await one.run()

    async with processes(tmp_path, database.dsn, world) as (switches, recorders):
        for start in range(0, rounds, BATCH):
            numbers = await world.callees(owner, min(BATCH, rounds - start))
            batch = [Round(number, switches, chance.choice(recorders), chance) for number in numbers]
            await asyncio.gather(*map(play, batch))
            permits = [one.permit for one in batch if one.permit is not None]
            again = await asyncio.gather(*[redeem(switch, permit) for permit in permits for switch in switches])
            assert not any(map(allowed, again))
            hit.update(one.steps.interleaving() for one in batch)
            outcomes.update(("redeemed" if one.redeemed else "dead") if one.permit else "refused" for one in batch)
    print(f"\n{rounds} rounds in {time() - begun:.0f} s: {dict(outcomes)}")
    print("\n".join(f"{hit[kind]:7} {kind.value}" for kind in Interleaving))
    assert set(hit) == set(Interleaving)
    assert await owner.fetchval("select count(*) from refusals") == rounds
    assert await owner.fetchval(_LATE) == 0
