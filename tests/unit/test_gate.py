"""The gate's batches on a store of the test's own: whatever the store does, every call gets its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.errors import StoreUnavailable
from dialer.gate import UNAVAILABLE, Answer, Gate
from dialer.permits import permit_hash
from dialer.policy.decide import decide
from dialer.policy.facts import Basis, CallRequest, Consent, Facts, Seller, SuppressionList, Trunk, TrunkOrigin
from dialer.ports import CalleeRecord, Configuration, DecisionRow, LatestDecision
from dialer.verdict import Outcome, Reason, Verdict
from tests.unit.policy_world import CALLEE, CALLER, GRANTED, NOON, pack_set

PACKS = pack_set()
REQUEST = CallRequest(CALLEE.e164, "acme", trunk="carrier", presented=CALLER.e164)
CONFIGURATION = Configuration(
    version=1,
    sellers={"acme": Seller("acme")},
    seller_ids={"acme": 1},
    seller_codes={1: "acme"},
    trunks={"carrier": Trunk("carrier", "CN", TrunkOrigin.DOMESTIC)},
    registered={("carrier", CALLER.e164): ("acme",)},
)


class Doing(Enum):
    """What a store does with one transaction."""

    WORK = "work"
    NO_BEGIN = "no begin"
    NO_LOAD = "no load"
    NO_RECORD = "no record"
    NO_COMMIT = "no commit"
    FAULT = "fault"  # an error that nobody foresaw
    HANG = "hang"


@dataclass
class Store:
    """Does as told, transaction by transaction; when nothing is told, works. `go` holds it back until it is set;
    `arrivals` has one entry for each transaction that began."""

    plan: list[Doing] = field(default_factory=list)
    configuration: Configuration = CONFIGURATION
    record_of: CalleeRecord = field(
        default_factory=lambda: CalleeRecord(consents=[Consent(1, "acme", "*", Basis.WRITTEN, GRANTED)])
    )
    kept: list[DecisionRow] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    go: asyncio.Event | None = None
    arrivals: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[_Transaction]:
        self.arrivals.put_nowait(None)
        transaction = _Transaction(self, self.plan.pop(0) if self.plan else Doing.WORK)
        await transaction.reach(Doing.NO_BEGIN)
        yield transaction
        await transaction.reach(Doing.NO_COMMIT)
        self.kept += transaction.rows

    async def redeem(
        self, permit_hash: bytes, callee: str, presented: str, by: str, now: datetime, payload: str
    ) -> int | None:
        doing = self.plan.pop(0) if self.plan else Doing.WORK
        if doing is Doing.HANG:
            await asyncio.Event().wait()
        if doing is not Doing.WORK:
            raise StoreUnavailable("away")
        return 7 if any(row.permit_hash == permit_hash for row in self.kept) else None


@dataclass
class _Transaction:
    store: Store
    doing: Doing
    rows: list[DecisionRow] = field(default_factory=list)

    async def reach(self, point: Doing) -> None:
        if self.store.go is not None:
            await self.store.go.wait()
        await asyncio.sleep(0)
        if self.doing is Doing.HANG:
            await asyncio.Event().wait()
        if self.doing is Doing.FAULT:
            raise RuntimeError("a fault of ours")
        if self.doing is point:
            raise StoreUnavailable("away")

    async def load(
        self, callees: Sequence[int], since: datetime, now: datetime, hashes: Sequence[bytes] | None = None
    ) -> tuple[Configuration, dict[int, CalleeRecord]]:
        await self.reach(Doing.NO_LOAD)
        of = self.store.record_of
        record = replace(of, consents=[*of.consents], attempts=[*of.attempts], imports=[*of.imports])
        return self.store.configuration, dict.fromkeys(callees, record)

    async def record(self, rows: Sequence[DecisionRow], now: datetime, permits_expire: datetime) -> list[int]:
        await self.reach(Doing.NO_RECORD)
        self.rows += rows
        self.store.batches.append(len(rows))
        return list(range(1, len(rows) + 1))


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def make(store: Store, **options: Any) -> Gate:
    """A gate on the store that has read the configuration already."""
    gate = Gate(store, PACKS, options.pop("clock", Clock()), **options)
    gate._configuration = store.configuration
    return gate


async def all_answers(gate: Gate, calls: int) -> list[Answer]:
    """The answers to so many calls at once; TimeoutError when one never comes."""
    async with asyncio.timeout(30):
        return await asyncio.gather(*[gate.decide(REQUEST) for _ in range(calls)])


@pytest.mark.parametrize("doing", [doing for doing in Doing if doing is not Doing.WORK])
async def test_whatever_the_store_does_every_caller_of_the_batch_is_refused(doing: Doing) -> None:
    """Nobody of a batch whose transaction failed gets a permit, and the next batch is decided."""
    store = Store([doing])
    gate = make(store, patience_s=0.05 if doing is Doing.HANG else 30)
    assert await all_answers(gate, 5) == [UNAVAILABLE] * 5
    assert store.kept == []
    assert (gate.stats.failed, gate.stats.decided) == (5, 0)
    (answer,) = await all_answers(gate, 1)
    assert answer.verdict.outcome is Outcome.ALLOW


async def test_permits_are_issued_and_only_their_hashes_are_written() -> None:
    """Each allowed call has a permit of its own, and the store is given its hash."""
    store = Store()
    answers = await all_answers(make(store), 20)
    permits = {answer.permit for answer in answers if answer.permit}
    assert len(permits) == 20
    assert {row.permit_hash for row in store.kept} == {permit_hash(permit) for permit in permits}
    assert not any(permit in row.payload for permit in permits for row in store.kept)


async def test_an_error_in_one_decision_costs_that_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call whose decision raises is refused and recorded as such; the others of its batch are allowed."""

    def faulty(facts: Facts, *arguments: Any) -> Verdict:
        if facts.purpose == "odd":
            raise RuntimeError("a rule of ours")
        return decide(facts, *arguments)

    monkeypatch.setattr("dialer.gate.decide", faulty)
    store = Store()
    gate = make(store)
    purposes = ("marketing", "odd", "marketing")
    answers = await asyncio.gather(*[gate.decide(replace(REQUEST, purpose=purpose)) for purpose in purposes])
    outcomes = [answer.verdict.outcome for answer in answers]
    assert outcomes == [Outcome.ALLOW, Outcome.REFUSE, Outcome.ALLOW]
    assert answers[1].verdict.reasons == (Reason.GATE_UNAVAILABLE,)
    assert store.batches == [3]
    assert [row.permit_hash is None for row in store.kept] == [False, True, False]


