"""Every look-up of personal data is itself an entry: who looked, at what, when, also when nothing was found.

The entry is written before anything is read, so what is not on record was not looked at. The gate's own reading is no
look-up: its decisions are entries already.
"""

from __future__ import annotations

from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_evidence import EntryStore

_DETAIL_LIMIT = 500


class Lookups:
    """Puts look-ups on record. `by` is who looks."""

    def __init__(self, store: EntryStore, clock: Clock, by: str) -> None:
        self._store, self._clock, self._by = store, clock, by

    async def record(self, what: str, callee: int | None = None, cli: str | None = None, detail: str = "") -> int:
        """Write the entry; its id. `what` is the command or the operation, `callee` (E.164 digits) whose data is read
        (None: of more than one, or of nobody who is known), `cli` the presented number that was asked for, `detail` more
        of the question. Raises `StoreUnavailable`: then the look-up must not happen."""
        now = self._clock()
        payload = canonical(
            {
                "kind": "lookup",
                "at": instant(now),
                "by": self._by,
                "what": what,
                "callee": None if callee is None else f"+{callee}",
                "cli": None if cli is None else printable(cli),
                "detail": printable(detail, _DETAIL_LIMIT),
            }
        )
        return await self._store.write(now, "lookup", None, payload, callee)
