"""What a trace finds, as data, and what it asks of its store, which raises `StoreUnavailable` when it cannot answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Side(StrEnum):
    """What a number was: the one that was called, or the one that was shown."""

    CALLEE = "callee"
    CLI = "cli"


class Fate(StrEnum):
    """What became of a call that was asked for."""

    CALLED = "called"  # its permit was used: it left for the carrier
    UNUSED = "unused"  # allowed, and its permit was never used
    WITHHELD = "withheld"  # refused or deferred by the decision
    REJECTED = "rejected"  # an INVITE that the egress turned away


@dataclass(frozen=True, slots=True)
class EntryMark:
    """An entry of the log: its id, and the index of its leaf (None: not sealed yet)."""

    kind: str
    entry: int
    index: int | None


@dataclass(frozen=True, slots=True)
class ConsentMark:
    """A consent on which a call rested. `sha256` (hexadecimal) is its artefact's."""

    id: int
    purpose: str
    basis: str
    granted_at: str
    withdrawn_at: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RefusalMark:
    """A refusal that binds the call's seller, whether before or after the call. `seller` None: to every seller."""

    id: int
    at: str
    how: str
    seller: str | None


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One call, or what was to be one. `decision` is None of an INVITE that was turned away. `at` is when it left or
    was turned away, else when it was decided. `reasons` are the verdict's; `rules` the versions of the packs that it
    was made by."""

    fate: Fate
    at: datetime
    decision: int | None
    callee: str
    presented: str
    seller: str
    purpose: str
    trunk: str
    path: str
    call_id: str
    outcome: str
    reasons: tuple[str, ...]
    rules: str
    decided_at: datetime | None
    dialled_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    cause: int | None
    sip_status: int | None
    dial_status: str | None
    consents: tuple[ConsentMark, ...]
    refusals: tuple[RefusalMark, ...]
    complaints: tuple[int, ...]
    entries: tuple[EntryMark, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """From an instant to one, both included."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """The log, and what went out in a window, as of one instant. `size`, `root` (hexadecimal) and `at` are the newest
    checkpoint's (None before the first). `calls` is how many calls of anyone to anyone left in the window, `erased` of
    how many of them the person is erased, `unsealed` how many no checkpoint covers yet."""

    size: int | None
    root: str | None
    at: datetime | None
    calls: int
    erased: int
    unsealed: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a trace found under what was seen. `more`: there are calls beyond the limit."""

    calls: tuple[TracedCall, ...]
    seen: Seen
    more: bool


class TraceStore(Protocol):
    """Where calls are looked for. All of one trace is of one instant."""

    async def calls_to(self, number: str, digits: int | None, window: Window, limit: int) -> Found:
        """Calls to a number in its canonical text; `digits` are those of an E.164 number."""

    async def calls_from(self, cli: str, window: Window, limit: int) -> Found:
        """Calls that showed a number in its canonical text."""

    async def waiting(self, window: Window) -> int:
        """How many calls that left in the window no checkpoint covers yet."""

    async def is_presented(self, number: str) -> bool:
        """Whether the number is, or was, presented: it is registered for a trunk, or its registration is on record."""

    async def stretch(self, since: datetime, until: datetime | None) -> tuple[int, int]:
        """The leaves, from the first to before the second index, beside which no leaf says that it is of that time
        (`until` None: up to the log's end). One more on either side is among them where there is one."""
