"""Wiring of complaints, traces and look-ups, opened on a database. A part of the wiring, like `dialer.app`."""

from __future__ import annotations

from db.attempt_store import PostgresAttemptStore
from db.complaint_store import PostgresComplaintStore
from db.entry_store import PostgresEntryStore
from db.erasure_store import is_erased
from db.trace_store import PostgresTraceStore
from dialer.app import Database, clock, load_policy, open_refusal_store, open_registers
from dialer.complaints import Complaints
from dialer.config import Settings
from dialer.jobs import Job
from dialer.lookups import Lookups
from dialer.overdue import EVERY, Overdue
from dialer.policy.pack import PackSet
from dialer.ports import Clock
from dialer.trace import Trace


def open_lookups(database: Database, by: str, now: Clock = clock) -> Lookups:
    """What puts look-ups of personal data on record; `by` is who looks."""

    async def erased(callee: int) -> bool:
        return await is_erased(database.pool, database.erasure, callee)

    return Lookups(PostgresEntryStore(database.pool), now, by, erased)


def open_complaints(
    settings: Settings, database: Database, by: str, packs: PackSet | None = None, now: Clock = clock
) -> Complaints:
    """Complaints; `by` is who takes them in, for evidence. `packs` None: those of the settings."""
    registers = open_registers(database, by, packs or load_policy(settings))
    store, due_days = PostgresComplaintStore(database.pool), settings.complaints.due_days
    return Complaints(store, registers.refusals, open_refusal_store(database), now, by, due_days)


def open_trace(database: Database, by: str, now: Clock = clock) -> Trace:
    """What looks for calls; each look is on record."""
    return Trace(PostgresTraceStore(database.pool), open_lookups(database, by, now), now)


def overdue_job(database: Database) -> Job:
    """Raises `alarm.complaint_overdue` for complaints that wait too long for their answer, once a day for each."""
    overdue = Overdue(PostgresComplaintStore(database.pool), PostgresAttemptStore(database.pool), clock)
    return Job("overdue complaints", overdue.run, EVERY)
