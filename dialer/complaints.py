"""Use cases of complaints: taking one in, which acts as a refusal; tying calls to it; answering and closing it.

Each step writes its entry in the same transaction; the complaint's id is the entry's subject.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dialer.errors import NotRegistered, ReceiptConflict, RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_complaints import (
    ComplaintRecord,
    ComplaintStore,
    ComplaintTransaction,
    NewComplaint,
    Source,
    Status,
    Taken,
)
from dialer.ports_refusals import NewRefusal, RefusalStore
from dialer.ports_trace import TracedCall
from dialer.refusals import Refusals
from dialer.registers import checked_text

TEXT_LIMIT = 4000
"""Characters of what is written in a complaint, its answer or its outcome."""
CASE_LIMIT = 64
CALLS_WITHIN = timedelta(days=90)
"""A complaint is about calls that went out so long before it came."""
LARGEST_ID = 2**63 - 1
_SPACES = re.compile(r"\s+")
_OURS = re.compile(r"HL-[0-9]{4}-[0-9]+", re.IGNORECASE)
_LONGEST_DUE = timedelta(days=3660)


class Complaints:
    """Complaints of callees, carriers and authorities. `by` is who takes them in and answers, for evidence; `refusals`
    records on behalf of the same. `due_days` is how long an answer may take where no date is given."""

    def __init__(
        self, store: ComplaintStore, refusals: Refusals, calls: RefusalStore, clock: Clock, by: str, due_days: int
    ) -> None:
        self._store, self._refusals, self._calls = store, refusals, calls
        self._clock, self._by, self._due_days = clock, by, due_days

    async def add(self, complaint: NewComplaint) -> Taken:
        """Take a complaint in. When this has returned it binds as a refusal does, and its calls are tied to it.

        Told again with the same case number and content it is known. Raises `NotRegistered` (the seller),
        `ReceiptConflict` when its case number, or its receipt, was told with other content, `RegisterError`,
        `StoreUnavailable`.
        """
        told = self._checked(complaint)
        showing = await self._calls.sellers_showing(told.cli) if told.cli is not None else []
        async with self._store.transaction() as transaction:
            known = await self._known_case(transaction, told)
            taken = Taken(known, True) if known else await self._take(transaction, told, seller_of(told, showing))
        await self._refusals.settled(told.callee)
        return taken

    async def show(self, id: int) -> ComplaintRecord:
        """One complaint. Raises `NotRegistered`."""
        found = await self._store.show(id) if 0 < id <= LARGEST_ID else None
        if found is None:
            raise _unknown(id)
        return found

    async def calls_of(self, id: int) -> list[TracedCall]:
        """What is known of a complaint's calls, oldest first."""
        return await self._store.calls_of(id)

    async def find(
        self, *, unanswered: bool = False, overdue: bool = False, after: int = 0, limit: int = 100
    ) -> list[ComplaintRecord]:
        """Complaints by id, from the one behind `after` on: all, those that wait for an answer, or those that wait too
        long."""
        due_before = self._clock() if overdue else None
        return await self._store.find(unanswered=unanswered, due_before=due_before, after=after, limit=limit)

    async def tie(self, id: int, decisions: Sequence[int]) -> list[int]:
        """Tie calls to a complaint by their decisions; those that were not tied before. Raises `NotRegistered`,
        `RegisterError` when one was to somebody else; then none is tied."""
        now = self._clock()
        async with self._store.transaction() as transaction:
            record = await _unclosed(transaction, id)
            tied = []
            for decision in dict.fromkeys(decisions):
                await _check_callee(transaction, record, decision)
                if await transaction.tie_call(id, decision, now, self._by):
                    tied.append(decision)
            if tied:
                await self._witness(transaction, now, "complaint.tied", record, calls=tied)
        return tied

    async def answer(self, id: int, answer: str) -> None:
        """Note what was answered. A further answer stands beside the first in the log, and is the one that is shown.
        Raises `NotRegistered`, `RegisterError`."""
        text, now = kept_text(answer, "answer"), self._clock()
        async with self._store.transaction() as transaction:
            record = await _unclosed(transaction, id)
            await transaction.answer_complaint(id, text, now, self._by)
            await self._witness(transaction, now, "complaint.answered", record, answer=text)

    async def close(self, id: int, outcome: str) -> None:
        """Note what it came to; nothing is added to it any more. Raises `NotRegistered`, `RegisterError`."""
        text, now = kept_text(outcome, "outcome"), self._clock()
        async with self._store.transaction() as transaction:
            record = await _unclosed(transaction, id)
            await transaction.close_complaint(id, text, now, self._by)
            await self._witness(transaction, now, "complaint.closed", record, outcome=text)

    async def _known_case(self, transaction: ComplaintTransaction, told: NewComplaint) -> ComplaintRecord | None:
        """The complaint that was told before under this case number. Raises `ReceiptConflict` when it was another."""
        if told.case_number is None:
            return None
        known = await transaction.complaint_of_case(told.source, told.authority, told.case_number)
        if known is None:
            if _OURS.fullmatch(told.case_number):
                raise RegisterError(
                    f"case number `{told.case_number}` is of the form that is given here",
                    "leave it out, and one is made; or write whose number it is in front",
                )
            return None
        if not fits(told, known):
            raise ReceiptConflict(
                f"case `{told.case_number}` was told with other content before",
                f"see `heedline complaint show {known.id}`",
            )
        return known

    async def _take(self, transaction: ComplaintTransaction, told: NewComplaint, seller: str | None) -> Taken:
        now = self._clock()
        received_at = told.received_at or now
        note = f"case {told.case_number}" if told.case_number else None
        refusal = NewRefusal(
            told.callee, seller, "complaint", received_at, note=note, artefact=told.artefact, receipt=told.receipt
        )
        recorded = await self._refusals.record_within(transaction, refusal)
        if recorded.known:
            return Taken(await _told_with_receipt(transaction, recorded.id, told), True)
        id = await transaction.next_complaint()
        record = ComplaintRecord(
            id=id,
            case_number=told.case_number or f"HL-{received_at.year}-{id:06d}",
            source=told.source, authority=told.authority, callee=told.callee, cli=told.cli, seller=seller,
            channel=told.channel, received_at=received_at,
            due_at=told.due_at or received_at + timedelta(days=self._due_days),
            text=told.text, refusal_id=recorded.id, status=Status.OPEN, answer=None, answered_at=None, answered_by=None,
            outcome=None, closed_at=None, closed_by=None, recorded_at=now, recorded_by=self._by,
        )  # fmt: skip
        await transaction.add_complaint(record)
        since = received_at - CALLS_WITHIN
        calls = await transaction.tie_calls(id, told.callee, told.cli, since, received_at, now, self._by)
        record = replace(record, calls=tuple(calls))
        await self._witness(transaction, now, "complaint.received", record, **_received(record))
        return Taken(record)

    async def _witness(
        self, transaction: ComplaintTransaction, at: datetime, kind: str, record: ComplaintRecord, **what: Any
    ) -> None:
        payload = canonical({"kind": kind, "at": instant(at), "by": self._by, "complaint": record.id, **what})
        await transaction.witness(at, kind, record.id, payload)

    def _checked(self, complaint: NewComplaint) -> NewComplaint:
        """As it is kept. Raises `RegisterError`."""
        c = complaint
        if c.case_number is not None:
            checked_text(c.case_number, "case number", CASE_LIMIT)
        if c.authority:
            checked_text(c.authority, "authority")
        if c.source is Source.AUTHORITY and not c.authority:
            raise RegisterError("an authority has a name", "give it with `--authority`")
        if c.seller is not None and c.all_sellers:
            raise RegisterError("a complaint is about one seller or about all", "give one of them")
        received_at = c.received_at or self._clock()
        if c.due_at is not None and not received_at <= c.due_at <= received_at + _LONGEST_DUE:
            raise RegisterError(
                f"`{instant(c.due_at)}` is no due date of what came on {instant(received_at)}", "check both times"
            )
        text = kept_text(c.text, "text") if c.text.strip() else ""
        return replace(c, text=text, case_number=c.case_number and c.case_number.strip(), authority=c.authority.strip())


