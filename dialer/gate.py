"""The gate: load facts -> decide -> record -> permit.

Concurrent requests are gathered and decided as one batch, in one transaction: two statements and one commit for many
calls. While one batch is at work the next one fills, so a batch is as large as the load makes it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from dialer.calls import Call, assemble, dialled_number, keys, read_call, record_of, shown_number
from dialer.erasure_key import ErasureKey
from dialer.errors import StoreUnavailable
from dialer.evidence.entries import decision_payload, failure_payload, redemption_payload
from dialer.hostile import printable
from dialer.numbers import Number, NumberFault
from dialer.permits import is_canonical, permit_hash, stranger_hash
from dialer.policy.decide import decide, unregulated
from dialer.policy.facts import CallRequest, Facts, PastAttempt
from dialer.policy.pack import PackSet
from dialer.ports import (
    CalleeRecord,
    Clock,
    Configuration,
    DecisionRow,
    GateStore,
    GateTransaction,
    LatestDecision,
)
from dialer.verdict import Outcome, Reason, Verdict, refuse

log = logging.getLogger(__name__)

PERMIT_LIFE = timedelta(seconds=30)
# How far the clock may fall behind an instant that the gate has already decided at. NTP slews by less.
CLOCK_TOLERANCE = timedelta(seconds=2)
# A batch that takes longer than this waits for something, and the next one should not wait with it.
_SLOW_BATCH_S = 0.03
_SPOOLED = "core.refusal_spooled"
_KEYLESS = "core.erasure_key"
# So many attempts are read of one callee, the newest; with more, a cap might be reached by those that are not read.
MOST_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate says of one call.

    `permit` (32 hexadecimal digits) is set exactly when the verdict is ALLOW; `callee` and `presented` are the
    canonical numbers to dial and to show; `decision` is the id under which it was recorded.
    """

    verdict: Verdict
    callee: str = ""
    presented: str = ""
    permit: str | None = None
    decision: int | None = None


UNAVAILABLE = Answer(refuse(Reason.GATE_UNAVAILABLE, "core.fail_closed"))


def nobody(_: int) -> bool:
    """No callee is withheld: a node that keeps no refusals of its own."""
    return False


@dataclass(slots=True)
class GateStats:
    """Counters since the start."""

    decided: int = 0
    allowed: int = 0
    redeemed: int = 0
    batches: int = 0
    largest_batch: int = 0
    failed: int = 0