async def test_calls_that_wait_become_one_batch_and_those_that_left_are_not_in_it() -> None:
    """What waits while the worker is busy is decided together, without the callers who have gone."""
    go = asyncio.Event()
    store = Store(go=go)
    gate = make(store, workers=1)
    first = [asyncio.create_task(gate.decide(REQUEST))]
    await store.arrivals.get()
    waiting = [asyncio.create_task(gate.decide(REQUEST)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waiting[:4]:
        task.cancel()
    await asyncio.gather(*waiting[:4], return_exceptions=True)
    go.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*first, *waiting[4:])
    assert store.batches == [1, 6]


async def test_the_last_call_before_a_batch_proves_slow_is_not_left_waiting() -> None:
    """A call that came while the batch looked quick is decided beside it, though no further call comes."""
    go = asyncio.Event()
    store = Store(go=go)
    gate = make(store)
    calls = [asyncio.create_task(gate.decide(REQUEST))]
    await store.arrivals.get()
    calls.append(asyncio.create_task(gate.decide(REQUEST)))
    async with asyncio.timeout(30):
        await store.arrivals.get()
    go.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*calls)
    assert store.batches == [1, 1]


async def test_a_slow_batch_holds_up_no_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one batch waits for a lock or the disk, the next call gets a batch of its own; a quick one is awaited."""
    go = asyncio.Event()
    store = Store(go=go)
    gate = make(store)
    monkeypatch.setattr("dialer.gate._SLOW_BATCH_S", 3600.0)
    calls = [asyncio.create_task(gate.decide(REQUEST))]
    await store.arrivals.get()
    calls.append(asyncio.create_task(gate.decide(REQUEST)))
    await asyncio.sleep(0)
    assert store.arrivals.empty()
    monkeypatch.setattr("dialer.gate._SLOW_BATCH_S", 0.0)
    calls.append(asyncio.create_task(gate.decide(REQUEST)))
    async with asyncio.timeout(30):
        await store.arrivals.get()
    go.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*calls)
    assert store.batches == [1, 2]


async def test_a_call_that_comes_as_the_last_worker_ends_is_decided() -> None:
    """A worker that has found the queue empty is not counted on, though its task is not yet forgotten."""
    for turns in range(40):
        gate = make(Store(), workers=1)
        first = asyncio.create_task(gate.decide(REQUEST))
        for _ in range(turns):
            await asyncio.sleep(0)
        (answer,) = await all_answers(gate, 1)
        assert answer.permit
        await first


async def test_calls_are_refused_when_the_worker_that_would_take_them_is_cancelled() -> None:
    """The batch under way and what waits behind it are answered, and later calls are decided."""
    store = Store([Doing.HANG])
    gate = make(store, workers=1, max_batch=2)
    calls = [asyncio.create_task(gate.decide(REQUEST)) for _ in range(7)]
    await store.arrivals.get()
    (worker,) = gate._tasks
    worker.cancel()
    async with asyncio.timeout(30):
        assert await asyncio.gather(*calls) == [UNAVAILABLE] * 7
    (answer,) = await all_answers(gate, 1)
    assert answer.permit


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(1, 5)),
        st.tuples(st.just("leave"), st.integers(0, 30)),
        st.tuples(st.just("turn"), st.integers(1, 8)),
        st.tuples(st.just("cancel"), st.integers(0, 1)),
    ),
    max_size=25,
)


@given(
    STEPS,
    st.lists(st.sampled_from([doing for doing in Doing if doing is not Doing.HANG]), max_size=12),
    st.integers(1, 3),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=150)
def test_no_caller_waits_for_ever(steps: list[tuple[str, int]], plan: list[Doing], workers: int, batch: int) -> None:
    """Whatever fails, whoever leaves and whichever worker is cancelled, every caller who stays gets an answer, and
    those who are allowed are on record."""

    async def schedule() -> None:
        store = Store(list(plan))
        gate = make(store, workers=workers, max_batch=batch, patience_s=30)
        calls: list[asyncio.Task[Answer]] = []
        for step, count in steps:
            if step == "call":
                calls += [asyncio.create_task(gate.decide(REQUEST)) for _ in range(count)]
            elif step == "leave" and calls:
                calls[count % len(calls)].cancel()
            elif step == "turn":
                for _ in range(count):
                    await asyncio.sleep(0)
            elif step == "cancel" and gate._tasks:
                sorted(gate._tasks, key=id)[count % len(gate._tasks)].cancel()
        async with asyncio.timeout(30):
            done = await asyncio.gather(*calls, return_exceptions=True)
        answers = [answer for answer in done if isinstance(answer, Answer)]
        assert all(isinstance(other, Answer | asyncio.CancelledError) for other in done)
        issued = {row.permit_hash for row in store.kept}
        assert all(permit_hash(answer.permit) in issued for answer in answers if answer.permit)
        assert not gate._pending
        await gate.close()

    asyncio.run(schedule())


@pytest.mark.parametrize("doing", [Doing.NO_BEGIN, Doing.HANG])
async def test_a_redemption_that_the_store_does_not_answer_is_refused(doing: Doing) -> None:
    """It is GATE_UNAVAILABLE within the gate's patience, and the permit stays good."""
    store = Store()
    gate = make(store, patience_s=0.05 if doing is Doing.HANG else 30)
    (answer,) = await all_answers(gate, 1)
    assert answer.permit is not None
    store.plan = [doing]
    async with asyncio.timeout(30):
        refused = await gate.redeem(answer.permit, answer.callee, answer.presented, "egress")
    assert refused == UNAVAILABLE
    assert (await gate.redeem(answer.permit, answer.callee, answer.presented, "egress")).decision == 7


