"""Attempts and alarms on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from db.attempt_store import PostgresAttemptStore
from dialer.app import Database
from dialer.attempts import AttemptLog
from dialer.errors import StoreUnavailable
from dialer.ports_attempts import Alarm, AttemptFacts

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
ANSWERED = AttemptFacts(
    1,
    dialled_at=AT,
    ringing_at=AT + timedelta(seconds=1),
    answered_at=AT + timedelta(seconds=2),
    ended_at=AT + timedelta(seconds=60),
    cause=16,
    sip_status=200,
    dial_status="ANSWER",
    carrier_call_id="5b80d49c-1172",
)
NAMES = (
    "dialled_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "cause",
    "sip_status",
    "dial_status",
    "carrier_call_id",
)
_ids = itertools.count(1)


@pytest.fixture
def store(database: Database) -> PostgresAttemptStore:
    """The store with the service's rights."""
    return PostgresAttemptStore(database.pool)


async def issue(owner: asyncpg.Connection, attempt: int, callee: str = "+442079460123") -> int:
    """An attempt as the gate leaves it: a permit and nothing more."""
    await owner.execute(
        "insert into attempts (decision_id, callee, callee_text, presented, trunk, at, permit_hash, expires_at)"
        " values ($1, $2, $3, '+442079460000', 'one', $4, $5, $4)",
        attempt,
        int(callee[1:]),
        callee,
        AT,
        attempt.to_bytes(16),
    )
    return attempt


async def row(owner: asyncpg.Connection, attempt: int) -> AttemptFacts:
    """What is on record of an attempt."""
    found = await owner.fetchrow("select * from attempts where decision_id = $1", attempt)
    return AttemptFacts(attempt, **{name: found[name] for name in NAMES})


async def evidence(owner: asyncpg.Connection) -> list[tuple[str, int, dict[str, Any]]]:
    """Kind, subject and payload of every entry."""
    rows = await owner.fetch("select kind, subject, payload from evidence_entries order by id")
    return [(found["kind"], found["subject"], json.loads(found["payload"])) for found in rows]


def pieces(facts: AttemptFacts) -> list[AttemptFacts]:
    """The same facts, one at a time."""
    return [replace(AttemptFacts(facts.attempt), **{name: getattr(facts, name)}) for name in NAMES]


async def test_end_is_written_with_its_evidence(store: PostgresAttemptStore, owner: asyncpg.Connection) -> None:
    """An end leaves exactly one evidence row, whose payload says what the attempt's row says."""
    await issue(owner, 1)
    assert await store.record([replace(ANSWERED, ended_at=None)], AT) == []
    assert await evidence(owner) == []
    await store.record([AttemptFacts(1, ended_at=ANSWERED.ended_at)], AT)
    assert await row(owner, 1) == ANSWERED
    ((kind, subject, payload),) = await evidence(owner)
    assert (kind, subject) == ("attempt.ended", 1)
    assert payload == {
        "kind": "attempt.ended",
        "attempt": 1,
        "dialled_at": "2026-03-02T10:00:00+00:00",
        "ringing_at": "2026-03-02T10:00:01+00:00",
        "answered_at": "2026-03-02T10:00:02+00:00",
        "ended_at": "2026-03-02T10:01:00+00:00",
        "cause": 16,
        "sip_status": 200,
        "dial_status": "ANSWER",
        "carrier_call_id": "5b80d49c-1172",
    }


async def test_same_facts_again_change_nothing(store: PostgresAttemptStore, owner: asyncpg.Connection) -> None:
    """Recording twice leaves one row of evidence and the same attempt."""
    await issue(owner, 1)
    for _ in range(2):
        await store.record([ANSWERED], AT)
    assert await row(owner, 1) == ANSWERED
    assert len(await evidence(owner)) == 1


async def test_later_write_never_erases_an_earlier_fact(store: PostgresAttemptStore, owner: asyncpg.Connection) -> None:
    """Other values for what is known already are not taken, and None erases nothing."""
    await issue(owner, 1)
    await store.record([ANSWERED], AT)
    later = AT + timedelta(hours=1)
    other = AttemptFacts(1, later, later, later, later, 17, 486, "BUSY", carrier_call_id="other")
    await store.record([other], AT)
    await store.record([AttemptFacts(1)], AT)
    assert await row(owner, 1) == ANSWERED


