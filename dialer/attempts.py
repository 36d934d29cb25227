"""Attempts, followed from dialling to their end.

Witnesses (the switches) tell what they see, each thing when it happens, some twice, some late, some never. Facts about
an attempt only ever add up: what is known first stays. They are written in batches, a moment after the first of them
came, so that what belongs together is one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from dialer.errors import StoreUnavailable
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AttemptFacts, AttemptStore

log = logging.getLogger(__name__)

# A call's end and its cause come as several events within milliseconds of each other.
_GATHER_S = 0.2
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
# Attempts that wait for a database that is away; each takes some 300 bytes.
_PENDING_LIMIT = 200_000
# An attempt younger than this may not have reached its switch's list of channels yet.
ORPHAN_AGE = timedelta(seconds=60)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def merged(first: AttemptFacts, second: AttemptFacts) -> AttemptFacts:
    """Both together: the earliest of each instant, and of the rest what `first` knows before what `second` does."""
    return replace(
        first,
        dialled_at=_earlier(first.dialled_at, second.dialled_at),
        ringing_at=_earlier(first.ringing_at, second.ringing_at),
        answered_at=_earlier(first.answered_at, second.answered_at),
        ended_at=_earlier(first.ended_at, second.ended_at),
        cause=second.cause if first.cause is None else first.cause,
        sip_status=second.sip_status if first.sip_status is None else first.sip_status,
        dial_status=first.dial_status or second.dial_status,
        carrier_call_id=first.carrier_call_id or second.carrier_call_id,
    )


def ended_payload(kind: str, facts: AttemptFacts) -> str:
    """The evidence of an attempt's end (`attempt.ended`), or of what became known after it (`attempt.amended`)."""
    entry: dict[str, Any] = {
        "kind": kind,
        "attempt": facts.attempt,
        "dialled_at": instant(facts.dialled_at),
        "ringing_at": instant(facts.ringing_at),
        "answered_at": instant(facts.answered_at),
        "ended_at": instant(facts.ended_at),
        "cause": facts.cause,
        "sip_status": facts.sip_status,
        "dial_status": facts.dial_status,
        "carrier_call_id": facts.carrier_call_id,
    }
    return canonical(entry)


def alarm_payload(alarm: Alarm) -> str:
    """The evidence of an alarm."""
    return canonical(
        {
            "kind": f"alarm.{alarm.kind}",
            "at": instant(alarm.at),
            "channel": printable(alarm.channel),
            "detail": printable(alarm.detail),
        }
    )


@dataclass(slots=True)
class AttemptStats:
    """Counters since the start."""

    written: int = 0
    unknown: int = 0
    lost: int = 0


class AttemptLog:
    """Gathers facts and writes them; what cannot be written now is kept and tried again.

    Use it as an async context manager: on leaving, what is pending is written once more. `note` never blocks and never
    raises.
    """

    def __init__(self, store: AttemptStore, clock: Clock, *, gather_s: float = _GATHER_S) -> None:
        self.stats = AttemptStats()
        self._store, self._clock, self._gather_s = store, clock, gather_s
        # Facts of the egress and of others apart, so that the carrier's own words win whoever speaks first.
        self._pending: dict[tuple[int, bool], AttemptFacts] = {}
        self._noted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def note(self, facts: AttemptFacts) -> None:
        """Take note of facts."""
        key = (facts.attempt, facts.near_carrier)
        known = self._pending.get(key)
        if known is None and len(self._pending) >= _PENDING_LIMIT:
            self.stats.lost += 1
            if self.stats.lost == 1:
                log.error("the database has been away for so long that attempts can no longer be followed")
            return
        self._pending[key] = merged(known, facts) if known else facts
        self._noted.set()

    async def flush(self) -> None:
        """Write what is pending now. Raises `StoreUnavailable`; nothing is lost by that."""
        async with self._writing:
            batch, self._pending = self._pending, {}
            self._noted.clear()
            if not batch:
                return
            try:
                unknown = await self._store.record(_one_each(batch), self._clock())
            except BaseException:
                self._put_back(batch)
                raise
            self.stats.written += len(batch)
            self.stats.unknown += len(unknown)
            if unknown:
                log.warning("a switch spoke of attempts that do not exist: %s", unknown[:10])

    async def close_orphans(self, live_callees: frozenset[str]) -> None:
        """End the open attempts whose callee is on no channel of any switch (`live_callees`: numbers on live channels),
        with cause unknown: their end came while nobody listened. Raises `StoreUnavailable`."""
        now = self._clock()
        for open_attempt in await self._store.open_attempts(now - ORPHAN_AGE):
            if open_attempt.callee.lstrip("+") not in live_callees:
                self.note(AttemptFacts(open_attempt.attempt, ended_at=now))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write(), name="attempts")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):
            await self.flush()
        if self._pending:
            log.error("what was seen of %d attempts could not be written", len(self._pending))

    def _put_back(self, batch: dict[tuple[int, bool], AttemptFacts]) -> None:
        newer, self._pending = self._pending, batch
        for facts in newer.values():
            self.note(facts)
        self._noted.set()

    async def _write(self) -> None:
        wait = _FIRST_WAIT_S
        while True:
            await self._noted.wait()
            await asyncio.sleep(self._gather_s)
            try:
                await self.flush()
                wait = _FIRST_WAIT_S
            except StoreUnavailable as error:
                log.error("attempts are not written for now: %s", error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT_S)
            except Exception:  # a fault of ours must not end the following
                log.exception("attempts are not written for now")
                await asyncio.sleep(_LONGEST_WAIT_S)


def _one_each(batch: dict[tuple[int, bool], AttemptFacts]) -> list[AttemptFacts]:
    """One entry an attempt. The egress knows the carrier's cause, the PBX why it stopped dialling."""
    ready: dict[int, AttemptFacts] = {}
    for (attempt, _), facts in sorted(batch.items(), key=lambda entry: not entry[0][1]):
        known = ready.get(attempt)
        status = facts.dial_status or (known.dial_status if known else None)
        ready[attempt] = replace(merged(known, facts) if known else facts, dial_status=status)
    return list(ready.values())