async def test_what_was_found_is_judged_by_the_configuration_that_it_was_found_with() -> None:
    """A list that is replaced while the batch reads does not hide the entry that was found on the one before."""
    before = replace(CONFIGURATION, lists={1: SuppressionList("opt-outs", NOON, ("+86",))})
    after = replace(before, lists={2: SuppressionList("opt-outs", NOON, ("+86",))})
    store = Store(configuration=before)
    gate = make(store)
    store.record_of.imports.append(1)
    store.configuration = after  # as a slow reader sees it: the version of before, with what came after
    (answer,) = await all_answers(gate, 1)
    assert answer.verdict.reasons == (Reason.SUPPRESSED,)


async def test_a_clock_that_was_set_back_refuses_until_it_catches_up() -> None:
    """Two seconds are forgiven; beyond, calls are refused, and allowed again when the instant has come."""
    clock = Clock()
    gate = make(Store(), clock=clock)
    await all_answers(gate, 1)
    for back, reasons in ((2, ()), (3, (Reason.CLOCK_UNTRUSTED,)), (3600, (Reason.CLOCK_UNTRUSTED,)), (0, ())):
        clock.now = NOON - timedelta(seconds=back)
        (answer,) = await all_answers(gate, 1)
        assert answer.verdict.reasons == reasons


