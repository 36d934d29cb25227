"""Use case: who called this number, and did we call from that one. Each question is on record before it is answered.

An answer is of one instant, under the newest checkpoint; what of it is not sealed yet is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dialer.errors import HeedlineError, RegisterError
from dialer.evidence.entries import instant
from dialer.lookups import Lookups
from dialer.numbers import Number
from dialer.ports import Clock
from dialer.ports_trace import Fate, Found, Side, TracedCall, TraceStore, Window

DEFAULT = timedelta(days=90)
"""How far back a trace looks when it is not told."""
MARGIN = timedelta(seconds=60)
"""By how much a proof covers more than its window on either side: clocks of nodes differ."""
LIMIT = 10_000
MOST_LEAVES = 1_000_000
"""Of one proof: it takes a gigabyte of memory to make."""
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Traced:
    """What was found of a number, by what it was."""

    number: str
    window: Window
    found: Mapping[Side, Found]
    registered: bool

    def document(self) -> dict[str, Any]:
        """For programs, canonical."""
        return {
            "number": self.number,
            "registered": self.registered,
            "from": instant(self.window.since),
            "to": instant(self.window.until),
            **{side.value: _document(found) for side, found in self.found.items()},
        }


class Trace:
    """Looks for calls. `lookups` puts each look on record."""

    def __init__(self, store: TraceStore, lookups: Lookups, clock: Clock, patience_s: float = 10.0) -> None:
        self._store, self._lookups, self._clock, self._patience_s = store, lookups, clock, patience_s

    def window(self, since: datetime | None, until: datetime | None) -> Window:
        """The window that is meant; `since` None: `DEFAULT` before its end; `until` None: now. Of what is to come
        nothing is known, so none ends later than now. Raises `RegisterError`."""
        now = self._clock()
        end = min(until or now, now)
        window = Window(since or end - DEFAULT, end)
        if window.since >= window.until:
            raise RegisterError(
                f"the window ends at {instant(window.until)}, before it begins at {instant(window.since)}",
                "give `--from` and `--to` in that order",
            )
        return window

    async def ask(self, number: Number, window: Window, side: Side | None = None) -> Traced:
        """What is known of calls to or from a number. `side` None: a number that is presented by us was shown; any
        other is looked for as both. Raises `StoreUnavailable`."""
        shown = await self._store.is_presented(number.e164)
        sides = [side] if side else [Side.CLI] if shown else list(Side)
        digits = number.digits if number.is_e164 else None
        detail = f"{' and '.join(sides)}, {instant(window.since)} to {instant(window.until)}"
        await self._lookups.record("trace", digits if Side.CALLEE in sides else None, number.e164, detail)
        found: dict[Side, Found] = {}
        for each in sides:
            if each is Side.CALLEE:
                found[each] = await self._store.calls_to(number.e164, digits, window, LIMIT)
            else:
                found[each] = await self._store.calls_from(number.e164, window, LIMIT)
        return Traced(number.e164, window, found, shown)

    async def provable(self, number: Number, window: Window) -> None:
        """Wait until all calls of the window are sealed, so that what is found can be proved. Raises `HeedlineError`
        when they are not in time, and of a person who was erased: the proof's entry would hold his number again."""
        if number.is_e164 and await self._lookups.is_erased(number.digits):
            raise HeedlineError(
                f"{number.e164} is an erased person's, or this node lacks the key that tells: a proof would write the "
                "number into the log again",
                "ask without `-o`",
            )
        try:
            async with asyncio.timeout(self._patience_s):
                while waiting := await self._store.waiting(window):  # noqa: ASYNC110 - the database says, no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise _unsealed(waiting) from None

    async def stretch(self, traced: Traced) -> tuple[int, int]:
        """The leaves, from the first to before the second index, that show all of the window. Raises `HeedlineError`
        when a part of it is not sealed, when it has more than `MOST_LEAVES`, or the answer is not whole."""
        if any(found.more for found in traced.found.values()):
            raise HeedlineError(f"the number had more than {LIMIT} calls in the window", "give a shorter one")
        waiting = max((found.seen.unsealed for found in traced.found.values()), default=0)
        if waiting:
            raise _unsealed(waiting)
        until = traced.window.until + MARGIN
        start, end = await self._store.stretch(traced.window.since - MARGIN, until if until < self._clock() else None)
        if start >= end:
            raise HeedlineError("the log holds nothing that is sealed", "is `heedline serve` running?")
        if end - start > MOST_LEAVES:
            raise HeedlineError(
                f"the window has {end - start} entries, and a proof holds {MOST_LEAVES} at most",
                "give a shorter one with `--from` and `--to`, or one after the other",
            )
        return start, end


def _unsealed(waiting: int) -> HeedlineError:
    return HeedlineError(f"{waiting} calls of the window are not sealed yet", "is `heedline serve` running?")


def called(found: Found) -> list[TracedCall]:
    """The calls that left for the carrier."""
    return [call for call in found.calls if call.fate is Fate.CALLED]


def _document(found: Found) -> dict[str, Any]:
    seen = found.seen
    return {
        "calls": [call_document(call) for call in found.calls],
        "called": len(called(found)),
        "more": found.more,
        "checkpoint": None if seen.size is None else {"size": seen.size, "root": seen.root, "at": instant(seen.at)},
        "calls_of_anyone": seen.calls,
        "erased": seen.erased,
        "unsealed": seen.unsealed,
    }


def call_document(call: TracedCall) -> dict[str, Any]:
    """A call as plain data, without null members of what never happened."""
    times = {
        "dialled_at": call.dialled_at,
        "ringing_at": call.ringing_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
    }
    return {
        "fate": call.fate.value,
        "at": instant(call.at),
        "call": call.decision,
        "callee": call.callee,
        "presented": call.presented,
        "seller": call.seller,
        "purpose": call.purpose,
        "trunk": call.trunk,
        "path": call.path,
        "call_id": call.call_id,
        "verdict": call.outcome,
        "reasons": list(call.reasons),
        "rules": call.rules,
        **{name: instant(at) for name, at in times.items()},
        "cause": call.cause,
        "sip_status": call.sip_status,
        "dial_status": call.dial_status,
        "consents": [
            {"id": c.id, "purpose": c.purpose, "basis": c.basis, "granted_at": c.granted_at,
             "withdrawn_at": c.withdrawn_at, "sha256": c.sha256}
            for c in call.consents
        ],
        "refusals": [{"id": r.id, "at": r.at, "how": r.how, "seller": r.seller} for r in call.refusals],
        "complaints": list(call.complaints),
        "entries": [{"kind": e.kind, "entry": e.entry, "index": e.index} for e in call.entries],
    }  # fmt: skip