def seller_of(complaint: NewComplaint, showing: Sequence[str | None]) -> str | None:
    """Whose calls a complaint is about: the seller that it names, else the only one that may present the number, else
    (None) every one; a doubt widens the refusal. `showing`: for whom the number is registered."""
    if complaint.seller is not None or complaint.all_sellers:
        return complaint.seller
    return showing[0] if len(showing) == 1 else None


def fits(told: NewComplaint, known: ComplaintRecord) -> bool:
    """Whether a complaint that is told again says what is on record. What it leaves open does not differ."""
    return (
        (told.callee, told.cli, told.channel, told.text) == (known.callee, known.cli, known.channel, known.text)
        and (told.seller is None or told.seller == known.seller)
        and (not told.all_sellers or known.seller is None)
        and told.received_at in (None, known.received_at)
        and told.due_at in (None, known.due_at)
    )


def kept_text(text: str, what: str) -> str:
    """A text on one line: breaks and tabs become spaces, invisible characters escapes. Raises `RegisterError`."""
    kept = printable(_SPACES.sub(" ", text).strip(), 8 * TEXT_LIMIT)
    if not kept or len(kept) > TEXT_LIMIT:
        raise RegisterError(f"the {what} has {len(kept)} characters", f"write 1 to {TEXT_LIMIT}")
    return kept


async def _told_with_receipt(transaction: ComplaintTransaction, refusal: int, told: NewComplaint) -> ComplaintRecord:
    known = await transaction.complaint_of_refusal(refusal)
    if known is None:
        raise ReceiptConflict(
            f"receipt `{printable(told.receipt or '', 80)}` was given to a refusal that is no complaint",
            "use a receipt of its own for each",
        )
    return known


def _received(record: ComplaintRecord) -> dict[str, Any]:
    """What `complaint.received` says beside who, when and which."""
    r = record
    return {
        "case_number": r.case_number,
        "source": r.source.value,
        "authority": r.authority,
        "callee": f"+{r.callee}",
        "cli": r.cli,
        "seller": r.seller,
        "channel": r.channel.value,
        "received_at": instant(r.received_at),
        "due_at": instant(r.due_at),
        "text": r.text,
        "calls": list(r.calls),
        "refusal": r.refusal_id,
    }


async def _unclosed(transaction: ComplaintTransaction, id: int) -> ComplaintRecord:
    """A complaint to which something may be added, locked. Raises `NotRegistered`, `RegisterError`."""
    record = await transaction.complaint(id) if 0 < id <= LARGEST_ID else None
    if record is None:
        raise _unknown(id)
    if record.status is Status.CLOSED:
        raise RegisterError(
            f"complaint `{id}` was closed by `{record.closed_by}`", "what comes later is a complaint of its own"
        )
    return record


async def _check_callee(transaction: ComplaintTransaction, record: ComplaintRecord, decision: int) -> None:
    callee = await transaction.callee_of(decision) if 0 < decision <= LARGEST_ID else None
    if callee is None:
        raise NotRegistered(f"there is no call `{decision}`", "see `heedline trace` for the calls to a number")
    if callee != record.callee:
        raise RegisterError(f"call `{decision}` was not to who complains", "see `heedline trace` for the calls to him")


def _unknown(id: int) -> NotRegistered:
    return NotRegistered(f"there is no complaint `{id}`", "see `heedline complaint list`")
