"""The log checks itself once a day: what came of it is an entry, and faults raise an alarm."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from dialer.evidence.entries import canonical, instant
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AlarmStore

log = logging.getLogger(__name__)

KIND = "log.verified"
EVERY = timedelta(days=1)
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Verification:
    """When the log was last checked as a whole, its size then, how many faults were found, how long it took."""

    at: datetime
    size: int
    faults: int
    seconds: int


class VerificationStore(Protocol):
    """Where what came of checks is kept. Every method raises `StoreUnavailable`."""

    async def last_verification(self) -> Verification | None: ...

    async def record_verification(self, at: datetime, payload: str) -> None:
        """Writes the entry `log.verified`."""


class SelfVerification:
    """Checks the log by `check`, which gives what `heedline evidence fsck --json` prints and may take long."""

    def __init__(
        self,
        store: VerificationStore,
        alarms: AlarmStore,
        clock: Clock,
        check: Callable[[], Awaitable[Mapping[str, Any]]],
        by: str,
    ) -> None:
        self._store, self._alarms, self._clock, self._check, self._by = store, alarms, clock, check, by

    async def run_if_due(self) -> Verification | None:
        """Check the log unless that was done within a day; what was found now."""
        last = await self._store.last_verification()
        now = self._clock()
        if last is not None and timedelta(0) <= now - last.at < EVERY:
            return None
        return await self.run()

    async def run(self) -> Verification:
        """Check the log. Raises `HeedlineError` when it cannot be checked."""
        document = await self._check()
        counts: Mapping[str, int] = document["counts"]
        now, faults = self._clock(), sum(counts.values())
        found = Verification(now, int(document["size"]), faults, round(document["seconds"]))
        what = {"size": found.size, "faults": faults, "counts": dict(counts), "seconds": found.seconds}
        await self._store.record_verification(
            now, canonical({"kind": KIND, "at": instant(now), "by": self._by, **what})
        )
        if faults:
            kinds = ", ".join(
                f"{kind} {count}" for kind, count in sorted(counts.items(), key=lambda each: -each[1])[:_NAMED]
            )
            detail = f"the log is not as it was sealed, {faults} faults: {kinds}; run `heedline evidence fsck`"
            log.error("%s", detail)
            await self._alarms.raise_alarm(Alarm(now, "log_faulty", "log", detail))
        return found
