"""Use cases of refusals: recording and showing. Nothing edits or deletes one; only a later consent can lift it."""

from __future__ import annotations

from datetime import timedelta

from dialer.errors import RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.import_rows import WAYS
from dialer.numbers import Number
from dialer.ports_registers import NewRefusal, RefusalRecord
from dialer.registers import Register, known_seller

_SKEW = timedelta(minutes=5)


class Refusals(Register):
    """Callees' "do not call me"."""

    async def add(self, refusal: NewRefusal) -> int:
        """Record a refusal; its id. When this has returned, no permit for this callee and seller can be issued or used
        (rule 3). Raises `NotRegistered`, `RegisterError`, `StoreUnavailable`; then it is not recorded."""
        if refusal.how not in WAYS:
            raise RegisterError(f"`{printable(refusal.how, 40)}` is no way to refuse", f"use one of {', '.join(WAYS)}")
        if refusal.at > self._clock() + _SKEW:
            raise RegisterError(f"`{instant(refusal.at)}` lies in the future", "check the time and its offset")
        payload = canonical(
            {
                "kind": "refusal",
                "at": instant(refusal.at),
                "by": self._by,
                "callee": f"+{refusal.callee}",
                "seller": refusal.seller,
                "how": refusal.how,
                "call_id": refusal.call_id,
                "agent": refusal.agent,
                "note": refusal.note,
            }
        )
        async with self._store.transaction() as transaction:
            if refusal.seller is not None:
                await known_seller(transaction, refusal.seller)
            return await transaction.add_refusal(refusal, payload)

    async def of(self, callee: Number) -> list[RefusalRecord]:
        """All refusals of a callee, oldest first."""
        return await self._store.refusals_of(callee.digits)
