"""Use cases of refusals: recording, showing, and judging near misses. Nothing edits or deletes a refusal; only a later
consent can lift it."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from time import monotonic
from typing import Any

from dialer.errors import NotRegistered, ReceiptConflict, RegisterError, StoreUnavailable
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.numbers import Number, parse
from dialer.policy.conduct import Conduct, conduct_for
from dialer.policy.packset import PackSet
from dialer.ports import Clock
from dialer.ports_refusals import (
    WAYS,
    NewRefusal,
    NewReview,
    Recorded,
    RefusalRecord,
    RefusalStore,
    RequestArtefact,
    ReviewRecord,
)
from dialer.ports_registers import RegisterStore, Transaction
from dialer.registers import Register, known_seller

_SKEW = timedelta(minutes=5)
_RECEIPT_LIMIT = 200
# From the redemption of a permit to the INVITE pass some milliseconds in the switch. A recording that finds a call
# there waits for it to come out, so that the INVITE is before the return and is cancelled, not after it.
_SETTLE_S = 0.25
_LOOK_S = 0.02


class Refusals(Register):
    """Callees' "do not call me". `packs` tell by which rule a refusal binds."""

    def __init__(
        self,
        store: RegisterStore,
        clock: Clock,
        by: str,
        *,
        packs: PackSet | None = None,
        calls: RefusalStore | None = None,
    ) -> None:
        super().__init__(store, clock, by)
        self._packs, self._calls = packs, calls

    async def add(self, refusal: NewRefusal) -> int:
        """Record a refusal; its id. As `record`."""
        return (await self.record(refusal)).id

    async def record(self, refusal: NewRefusal) -> Recorded:
        """Record a refusal. When this has returned, no permit for this callee and seller can be issued or used (rule
        3), and a call that had used its permit has left or never will.

        Raises `NotRegistered`, `RegisterError`, `ReceiptConflict`, `StoreUnavailable`; then it is not recorded, but for
        `StoreUnavailable`, after which it may have been: tell it again with the same receipt.
        """
        async with self._store.transaction() as transaction:
            recorded = await self.record_within(transaction, refusal)
        await self.settled(refusal.callee)
        return recorded

    async def record_within(self, transaction: Transaction, refusal: NewRefusal) -> Recorded:
        """Record a refusal with what else a transaction does. It binds once that has committed, and calls have settled
        when `settled` has returned after that. Raises as `record`; then the transaction must not commit."""
        self._check(refusal)
        conduct = self.conduct(refusal.callee)
        rule, version = (conduct.rule or None, conduct.rule_version or None) if conduct else (None, None)
        if refusal.seller is not None:
            await known_seller(transaction, refusal.seller)
        id, known, fits = await transaction.add_refusal(
            refusal, rule, version, digest_of(refusal), self._payload(refusal, rule, version)
        )
        if not fits:
            raise ReceiptConflict(
                f"receipt `{printable(refusal.receipt or '', 80)}` was given to another refusal",
                "use a receipt of its own for each refusal",
            )
        return Recorded(id, known)

    async def of(self, callee: Number) -> list[RefusalRecord]:
        """All refusals of a callee, oldest first."""
        return await self._store.refusals_of(callee.digits)

    async def show(self, id: int) -> RefusalRecord | None:
        """One refusal; None: there is none of that id."""
        async with self._store.transaction() as transaction:
            return await transaction.refusal(id)

    def conduct(self, callee: int) -> Conduct | None:
        """What the packs ask when this callee (E.164 digits) refuses; None without packs."""
        number = parse(f"+{callee}")
        if self._packs is None or not isinstance(number, Number):
            return None
        return conduct_for(self._packs, number, self._clock().date())

    # Near misses.

    async def review(self, review: NewReview) -> int:
        """Put spoken words that may be a refusal before a person; the id. Raises `StoreUnavailable`."""
        async with self._store.transaction() as transaction:
            return await transaction.add_review(review)

    async def confirm(self, id: int) -> Recorded:
        """A person has judged: it is a refusal, and is recorded as spoken when it was. Raises `NotRegistered` when
        there is no such near miss, `RegisterError` when it was decided otherwise before."""
        review = await self._judged(id, "refusal")
        heard = review.review
        refusal = NewRefusal(
            heard.callee, heard.seller, "spoken", heard.at, heard.call_id, self._by, None, heard.attempt,
            heard.artefact, f"review:{id}",
        )  # fmt: skip
        recorded = await self.record(refusal)
        await self._decide(id, "refusal", recorded.id)
        return recorded

    async def dismiss(self, id: int) -> None:
        """A person has judged: it is no refusal. Raises as `confirm`."""
        await self._judged(id, "dismissed")
        await self._decide(id, "dismissed", None)

    async def _judged(self, id: int, decision: str) -> ReviewRecord:
        async with self._store.transaction() as transaction:
            found = await transaction.review(id)
        if found is None:
            raise NotRegistered(f"there is no near miss `{id}`", "see `heedline refusal reviews`")
        _check_undecided(found, decision)
        return found

    async def _decide(self, id: int, decision: str, refusal: int | None) -> None:
        now = self._clock()
        async with self._store.transaction() as transaction:
            found = await transaction.review(id)
            if found is None or found.decision == decision:
                return
            _check_undecided(found, decision)
            await transaction.decide_review(id, decision, now, self._by, refusal)
            await self._witness(transaction, "review.decided", id, decision=decision, refusal=refusal)

    def _check(self, refusal: NewRefusal) -> None:
        if refusal.how not in WAYS:
            raise RegisterError(f"`{printable(refusal.how, 40)}` is no way to refuse", f"use one of {', '.join(WAYS)}")
        if refusal.at > self._clock() + _SKEW:
            raise RegisterError(f"`{instant(refusal.at)}` lies in the future", "check the time and its offset")
        if refusal.receipt is not None and not 1 <= len(refusal.receipt) <= _RECEIPT_LIMIT:
            raise RegisterError("a receipt has 1 to 200 characters", "shorten it")

    def _payload(self, refusal: NewRefusal, rule: str | None, rule_version: str | None) -> str:
        return canonical(
            {
                "kind": "refusal",
                "by": self._by,
                **document_of(refusal),
                "receipt": refusal.receipt,
                "rule": rule,
                "rule_version": rule_version,
            }
        )

    async def settled(self, callee: int) -> None:
        """Wait while a call of this callee lies between the use of its permit and its INVITE, a moment at most."""
        if self._calls is None:
            return
        until = monotonic() + _SETTLE_S
        try:
            while any(not call.dialled for call in await self._calls.refused_calls((callee,))):
                if monotonic() >= until:
                    return
                await asyncio.sleep(_LOOK_S)
        except StoreUnavailable:
            return  # it is recorded; that is what the caller must know


def document_of(refusal: NewRefusal) -> dict[str, Any]:
    """A refusal as canonical plain data, without its receipt."""
    return {
        "at": instant(refusal.at),
        "callee": f"+{refusal.callee}",
        "seller": refusal.seller,
        "how": refusal.how,
        "call_id": refusal.call_id,
        "agent": refusal.agent,
        "note": refusal.note,
        "attempt": refusal.attempt,
        "artefact": refusal.artefact and refusal.artefact.document(),
    }


def digest_of(refusal: NewRefusal) -> bytes:
    """SHA-256 by which a refusal that is told again is known. A request that is repeated is the same by its body; when
    it came is its own."""
    document = document_of(refusal)
    if isinstance(refusal.artefact, RequestArtefact):
        document |= {"at": None, "artefact": refusal.artefact.sha256}
    return hashlib.sha256(canonical(document).encode()).digest()


def _check_undecided(review: ReviewRecord, decision: str) -> None:
    if review.decision not in (None, decision):
        raise RegisterError(
            f"near miss `{review.id}` was decided by `{review.decided_by}`: {review.decision}",
            "a refusal that was missed is recorded by `heedline refusal add`",
        )
