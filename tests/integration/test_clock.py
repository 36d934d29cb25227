"""A clock that was set back, and one that had been ahead, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from dialer.app import Database, Registers
from dialer.clocks import Clocks
from dialer.errors import RegisterError
from dialer.gate import Gate
from dialer.verdict import Outcome, Reason
from tests.gate_world import CHINA, SetClock, World, furnish, open_gate, redeem

UNTRUSTED = (Reason.CLOCK_UNTRUSTED,)


@pytest.fixture
def clock() -> SetClock:
    """Within hours in China."""
    return SetClock()


@pytest.fixture
async def world(registers: Registers) -> World:
    """Sellers, a trunk and a number, in China."""
    return await furnish(registers, CHINA)


async def reasons(gate: Gate, world: World) -> tuple[Reason, ...]:
    """Why a fresh callee who agreed may not be called; empty when he may."""
    return (await gate.decide(world.request(await world.callee()))).verdict.reasons


async def test_a_clock_set_back_refuses_until_it_catches_up_restarts_or_not(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """On the node that decided, on one that is started afterwards and on one started after that refused: none allows
    before the instant of the latest decision, all do from then on, and each refusal is on record."""
    async with open_gate(database.dsn, clock) as gate:
        assert await reasons(gate, world) == ()
        clock.advance(-1800)
        callees = await world.callees(owner, 150)
        many = await asyncio.gather(*[gate.decide(world.request(callee)) for callee in callees])
        assert {answer.verdict.reasons for answer in many} == {UNTRUSTED}
        for _ in range(2):
            async with open_gate(database.dsn, clock) as restarted:
                assert await reasons(restarted, world) == UNTRUSTED
        clock.advance(1800)
        async with open_gate(database.dsn, clock) as restarted:
            assert await reasons(restarted, world) == await reasons(gate, world) == ()
    assert await owner.fetchval("select count(*) from decisions where reasons = '{CLOCK_UNTRUSTED}'") == 152


async def test_emergency_calls_need_no_clock(database: Database, world: World, clock: SetClock) -> None:
    """They are decided, and their permits redeemed, however far the clock was set back."""
    async with open_gate(database.dsn, clock) as gate:
        assert await reasons(gate, world) == ()
        clock.advance(-1800)
        answer = await gate.decide(world.request("110"))
        assert (await redeem(gate, answer)).verdict.outcome is Outcome.ALLOW


async def test_a_clock_that_was_ahead_is_accepted_at_once_everywhere(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """After `accept` a running node and a restarted one allow; evidence names the newest decision and the reason; what
    is decided from then on bears witness again."""
    clocks = Clocks(world.registers.store, clock, "test")
    async with open_gate(database.dsn, clock) as gate:
        clock.advance(365 * 86_400)
        await reasons(gate, world)
        ahead = clock.now
        clock.advance(-365 * 86_400)
        assert await reasons(gate, world) == UNTRUSTED
        before = await clocks.accept("the time server was wrong")
        assert (before.latest, before.trusted) == (ahead, False)
        assert await reasons(gate, world) == ()
        async with open_gate(database.dsn, clock) as restarted:
            assert await reasons(restarted, world) == ()
        clock.advance(-1800)
        assert await reasons(gate, world) == UNTRUSTED
        async with open_gate(database.dsn, clock) as restarted:
            assert await reasons(restarted, world) == UNTRUSTED
    row = await owner.fetchrow("select subject, payload from evidence_entries where kind = 'clock.accepted'")
    said = json.loads(row["payload"])
    assert (row["subject"], said["reason"], said["by"]) == (before.decision, "the time server was wrong", "test")
    assert said["latest"] == ahead.isoformat()


async def test_a_clock_that_is_trusted_cannot_be_accepted(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """Acceptance would only weaken the witness, so it is refused and leaves no evidence; so is one without a reason."""
    clocks = Clocks(world.registers.store, clock, "test")
    async with open_gate(database.dsn, clock) as gate:
        assert (await clocks.witness()).trusted
        await reasons(gate, world)
        with pytest.raises(RegisterError, match="nothing to accept"):
            await clocks.accept("to be sure")
        clock.advance(-1800)
        with pytest.raises(RegisterError, match="no reason"):
            await clocks.accept("  ")
    assert await owner.fetchval("select count(*) from evidence where kind = 'clock.accepted'") == 0


async def test_the_command_accepts_the_clock(
    database: Database, world: World, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """`heedline clock show` says that it is not trusted, `accept` cures it, and a second `accept` exits 1."""
    future = SetClock(datetime.now(UTC) + timedelta(days=3))
    async with open_gate(database.dsn, future) as gate:
        await reasons(gate, world)

    def heedline(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "HEEDLINE_HOME": str(tmp_path), "HEEDLINE_DATABASE_URL": database.dsn}
        command = [sys.executable, "-m", "dialer.cli", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    code, said = heedline("clock", "show", "--json")
    assert (code, json.loads(said)["trusted"]) == (0, False)
    assert heedline("clock", "accept", "--reason", "NTP was off")[0] == 0
    assert heedline("clock", "accept", "--reason", "NTP was off")[0] == 1
    assert await owner.fetchval("select count(*) from evidence where kind = 'clock.accepted'") == 1
