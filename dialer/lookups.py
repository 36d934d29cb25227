"""Every look-up of personal data is itself an entry: who looked, at what, when, also when nothing was found.

The entry is written before anything is read, so what is not on record was not looked at. The gate's own reading is no
look-up: its decisions are entries already. The entry goes with the person whose number it holds, when he is erased, and
of one who was erased already it does not hold the number again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_evidence import EntryStore

_DETAIL_LIMIT = 500

IsErased = Callable[[int], Awaitable[bool]]
"""Whether a callee (E.164 digits) was erased. Raises `StoreUnavailable`."""


async def _nobody(_: int) -> bool:
    return False


class Lookups:
    """Puts look-ups on record. `by` is who looks; `is_erased` says of a callee whether he was erased."""

    def __init__(self, store: EntryStore, clock: Clock, by: str, is_erased: IsErased = _nobody) -> None:
        self._store, self._clock, self._by, self._is_erased = store, clock, by, is_erased

    async def record(self, what: str, callee: int | None = None, cli: str | None = None, detail: str = "") -> int:
        """Write the entry; its id. `what` is the command or the operation, `callee` (E.164 digits) whose data is read
        (None: of several, or of nobody who is known), `cli` the presented number that was asked for, `detail` more
        of the question. Raises `StoreUnavailable`: then the look-up must not happen."""
        now = self._clock()
        shown = int(cli[1:]) if cli is not None and cli.startswith("+") and cli[1:].isdecimal() else None
        person = shown if callee is None else callee
        for number in {callee, shown} - {None}:
            if number is not None and await self._is_erased(number):
                person, callee, cli, detail = None, None, None, "an erased person"
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
        return await self._store.write(now, "lookup", None, payload, person)

    async def is_erased(self, callee: int) -> bool:
        """Whether a callee (E.164 digits) was erased, as far as this node can tell. Raises `StoreUnavailable`."""
        return await self._is_erased(callee)
