"""Which calls that are out a refusal binds, on a real PostgreSQL."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db.attempt_store import PostgresAttemptStore
from db.refusal_store import PostgresRefusalStore
from dialer.app import Database, open_imports, open_registers
from dialer.gate import Gate
from dialer.import_rows import REFUSALS
from dialer.imports import Sheet
from dialer.ports_attempts import AttemptFacts
from dialer.ports_refusals import NewRefusal, OpenCall
from tests.gate_world import (
    GRANTED,
    OTHER_SELLER,
    SELLER,
    SetClock,
    World,
    digits,
    furnish,
    open_gate,
    place_now,
    redeem,
)


@pytest.fixture
async def world(database: Database) -> World:
    """Two sellers that may call where it is a permitted hour now, and a clinic that may call at any."""
    world = await furnish(open_registers(database, "test"), place_now())
    await world.registers.routes.declare("clinic", "reminders of appointments")
    return world


@pytest.fixture
async def clock() -> SetClock:
    """The real time at the test's beginning."""
    return SetClock(datetime.now(UTC))


@pytest.fixture
async def gate(database: Database, world: World, clock: SetClock) -> AsyncIterator[Gate]:
    """A gate on the shipped packs."""
    async with open_gate(database.dsn, clock) as gate:
        yield gate


@pytest.fixture
def store(database: Database) -> PostgresRefusalStore:
    """The store that is asked."""
    return PostgresRefusalStore(database.pool)


async def called(gate: Gate, world: World, callee: str, **changes: object) -> int:
    """The attempt of a call that is out."""
    answer = await gate.decide(world.request(callee, **changes))
    assert answer.decision
    assert (await redeem(gate, answer)).permit
    return answer.decision


async def refuse(world: World, callee: str, seller: str | None = SELLER) -> None:
    """The callee refuses."""
    await world.registers.refusals.add(NewRefusal(digits(callee), seller, "web", GRANTED))


async def test_a_refusal_binds_the_calls_of_its_seller_alone(
    gate: Gate, world: World, store: PostgresRefusalStore
) -> None:
    """A refusal to one seller leaves another's call; one to all sellers binds both; before, none is bound."""
    callee = await world.callee()
    await world.consent(callee, OTHER_SELLER)
    ours = await called(gate, world, callee)
    theirs = await called(gate, world, callee, seller=OTHER_SELLER)
    assert await store.refused_calls([digits(callee)]) == []
    await refuse(world, callee)
    (call,) = await store.refused_calls([digits(callee)])
    assert call == OpenCall(ours, digits(callee), SELLER, answered=False, dialled=call.dialled)
    await refuse(world, callee, None)
    for asked in ([digits(callee)], None):
        assert {call.attempt for call in await store.refused_calls(asked)} == {ours, theirs}


async def test_a_call_whose_decision_knew_the_refusal_is_not_bound(
    gate: Gate, world: World, store: PostgresRefusalStore
) -> None:
    """A refusal that a consent had lifted before the call does not end it."""
    callee = await world.callee()
    refusal = await world.registers.refusals.add(NewRefusal(digits(callee), SELLER, "web", GRANTED))
    await world.consent(callee, granted_at=GRANTED + timedelta(days=1), lifts=refusal)
    await called(gate, world, callee)
    assert await store.refused_calls([digits(callee)]) == await store.refused_calls(None) == []


async def test_a_call_that_marketing_rules_do_not_concern_is_not_bound(
    gate: Gate, world: World, store: PostgresRefusalStore
) -> None:
    """The clinic's call goes on when the callee has refused all sellers."""
    callee = await world.callee()
    await called(gate, world, callee, route="clinic")
    await refuse(world, callee, None)
    assert await store.refused_calls([digits(callee)]) == await store.refused_calls(None) == []


async def test_what_was_seen_of_a_call_is_told(
    gate: Gate,
    world: World,
    store: PostgresRefusalStore,
    clock: SetClock,
    database: Database,
    owner: asyncpg.Connection,
) -> None:
    """Dialled after its permit's use it has left; an answer is told; an end ends it."""
    attempts = PostgresAttemptStore(database.pool)
    callee = await world.callee()
    attempt = await called(gate, world, callee)
    await refuse(world, callee)
    await owner.execute("update attempts set redeemed_at = now() + interval '1 h'")
    later = clock.now + timedelta(hours=2)
    seen = []
    for fact in (
        AttemptFacts(attempt),
        AttemptFacts(attempt, dialled_at=later, ringing_at=later),
        AttemptFacts(attempt, answered_at=later),
        AttemptFacts(attempt, ended_at=later),
    ):
        await attempts.record([fact], clock.now)
        seen += [[(call.dialled, call.answered) for call in await store.refused_calls([digits(callee)])]]
    assert seen == [[(False, False)], [(True, False)], [(True, True)], []]


async def test_a_call_that_was_dialled_before_its_permit_was_used_has_not_left(
    gate: Gate,
    world: World,
    store: PostgresRefusalStore,
    clock: SetClock,
    database: Database,
    owner: asyncpg.Connection,
) -> None:
    """The call centre's PBX dials the egress first; a quarter of a second after the permit's use it counts as left."""
    callee = await world.callee()
    attempt = await called(gate, world, callee)
    await PostgresAttemptStore(database.pool).record(
        [AttemptFacts(attempt, dialled_at=clock.now - timedelta(seconds=1))], clock.now
    )
    await refuse(world, callee)
    await owner.execute("update attempts set redeemed_at = now()")
    assert [call.dialled for call in await store.refused_calls([digits(callee)])] == [False]
    await owner.execute("update attempts set redeemed_at = now() - interval '0.3 s'")
    assert [call.dialled for call in await store.refused_calls([digits(callee)])] == [True]


async def test_imported_refusals_bind_too(
    gate: Gate, world: World, store: PostgresRefusalStore, database: Database
) -> None:
    """Of two calls that are out, the one whose callee is in the file is bound."""
    callees = [await world.callee() for _ in range(2)]
    attempts = [await called(gate, world, callee) for callee in callees]
    sheet = Sheet(io.BytesIO(f"number\n{callees[0]}".encode()), "refusals", REFUSALS.columns)
    await open_imports(database, "test").refusals(sheet, seller=SELLER)
    assert [call.attempt for call in await store.refused_calls(None)] == attempts[:1]


async def test_parties_between_whom_a_refusal_stands(world: World, store: PostgresRefusalStore) -> None:
    """By seller, or to all; none that a consent has lifted, and none of a seller that nobody knows but to all."""
    one, other, lifted = [await world.callee() for _ in range(3)]
    await refuse(world, one)
    await refuse(world, other, None)
    refusal = await world.registers.refusals.add(NewRefusal(digits(lifted), SELLER, "web", GRANTED))
    await world.consent(lifted, granted_at=GRANTED + timedelta(days=1), lifts=refusal)
    parties = [(digits(callee), seller) for callee in (one, other, lifted) for seller in (SELLER, OTHER_SELLER, "?")]
    assert await store.refused_parties(parties) == {
        (digits(one), SELLER),
        *[(digits(other), seller) for seller in (SELLER, OTHER_SELLER, "?")],
    }
