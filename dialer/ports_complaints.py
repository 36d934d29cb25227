"""Complaints as data, and what they ask of their store. Methods raise `StoreUnavailable` when it cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dialer.complaint_terms import Channel, Source, Status
from dialer.ports_refusals import RefusalArtefact
from dialer.ports_registers import Transaction
from dialer.ports_trace import TracedCall

__all__ = [
    "Channel",
    "ComplaintRecord",
    "ComplaintStore",
    "ComplaintTransaction",
    "NewComplaint",
    "Source",
    "Status",
    "Taken",
]


@dataclass(frozen=True, slots=True)
class NewComplaint:
    """A complaint to take in. `callee` is E.164 digits, `cli` the presented number that it names. `authority` names the
    carrier or the authority. `case_number` None: it gets one of our own. `seller` None: whoever is registered for `cli`
    alone, else (and with `all_sellers`) every seller. `received_at` None: now; `due_at` None: by the settings.

    `receipt` makes telling it again harmless where it has no case number.
    """

    callee: int
    source: Source
    channel: Channel
    text: str = ""
    case_number: str | None = None
    authority: str = ""
    cli: str | None = None
    seller: str | None = None
    all_sellers: bool = False
    received_at: datetime | None = None
    due_at: datetime | None = None
    artefact: RefusalArtefact | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class ComplaintRecord:
    """A complaint as recorded. `callee` is None, and what was written is gone, once the person is erased. `seller`
    None: every seller. `refusal_id` is the refusal that it acted as, `calls` are the decisions of its calls."""

    id: int
    case_number: str
    source: Source
    authority: str
    callee: int | None
    cli: str | None
    seller: str | None
    channel: Channel
    received_at: datetime
    due_at: datetime
    text: str
    refusal_id: int
    status: Status
    answer: str | None
    answered_at: datetime | None
    answered_by: str | None
    outcome: str | None
    closed_at: datetime | None
    closed_by: str | None
    recorded_at: datetime
    recorded_by: str
    calls: tuple[int, ...] = ()

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been answered before."""
        return self.status is Status.OPEN and self.due_at < now


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking in came to. `known`: it had been told before, and `complaint` is what was recorded then."""

    complaint: ComplaintRecord
    known: bool = False


class ComplaintTransaction(Transaction, Protocol):
    """One transaction of complaints."""

    async def complaint_of_case(self, source: Source, authority: str, case_number: str) -> ComplaintRecord | None:
        """The complaint of that case. Two transactions that ask for one case ask one after the other."""

    async def complaint_of_refusal(self, refusal: int) -> ComplaintRecord | None: ...

    async def complaint(self, id: int) -> ComplaintRecord | None:
        """One complaint, locked until the end of the transaction."""

    async def next_complaint(self) -> int:
        """An id that no other has."""

    async def add_complaint(self, record: ComplaintRecord) -> None:
        """Record what was received."""

    async def tie_calls(
        self, complaint: int, callee: int, cli: str | None, since: datetime, until: datetime, at: datetime, by: str
    ) -> Sequence[int]:
        """Tie the calls that went out to the callee in that time, showing `cli` if it is given; their decisions."""

    async def tie_call(self, complaint: int, decision: int, at: datetime, by: str) -> bool:
        """False when it was tied before."""

    async def callee_of(self, decision: int) -> int | None:
        """Whom a decision was about; None: there is none of that id, or of nobody who is known."""

    async def answer_complaint(self, id: int, answer: str, at: datetime, by: str) -> None: ...

    async def close_complaint(self, id: int, outcome: str, at: datetime, by: str) -> None: ...


class ComplaintStore(Protocol):
    """Where complaints are kept."""

    def transaction(self) -> AbstractAsyncContextManager[ComplaintTransaction]:
        """Commits on a clean exit, otherwise leaves nothing."""

    async def show(self, id: int) -> ComplaintRecord | None: ...

    async def find(
        self, *, unanswered: bool, due_before: datetime | None, after: int, limit: int
    ) -> list[ComplaintRecord]:
        """At most `limit` with ids above `after`: all, or those that wait for an answer, or were due before an instant
        and still do."""

    async def calls_of(self, complaint: int) -> list[TracedCall]:
        """Its calls, oldest first, with what is known of each."""

    async def overdue(self, now: datetime, since: datetime) -> list[ComplaintRecord]:
        """Those that wait for an answer and were due before `now`, but for those of which an alarm was raised after
        `since`."""