class Gate:
    """Decides on outbound calls.

    `patience_s` bounds one batch, so that a database that hangs costs its callers a refusal and not a wait. `workers`
    is how many batches may be under way at once: one takes all calls that came while the last was at work, and another
    begins only when that one is slow (it waits for a lock or for the disk) or full. `max_batch` 1 makes one transaction
    a call (for comparison). `latest` is what the store knows of the time: before it nothing is allowed
    that a rule about time binds. `withheld` says of a callee (E.164 digits) whether a refusal of his is kept on this
    node and not yet in the store: then nothing is allowed to him, nor is a permit for him taken. `erasure` is this
    node's key to refusals of erased people: once there are some, nothing is allowed without it.
    """

    def __init__(
        self,
        store: GateStore,
        packs: PackSet,
        clock: Clock,
        *,
        patience_s: float = 0.7,
        max_batch: int = 256,
        workers: int = 4,
        new_token: Callable[[], bytes] = lambda: secrets.token_bytes(16),
        latest: LatestDecision | None = None,
        withheld: Callable[[int], bool] = nobody,
        erasure: ErasureKey | None = None,
    ) -> None:
        self.packs = packs
        self.stats = GateStats()
        self._store, self._clock, self._new_token = store, clock, new_token
        self._patience_s, self._max_batch, self._workers = patience_s, max_batch, workers
        self._withheld, self._erasure = withheld, erasure
        self._latest, self._accepted = (latest.at, latest.accepted) if latest else (None, 0)
        self._configuration = Configuration(version=0)
        self._pending: deque[tuple[CallRequest, asyncio.Future[Answer]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._look_again: asyncio.TimerHandle | None = None
        self._reported = self._begun = 0.0

    async def decide(self, request: CallRequest) -> Answer:
        """The answer for one real call. Never raises for a failure of the store: that is a refusal."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending.append((request, done))
        self._see_to_it()
        return await done

    async def check(self, request: CallRequest, at: datetime | None = None) -> tuple[Facts, Verdict]:
        """A dry run: the verdict that a call would get (at `at`) and the facts that lead to it. Nothing is written or
        reserved.

        Raises `StoreUnavailable`.
        """
        now = at or self._clock()
        while True:
            known = self._configuration
            call = read_call(request, known)
            async with self._store.transaction(read_only=True) as transaction:
                loaded = await self._load(transaction, [call], known, now)
            if loaded is not None:
                configuration, records, sees_erased = loaded
                record = record_of(call, records)
                facts = assemble(call, configuration, record)
                verdict = None if sees_erased else self._blind(facts, configuration)
                return facts, verdict or decide(facts, self.packs.for_callee(call.callee, record.address), now)

    async def redeem(
        self,
        permit: str,
        callee: str,
        presented: str,
        by: str,
        *,
        trunk: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Use up a permit at the egress.

        ALLOW when it was issued for exactly this callee and presented number (canonical texts, as the permit's answer
        gave them), is in time and unused, and no refusal and no withdrawal has come since. What is no permit at all is
        refused too, and kept as evidence; so is a permit whose callee is withheld, unused. `trunk` (the egress's) and
        the INVITE's `headers` decide nothing: they are evidence.
        """
        rejected = Answer(refuse(Reason.PERMIT_INVALID, "core.permit"))
        try:
            digest = permit_hash(permit)
        except ValueError:
            digest = stranger_hash(permit)
        readable = is_canonical(callee) and (not presented or is_canonical(presented))
        if not readable:
            digest, callee, presented = stranger_hash(permit), printable(callee), printable(presented)
        withheld = readable and self._withholds(callee)
        if withheld:
            digest = stranger_hash(permit)
        try:
            async with asyncio.timeout(self._patience_s):
                payload = redemption_payload(
                    digest, callee, presented, by, trunk=trunk, headers=headers, withheld=withheld
                )
                decision = await self._store.redeem(digest, callee, presented, printable(by), self._clock(), payload)
        except (StoreUnavailable, TimeoutError) as error:
            self.stats.failed += 1
            self._report(str(error) or "the database did not answer in time")
            return UNAVAILABLE
        if withheld or (readable and self._withholds(callee)):  # one may have been kept while the store was asked
            return Answer(refuse(Reason.REFUSED, _SPOOLED))
        if decision is None:
            return rejected
        self.stats.redeemed += 1
        return Answer(Verdict(Outcome.ALLOW, ()), callee, presented, permit, decision)

    async def close(self) -> None:
        """Wait for the batches under way."""
        if self._look_again is not None:
            self._look_again.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _see_to_it(self) -> None:
        """Start a worker if one is needed, else look again when the batch under way may have proved slow."""
        if self._needs_worker():
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        elif self._look_again is None:
            self._look_again = asyncio.get_running_loop().call_later(_SLOW_BATCH_S, self._look)

    def _look(self) -> None:
        self._look_again = None
        if self._pending:
            self._see_to_it()

    def _needs_worker(self) -> bool:
        working = self._working()
        slow = monotonic() - self._begun > _SLOW_BATCH_S or len(self._pending) >= self._max_batch
        return working == 0 or (slow and working < self._workers)

    def _working(self) -> int:
        """Workers that will look at the queue again; one that has ended is a task until the loop comes round."""
        return sum(not task.done() for task in self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A worker ends when no call waits, or because it was cancelled: then nobody may wait for it."""
        self._tasks.discard(task)
        if self._working():
            return
        while batch := self._take():
            for _, done in batch:
                done.set_result(UNAVAILABLE)

    async def _work(self) -> None:
        while batch := self._take():
            self._begun = monotonic()
            answers = [UNAVAILABLE] * len(batch)
            try:
                answers = await self._answers([request for request, _ in batch])
            finally:  # even when this task is cancelled, nobody waits for an answer that will not come
                for (_, done), answer in zip(batch, answers, strict=True):
                    if not done.done():
                        done.set_result(answer)

    def _take(self) -> list[tuple[CallRequest, asyncio.Future[Answer]]]:
        """The next batch; calls whose switch has stopped waiting are left out."""
        batch: list[tuple[CallRequest, asyncio.Future[Answer]]] = []
        while self._pending and len(batch) < self._max_batch:
            entry = self._pending.popleft()
            if not entry[1].done():
                batch.append(entry)
        return batch

    async def _answers(self, requests: list[CallRequest]) -> list[Answer]:
        try:
            async with asyncio.timeout(self._patience_s):
                answers = None
                while answers is None:
                    answers = await self._decide_batch(requests)
                return answers
        except (StoreUnavailable, TimeoutError) as error:
            self._report(str(error) or "the database did not answer in time")
        except Exception:  # a fault of ours is a refusal too (rule 2)
            log.exception("%d calls refused", len(requests))
        self.stats.failed += len(requests)
        return [UNAVAILABLE] * len(requests)

    def _report(self, problem: str) -> None:
        """One line a second at most, however many calls a lost database costs."""
        now = monotonic()
        if now - self._reported >= 1:
            self._reported = now
            log.error("calls are refused, %d so far: %s", self.stats.failed, problem)

    async def _decide_batch(self, requests: list[CallRequest]) -> list[Answer] | None:
        """One transaction; None when the configuration changed meanwhile and the numbers must be read again."""
        now = self._clock()
        known = self._configuration
        calls = [read_call(request, known) for request in requests]
        async with self._store.transaction() as transaction:
            loaded = await self._load(transaction, calls, known, now)
            if loaded is None:
                return None
            configuration, records, sees_erased = loaded
            made = [
                self._decide_safely(call, configuration, record_of(call, records), now, sees_erased) for call in calls
            ]
            ids = await transaction.record([row for row, _ in made], now, now + PERMIT_LIFE)
        self._latest = max(now, self._latest or now)
        self._count(made)
        return [
            Answer(row.verdict, dialled_number(row.callee), row.presented, permit, decision)
            for (row, permit), decision in zip(made, ids, strict=True)
        ]

    async def _load(
        self, transaction: GateTransaction, calls: list[Call], known: Configuration, now: datetime
    ) -> tuple[Configuration, dict[int, CalleeRecord], bool] | None:
        """The records, with the configuration that they were found with: `known`, which was had before they were read;
        and whether refusals of erased people are among them.

        What the store says now may be newer than they are: a list that was replaced meanwhile would know none of the
        entries that were found. None when `known` is old.
        """
        callees, since = keys(calls), now - self.packs.longest_cap()
        # What `known` does not know of erased people does not matter: the first erasure makes it old.
        hash_number = self._erasure.hash_for(known.erasure) if self._erasure and known.erasure else None
        if hash_number is None:
            configuration, records = await transaction.load(callees, since, now)
        else:
            configuration, records = await transaction.load(callees, since, now, [hash_number(k) for k in callees])
        if configuration.version == known.version:
            return known, records, known.erasure is None or hash_number is not None
        self._configuration = configuration
        if configuration.clock_accepted > self._accepted:
            self._latest, self._accepted = None, configuration.clock_accepted
        return None

    def _decide_safely(
        self, call: Call, configuration: Configuration, record: CalleeRecord, now: datetime, sees_erased: bool
    ) -> tuple[DecisionRow, str | None]:
        """A fault of ours refuses (rule 2) and costs this call alone."""
        try:
            return self._decide_one(call, configuration, record, now, sees_erased)
        except Exception:
            log.exception("the decision failed")
            verdict = refuse(Reason.GATE_UNAVAILABLE, "core.fail_closed")
            payload = failure_payload(call.request, verdict, now)
            shown = shown_number(call, allowed=False)
            return DecisionRow(call.request, call.callee, shown, None, verdict, payload, None), None

    def _decide_one(
        self, call: Call, configuration: Configuration, record: CalleeRecord, now: datetime, sees_erased: bool
    ) -> tuple[DecisionRow, str | None]:
        facts = assemble(call, configuration, record)
        blind = None if sees_erased else self._blind(facts, configuration)
        verdict = blind or self._verdict(facts, record, now)
        permit = None
        if verdict.outcome is Outcome.ALLOW:
            permit = self._new_token().hex()
            # The next request of this batch for the same callee must see this attempt.
            record.attempts.insert(0, PastAttempt(facts.seller_code, now))
        row = DecisionRow(
            request=call.request,
            callee=call.callee,
            presented=shown_number(call, allowed=permit is not None),
            seller_id=configuration.seller_ids.get(facts.seller_code),
            verdict=verdict,
            payload=decision_payload(call.request, facts, verdict, now),
            permit_hash=permit_hash(permit) if permit else None,
            refusals_seen=tuple(refusal.id for refusal in record.refusals),
            consents_seen=tuple(
                consent.id
                for consent in record.consents
                if consent.seller == facts.seller_code and consent.withdrawn_at is None
            ),
        )
        return row, permit

    def _verdict(self, facts: Facts, record: CalleeRecord, now: datetime) -> Verdict:
        # What no rule about time binds needs no clock.
        if self._latest is not None and now < self._latest - CLOCK_TOLERANCE and unregulated(facts) is None:
            behind = (self._latest - now).total_seconds()
            return refuse(Reason.CLOCK_UNTRUSTED, "core.clock", f"{behind:.0f} s behind the latest decision")
        verdict = decide(facts, self.packs.for_callee(facts.callee, record.address), now)
        if verdict.outcome is Outcome.ALLOW and len(facts.attempts) >= MOST_ATTEMPTS and unregulated(facts) is None:
            detail = f"{MOST_ATTEMPTS} attempts or more on record"
            return refuse(Reason.CAP_REACHED, "core.attempts", detail, verdict.rule_version)
        if verdict.outcome is Outcome.ALLOW and self._withholds(facts.callee) and unregulated(facts) is None:
            return refuse(Reason.REFUSED, _SPOOLED, "kept on this node, not yet recorded", verdict.rule_version)
        return verdict

    def _blind(self, facts: Facts, configuration: Configuration) -> Verdict | None:
        """Refusals of erased people cannot be seen here: a refusal of what the marketing rules concern."""
        mark = configuration.erasure
        if mark is None or unregulated(facts) is not None:
            return None
        problem = f"the key of erased people's refusals is missing here; node `{mark.node}` made it"
        self._report(str(self._erasure.lacking(mark)) if self._erasure else problem)
        return refuse(Reason.GATE_UNAVAILABLE, _KEYLESS, problem)

    def _withholds(self, callee: Number | NumberFault | str) -> bool:
        number = callee.e164 if isinstance(callee, Number) else callee
        return isinstance(number, str) and number.startswith("+") and self._withheld(int(number[1:]))

    def _count(self, made: list[tuple[DecisionRow, str | None]]) -> None:
        self.stats.batches += 1
        self.stats.decided += len(made)
        self.stats.allowed += sum(permit is not None for _, permit in made)
        self.stats.largest_batch = max(self.stats.largest_batch, len(made))