async def test_an_emergency_call_needs_no_clock() -> None:
    """An emergency number is allowed however far the clock was set back."""
    gate = make(Store(), latest=LatestDecision(NOON + timedelta(days=1)))
    answer = await gate.decide(replace(REQUEST, callee="110"))
    assert (answer.verdict.outcome, answer.verdict.reasons) == (Outcome.ALLOW, (Reason.EMERGENCY,))


async def test_a_clock_that_was_accepted_counts_from_the_next_decision_on() -> None:
    """A node that refuses for its clock allows when its configuration says that the clock was accepted; a decision
    after that bears witness again."""
    clock = Clock()
    store = Store()
    gate = make(store, clock=clock, latest=LatestDecision(NOON + timedelta(days=365)))
    (refused,) = await all_answers(gate, 1)
    assert refused.verdict.reasons == (Reason.CLOCK_UNTRUSTED,)
    store.configuration = replace(CONFIGURATION, version=2, clock_accepted=17)
    (answer,) = await all_answers(gate, 1)
    assert answer.verdict.outcome is Outcome.ALLOW
    clock.now -= timedelta(hours=1)
    (again,) = await all_answers(gate, 1)
    assert again.verdict.reasons == (Reason.CLOCK_UNTRUSTED,)


@pytest.mark.parametrize("permit", ["", "0" * 31, "0" * 33, "g" * 32, "0 " * 16, "０" * 32, "\x00" * 32, "\ud800" * 32])
async def test_text_that_is_no_permit_is_refused_whatever_the_store_does(permit: str) -> None:
    """It is PERMIT_INVALID, or GATE_UNAVAILABLE when the store that would keep the evidence is away."""
    gate = make(Store([Doing.WORK, Doing.NO_BEGIN]))
    for reason in (Reason.PERMIT_INVALID, Reason.GATE_UNAVAILABLE):
        assert (await gate.redeem(permit, CALLEE.e164, CALLER.e164, "egress")).verdict.reasons == (reason,)
