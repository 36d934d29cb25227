"""One decision end to end on a real PostgreSQL: what is written, what a permit is good for, what binds at once."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from dialer.app import Database, Registers, open_imports
from dialer.gate import MOST_ATTEMPTS, UNAVAILABLE, Answer, Gate
from dialer.import_rows import LISTED
from dialer.imports import Sheet
from dialer.numbers import Number, parse
from dialer.permits import permit_hash
from dialer.policy.facts import CallRequest, TrunkOrigin
from dialer.ports_refusals import NewRefusal
from dialer.verdict import Outcome, Reason
from tests.gate_world import (
    CHINA,
    GRANTED,
    NOON,
    OTHER_SELLER,
    SELLER,
    TRUNK,
    SetClock,
    World,
    digits,
    furnish,
    open_gate,
    redeem,
    rows,
)
from tests.unit.policy_world import cap, pack_set

INVALID = (Reason.PERMIT_INVALID,)


@pytest.fixture
def clock() -> SetClock:
    """Within hours in China."""
    return SetClock()


@pytest.fixture
async def world(registers: Registers) -> World:
    """Sellers, a trunk and a number, in China."""
    return await furnish(registers, CHINA)


@pytest.fixture
async def gate(database: Database, clock: SetClock) -> AsyncIterator[Gate]:
    """A gate on the shipped packs."""
    async with open_gate(database.dsn, clock) as gate:
        yield gate


async def decided(gate: Gate, request: CallRequest, *reasons: Reason) -> Answer:
    """The answer to a call, which has these reasons and a permit exactly when it is allowed."""
    answer = await gate.decide(request)
    assert answer.verdict.reasons == reasons
    assert (answer.permit is not None) == (answer.verdict.outcome is Outcome.ALLOW)
    return answer


async def refuse(world: World, callee: str, seller: str | None = SELLER) -> int:
    """The callee refuses, at the gate's noon."""
    return await world.registers.refusals.add(NewRefusal(digits(callee), seller, "agent", NOON))


async def payloads(owner: asyncpg.Connection, kind: str) -> list[dict[str, Any]]:
    """What evidence of a kind says, oldest first."""
    found = await owner.fetch("select payload from evidence_entries where kind = $1 order by id", kind)
    return [json.loads(row["payload"]) for row in found]


# What is written.


async def test_an_allowed_call_leaves_a_decision_evidence_and_an_attempt(
    gate: Gate, world: World, owner: asyncpg.Connection
) -> None:
    """All three carry the answer's decision id, and of the permit only the hash is anywhere in the database."""
    callee = await world.callee()
    before = await rows(owner)
    answer = await decided(gate, world.request(callee))
    assert answer.permit is not None
    assert (await rows(owner)) == {table: count + 1 for table, count in before.items()}
    decision = await owner.fetchrow("select * from decisions where id = $1", answer.decision)
    assert (decision["outcome"], decision["callee"], decision["seller_code"]) == ("ALLOW", digits(callee), SELLER)
    attempt = await owner.fetchrow("select * from attempts where decision_id = $1", answer.decision)
    assert attempt["permit_hash"] == permit_hash(answer.permit)
    assert attempt["expires_at"] - attempt["at"] == timedelta(seconds=30)
    entry = "select * from evidence_entries where kind = 'decision' and subject = $1"
    evidence = await owner.fetchrow(entry, answer.decision)
    said = json.loads(evidence["payload"])
    assert (said["request"]["callee"], said["verdict"]["outcome"]) == (callee, "ALLOW")
    for table in ("decisions", "attempts", "evidence"):
        for row in await owner.fetch(f"select t::text as text from {table} as t"):  # noqa: S608 - ours
            assert answer.permit not in row["text"]