async def test_fact_after_the_end_is_added_and_evidenced(
    store: PostgresAttemptStore, owner: asyncpg.Connection
) -> None:
    """A cause that comes after an end without one is kept, and the evidence says that it was amended."""
    await issue(owner, 1)
    await store.record([AttemptFacts(1, dialled_at=AT, ended_at=AT)], AT)
    await store.record([AttemptFacts(1, cause=17, sip_status=486)], AT)
    assert [(kind, payload["cause"]) for kind, _, payload in await evidence(owner)] == [
        ("attempt.ended", None),
        ("attempt.amended", 17),
    ]


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(len(NAMES))),
    repeats=st.lists(st.integers(0, len(NAMES) - 1), max_size=4),
    cut=st.integers(1, 7),
)
def test_order_and_repetition_do_not_matter(dsn: str, order: list[int], repeats: list[int], cut: int) -> None:
    """Whatever the order, the batches and the repetitions, the attempt ends up the same, with one `attempt.ended`."""

    async def run() -> None:
        async with asyncpg.create_pool(dsn, min_size=2, max_size=2) as pool, pool.acquire() as owner:
            store = PostgresAttemptStore(pool)
            attempt = await issue(owner, next(_ids))
            facts = replace(ANSWERED, attempt=attempt)
            sequence = [pieces(facts)[index] for index in [*order, *repeats]]
            log = AttemptLog(store, lambda: AT)
            for at in range(0, len(sequence), cut):
                for piece in sequence[at : at + cut]:
                    log.note(piece)
                await log.flush()
            assert await row(owner, attempt) == facts
            ends = [kind for kind, subject, _ in await evidence(owner) if subject == attempt]
            assert ends.count("attempt.ended") == 1

    asyncio.run(run())


async def test_unknown_attempt_is_reported_and_costs_the_others_nothing(
    store: PostgresAttemptStore, owner: asyncpg.Connection
) -> None:
    """An id that is no attempt comes back; the rest of the batch is written."""
    await issue(owner, 1)
    assert await store.record([ANSWERED, replace(ANSWERED, attempt=10**17)], AT) == [10**17]
    assert await row(owner, 1) == ANSWERED


async def test_two_writers_of_the_same_attempts_do_not_wait_for_each_other(
    store: PostgresAttemptStore, owner: asyncpg.Connection
) -> None:
    """Concurrent batches in opposite order all end, and each attempt ends once."""
    ids = [await issue(owner, n) for n in range(1, 41)]
    forwards = [replace(ANSWERED, attempt=n) for n in ids]
    async with asyncio.timeout(20):
        await asyncio.gather(*(store.record(batch, AT) for batch in [forwards, forwards[::-1]] * 4))
    entries = await evidence(owner)
    assert sorted(subject for _, subject, _ in entries) == ids
    assert {kind for kind, _, _ in entries} == {"attempt.ended"}


async def test_end_and_evidence_are_one_transaction(store: PostgresAttemptStore, owner: asyncpg.Connection) -> None:
    """When the evidence cannot be written the end is not either, and the error says that the store is unavailable."""
    await issue(owner, 1)
    await owner.execute("alter table evidence add constraint none check (kind <> 'attempt.ended')")
    with pytest.raises(StoreUnavailable):
        await store.record([ANSWERED], AT)
    assert await row(owner, 1) == AttemptFacts(1)


async def test_open_attempts_were_dialled_and_have_no_end(
    store: PostgresAttemptStore, owner: asyncpg.Connection
) -> None:
    """Neither a permit that was never dialled, nor an ended attempt, nor one dialled just now is open."""
    for n in range(1, 5):
        await issue(owner, n)
    await store.record(
        [
            AttemptFacts(1, dialled_at=AT),
            AttemptFacts(2, dialled_at=AT, ended_at=AT),
            AttemptFacts(3, dialled_at=AT + timedelta(minutes=5)),
        ],
        AT,
    )
    found = await store.open_attempts(AT + timedelta(minutes=1))
    assert [(one.attempt, one.callee) for one in found] == [(1, "+442079460123")]


async def test_alarm_is_written_with_its_evidence(store: PostgresAttemptStore, owner: asyncpg.Connection) -> None:
    """An alarm is a row and an evidence row about it; what came from outside is printable in both."""
    await store.raise_alarm(Alarm(AT, "no_permit", "PJSIP/egress-0001", "dialled `1\x1b[2J`"))
    alarm = await owner.fetchrow("select * from alarms")
    assert (alarm["kind"], alarm["channel"], alarm["at"]) == ("no_permit", "PJSIP/egress-0001", AT)
    ((kind, subject, payload),) = await evidence(owner)
    assert (kind, subject) == ("alarm.no_permit", alarm["id"])
    assert payload["detail"] == alarm["detail"] == r"dialled `1\x1b[2J`"