@pytest.mark.parametrize("table", ["decisions", "evidence", "attempts"])
@pytest.mark.parametrize("when", ["before insert", "at commit"])
async def test_a_decision_that_cannot_be_written_whole_is_not_written(
    gate: Gate, world: World, owner: asyncpg.Connection, table: str, when: str
) -> None:
    """An error in any of the three tables, at once or only at the commit, refuses the call and leaves no row at all."""
    callee = await world.callee()
    before = await rows(owner)
    await owner.execute("create function fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$")
    kind = f"trigger fail before insert on {table} for each row"
    if when == "at commit":
        kind = f"constraint trigger fail after insert on {table} deferrable initially deferred for each row"
    await owner.execute(f"create {kind} execute function fail()")
    assert await gate.decide(world.request(callee)) == UNAVAILABLE
    assert await rows(owner) == before
    await owner.execute(f"drop trigger fail on {table}")
    await decided(gate, world.request(callee))


async def test_refused_and_deferred_calls_get_no_permit_and_are_on_record(
    gate: Gate, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """They leave a decision and evidence each, a deferral with its instant, and no attempt."""
    refused = await decided(gate, world.request(world.fresh()), Reason.NO_CONSENT)
    callee = await world.callee()
    clock.now = NOON + timedelta(hours=12)
    deferred = await decided(gate, world.request(callee), Reason.OUTSIDE_HOURS)
    assert await owner.fetchval("select count(*) from attempts") == 0
    for answer in (refused, deferred):
        row = await owner.fetchrow("select outcome, until from decisions where id = $1", answer.decision)
        assert (row["outcome"], row["until"]) == (answer.verdict.outcome.value, answer.verdict.until)
    assert deferred.verdict.outcome is Outcome.DEFER
    assert [said["verdict"]["outcome"] for said in await payloads(owner, "decision")] == ["REFUSE", "DEFER"]


async def test_a_dry_run_writes_nothing_and_reserves_nothing(
    gate: Gate, world: World, owner: asyncpg.Connection
) -> None:
    """No row, no id and no place under a cap is used up by dry runs, and they say what a call would get."""
    callee = await world.callee()
    count = "select (select last_value from decisions_id_seq), (select count(*) from evidence), count(*) from attempts"
    before = await owner.fetchrow(count)
    for _ in range(3):
        facts, verdict = await gate.check(world.request(callee, path="check"))
        assert (verdict.outcome, len(facts.consents), facts.attempts) == (Outcome.ALLOW, 1, ())
    _, verdict = await gate.check(world.request(callee), at=NOON + timedelta(hours=12))
    assert verdict.reasons == (Reason.OUTSIDE_HOURS,)
    assert await owner.fetchrow(count) == before
    await decided(gate, world.request(callee))
    assert (await gate.check(world.request(callee)))[1].reasons == (Reason.CAP_REACHED,)


async def test_emergency_and_declared_routes_are_allowed_and_on_record(
    gate: Gate, world: World, owner: asyncpg.Connection
) -> None:
    """Both have their ground in the decision and in evidence, and permits that can be redeemed."""
    await world.registers.routes.declare("alarms", "fire alarm call-outs")
    refused = world.fresh()
    await refuse(world, refused, None)
    await decided(gate, world.request(refused, route="other"), Reason.REFUSED, Reason.NO_CONSENT)
    emergency = await decided(gate, world.request("110", presented="anonymous"), Reason.EMERGENCY)
    alarm = await decided(gate, world.request(refused, route="alarms"), Reason.NON_MARKETING)
    assert (emergency.callee, emergency.presented) == ("110", "")
    for answer in (emergency, alarm):
        assert (await redeem(gate, answer)).verdict.outcome is Outcome.ALLOW
    grounds = [said["verdict"]["grounds"][0][0] for said in await payloads(owner, "decision")]
    assert grounds == ["REFUSED", "EMERGENCY", "NON_MARKETING"]
    assert len(await payloads(owner, "permit.redeemed")) == 2


HOSTILE = [
    "",
    "call me",
    "9" * 500,
    "+1555&PJSIP/900@trunk",
    "+8613800138000\n",
    "+861380013\x00000",
    "\ud800\udfff",
    "٠١٢٣٤٥٦٧٨٩",
    "${SHELL(reboot)}",
    "'; drop table refusals; --",
]


async def test_hostile_requests_are_recorded_and_spoil_no_other_of_their_batch(
    gate: Gate, world: World, owner: asyncpg.Connection
) -> None:
    """Every field may hold anything: such calls are refused, printable on record, and those beside them are allowed."""
    good = await world.callees(owner, 20)
    bad = [world.request(text) for text in HOSTILE]
    for field in ("seller", "purpose", "trunk", "route", "presented", "call_id"):
        bad += [world.request(world.fresh(), **{field: text}) for text in HOSTILE]
    answers = await asyncio.gather(*[gate.decide(request) for request in [*map(world.request, good), *bad]])
    assert all(answer.permit for answer in answers[:20])
    assert not any(answer.permit for answer in answers[20:])
    assert all(answer.decision and answer != UNAVAILABLE for answer in answers)
    assert gate.stats.largest_batch > 20
    for row in await owner.fetch("select t::text as text from decisions as t"):
        assert row["text"].isprintable()


# Permits.


async def test_of_a_hundred_redemptions_at_once_one_succeeds(
    gate: Gate, world: World, database: Database, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """On two nodes at once: one is allowed, 99 are PERMIT_INVALID, and evidence says the same."""
    answer = await decided(gate, world.request(await world.callee()))
    async with open_gate(database.dsn, clock) as other:
        used = await asyncio.gather(*[redeem(node, answer) for node in (gate, other) for _ in range(50)])
    assert Counter(each.verdict.reasons for each in used) == {(): 1, INVALID: 99}
    assert (len(await payloads(owner, "permit.redeemed")), len(await payloads(owner, "permit.rejected"))) == (1, 99)


async def test_a_permit_is_good_for_its_own_call_alone(
    gate: Gate, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """Another callee, another number, another text or a permit that never was is refused and does not use it up; after
    thirty seconds the permit itself is refused. Each of these is evidence."""
    one, two = [await decided(gate, world.request(await world.callee())) for _ in range(2)]
    wrong: list[dict[str, str]] = [
        {"callee": two.callee},
        {"callee": two.callee[1:]},
        {"callee": f"{one.callee}\n"},
        {"callee": "\ud800"},
        {"callee": ""},
        {"presented": "+862161234568"},
        {"presented": ""},
        {"presented": "\x00"},
        {"presented": "\ud800"},
        {"permit": "0" * 32},
        {"permit": str(two.permit)},
        {"permit": ""},
        {"permit": f" {one.permit}"},
        {"permit": "\x00" * 32},
    ]
    for changes in wrong:
        assert (await redeem(gate, one, **changes)).verdict.reasons == INVALID, changes
    assert len(await payloads(owner, "permit.rejected")) == len(wrong)
    assert (await redeem(gate, one, by="\x00\ud800")).decision == one.decision
    clock.advance(30)
    assert (await redeem(gate, two)).verdict.reasons == INVALID


async def test_a_permit_in_capitals_is_the_same_permit(gate: Gate, world: World) -> None:
    """Hexadecimal digits of either case are the same token, so it is used up by one of them."""
    answer = await decided(gate, world.request(await world.callee()))
    assert answer.permit is not None
    assert (await redeem(gate, answer, permit=answer.permit.upper())).verdict.outcome is Outcome.ALLOW
    assert (await redeem(gate, answer)).verdict.reasons == INVALID


@pytest.mark.parametrize(("seller", "kills"), [(SELLER, True), (None, True), (OTHER_SELLER, False)])
async def test_a_refusal_after_the_permit_kills_it(gate: Gate, world: World, seller: str | None, kills: bool) -> None:
    """One to this seller or to all does; one to another seller does not."""
    answer = await decided(gate, world.request(await world.callee()))
    await refuse(world, answer.callee, seller)
    used = await redeem(gate, answer)
    assert used.verdict.reasons == (INVALID if kills else ())


@pytest.mark.parametrize(("seller", "kills"), [(SELLER, True), (OTHER_SELLER, False)])
async def test_a_withdrawal_after_the_permit_kills_it(gate: Gate, world: World, seller: str, kills: bool) -> None:
    """Of the consent to this seller, whatever the clocks say; the consent to another seller is not this call's."""
    callee = await world.callee()
    await world.consent(callee, OTHER_SELLER)
    answer = await decided(gate, world.request(callee))
    number = parse(callee)
    assert isinstance(number, Number)
    await world.registers.consents.withdraw(number, seller)
    used = await redeem(gate, answer)
    assert used.verdict.reasons == (INVALID if kills else ())


async def test_a_refusal_that_a_consent_has_lifted_kills_no_permit(gate: Gate, world: World) -> None:
    """The decision knew it; but a second one that comes later does."""
    for second in (False, True):
        callee = world.fresh()
        lifted = await world.registers.refusals.add(
            NewRefusal(digits(callee), SELLER, "agent", GRANTED - timedelta(days=1))
        )
        await world.consent(callee, lifts=lifted)
        answer = await decided(gate, world.request(callee))
        if second:
            await refuse(world, callee)
        assert (await redeem(gate, answer)).verdict.reasons == (INVALID if second else ())


# Caps.


async def test_a_live_permit_counts_and_one_that_died_unredeemed_does_not(
    gate: Gate, world: World, clock: SetClock
) -> None:
    """A cap of one a day is reached while a permit lives, and a few seconds longer; for good once it is redeemed."""
    callee = await world.callee()
    await decided(gate, world.request(callee))
    for seconds in (1, 28, 5):
        clock.advance(seconds)
        await decided(gate, world.request(callee), Reason.CAP_REACHED)
    clock.advance(2)
    assert (await redeem(gate, await decided(gate, world.request(callee)))).verdict.outcome is Outcome.ALLOW
    clock.advance(60)
    deferred = await decided(gate, world.request(callee), Reason.CAP_REACHED)
    assert deferred.verdict.outcome is Outcome.DEFER


async def test_a_permit_is_never_good_beside_the_next_one(gate: Gate, world: World, clock: SetClock) -> None:
    """When a cap has room again because a permit died, that permit cannot be redeemed by a clock that is a little
    behind: a node's own, read before it had to wait, or another node's."""
    callee = await world.callee()
    first = await decided(gate, world.request(callee))
    while (second := await gate.decide(world.request(callee))).permit is None:
        clock.advance(1)
    clock.advance(-4)
    assert (await redeem(gate, first)).verdict.reasons == INVALID
    assert (await redeem(gate, second)).verdict.outcome is Outcome.ALLOW


async def test_one_callee_in_many_spellings_within_one_batch_meets_the_cap(
    gate: Gate, world: World, owner: asyncpg.Connection
) -> None:
    """Of twenty requests that arrive at once, in national and international form, one is allowed."""
    callee = await world.callee()
    spellings = [callee, callee.removeprefix("+86"), f"00{callee[1:]}", f"{callee[:3]} {callee[3:]}"] * 5
    answers = await asyncio.gather(*[gate.decide(world.request(spelling)) for spelling in spellings])
    assert Counter(answer.verdict.reasons for answer in answers) == {(): 1, (Reason.CAP_REACHED,): 19}
    assert {answer.callee for answer in answers} == {callee}
    assert gate.stats.largest_batch > 10
    assert await owner.fetchval("select count(*) from attempts") == 1


async def _attempts(owner: asyncpg.Connection, callee: str, count: int) -> None:
    """So many attempts of the other seller in the last hour."""
    await owner.execute(
        "insert into attempts (decision_id, callee, callee_text, seller_id, presented, trunk, at, permit_hash,"
        " expires_at, redeemed_at) select 1000000 + n, $1, '', s.id, '', '', $2::timestamptz - n * interval '1 second',"
        " decode(lpad(to_hex(n), 32, '0'), 'hex'), $2, $2 from generate_series(1, $3::int) n, sellers s"
        " where s.code = 'other'",
        digits(callee),
        NOON + timedelta(hours=1),
        count,
    )


async def test_a_cap_sees_an_attempt_behind_many_newer_ones(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection
) -> None:
    """Two hundred later attempts of another seller do not hide the one that reaches this seller's cap."""
    packs = pack_set(cap(limit=1, window="24h", per="callee_seller"))
    async with open_gate(database.dsn, clock, packs=packs) as gate:
        callee = await world.callee()
        await redeem(gate, await decided(gate, world.request(callee)))
        await _attempts(owner, callee, 200)
        clock.advance(3601)
        await decided(gate, world.request(callee), Reason.CAP_REACHED)


@pytest.mark.parametrize(("count", "reasons"), [(MOST_ATTEMPTS - 1, ()), (MOST_ATTEMPTS, (Reason.CAP_REACHED,))])
async def test_more_attempts_than_are_read_refuse(
    database: Database, world: World, clock: SetClock, owner: asyncpg.Connection, count: int, reasons: tuple[Reason]
) -> None:
    """Where some attempts were not read, no cap can be vouched for."""
    packs = pack_set(cap(limit=1, window="24h", per="callee_seller"))
    async with open_gate(database.dsn, clock, packs=packs) as gate:
        callee = await world.callee()
        await _attempts(owner, callee, count)
        clock.advance(3601)
        await decided(gate, world.request(callee), *reasons)


# Configuration.


async def test_a_change_of_the_registers_binds_the_very_next_decision(gate: Gate, world: World) -> None:
    """A seller that is suspended may not call, one that is resumed may, and a number that was removed is not shown."""
    callees = [await world.callee() for _ in range(4)]
    await decided(gate, world.request(callees[0]))
    await world.registers.sellers.suspend(SELLER)
    await decided(gate, world.request(callees[1]), Reason.SELLER_SUSPENDED)
    await world.registers.sellers.suspend(SELLER, False)
    await decided(gate, world.request(callees[2]))
    await world.registers.trunks.remove_number(TRUNK, CHINA.presented)
    await decided(gate, world.request(callees[3]), Reason.CALLER_NUMBER_UNREGISTERED)


async def test_a_list_is_in_force_from_the_very_next_decision(gate: Gate, world: World, database: Database) -> None:
    """A number on a new import is refused at once, and one that it no longer holds is not."""
    imports = open_imports(database, "test")
    await world.registers.lists.add("opt-outs", "an association", ["+86"])
    staying, leaving = await world.callee(), await world.callee()
    for listed in ([staying, leaving], [staying]):
        sheet = Sheet(io.BytesIO("\n".join(["number", *listed]).encode()), "opt-outs", LISTED.columns)
        assert (await imports.listed(sheet, "opt-outs", GRANTED)).kept
        await decided(gate, world.request(staying), Reason.SUPPRESSED)
        await decided(gate, world.request(leaving), *([Reason.SUPPRESSED] if leaving in listed else []))


async def test_a_new_trunk_reads_numbers_from_the_very_next_decision(gate: Gate, world: World) -> None:
    """Numbers in national form are read by the trunk's country as it is registered now, not as it was cached."""
    callee = await world.callee()
    await decided(gate, world.request(callee, trunk="late"), Reason.TRUNK_UNKNOWN, Reason.CALLER_NUMBER_UNREGISTERED)
    await world.registers.trunks.add("late", "CN", TrunkOrigin.MIXED)
    await world.registers.trunks.add_number("late", CHINA.presented, "Acme Ltd", SELLER)
    await decided(gate, world.request(callee.removeprefix("+86"), trunk="late"))
