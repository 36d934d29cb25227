"""What erasure and retention ask of their store, and the data that crosses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dialer.erasure_key import KeyMark
from dialer.policy.facts import Address


class Table(StrEnum):
    """What kinds of records hold personal data."""

    DECISIONS = "decisions"
    ENTRIES = "entries"  # of the evidence, where no other record knows the callee: permits that were turned away
    CONSENTS = "consents"
    REFUSALS = "refusals"
    REVIEWS = "reviews"  # spoken words that a person judged
    COMPLAINTS = "complaints"
    RECORDINGS = "recordings"  # clips of refusals that stay themselves


@dataclass(frozen=True, slots=True)
class Held:
    """One record. Its time runs from `at`. `industry` and `purpose` are the seller's and the call's; None: any. `clip`
    is the SHA-256 (hexadecimal) of its recording."""

    table: Table
    id: int
    callee: int | None
    at: datetime
    industry: str | None = None
    purpose: str | None = None
    clip: str | None = None

    @property
    def of(self) -> tuple[str, ...]:
        """By which kinds of retention rules it is held."""
        match self.table:
            case Table.DECISIONS | Table.ENTRIES:
                return ("decision",)
            case Table.CONSENTS:
                return ("consent",)
            case Table.REVIEWS | Table.RECORDINGS:
                return ("recording",)
        return ("refusal", "recording") if self.clip else ("refusal",)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a table: what is `aged` in it, and the id (None: there was nothing) and time of its last row."""

    aged: Sequence[Held]
    last: int | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Pending:
    """An erasure that was asked for and is not done. `despite`: by what authority no term is waited for."""

    callee: int
    asked_at: datetime
    asked_by: str
    reason: str
    despite: str | None


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: the `entry` that says so, how many `entries` lost their payload, and `files` (hexadecimal) that
    go."""

    entry: int
    entries: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hashing:
    """By which key numbers are hashed, on which node."""

    mark: KeyMark
    hashes: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Said:
    """What the entry says of an erasure: when, by whom, on what `basis` (`request`, `retention`), why, and by which
    rules (id, days)."""

    at: datetime
    by: str
    basis: str
    reason: str
    rules: Sequence[tuple[str, int]] = field(default=())


class ErasureStore(Protocol):
    """Where it is all kept. Every method raises `StoreUnavailable`."""

    async def key(self) -> KeyMark | None:
        """Which key hashes; None: nobody was erased."""

    async def ask(self, callee: int, hashing: Hashing, said: Said, despite: str | None) -> int:
        """Note that a person asked; the refusal to all sellers that binds from the return of this on. Raises
        `ConfigError` when another key hashes."""

    async def erase_person(
        self, callee: int, hashing: Hashing, said: Said, texts: Sequence[str], decisions: Sequence[int]
    ) -> Erased | None:
        """Erase all that is known of a person who asked; None when there was nothing. `texts`: forms of his number."""

    async def erase_records(self, records: Sequence[Held], hashing: Hashing | None, said: Said) -> Erased | None:
        """Erase these records; None when there was nothing. `hashing`: of the callees of refusals and consents."""

    async def pending(self) -> list[Pending]:
        """Erasures that wait, oldest first."""

    async def pending_of(self, callee: int) -> Pending | None:
        """The erasure of this person that waits."""

    async def of_callee(self, callee: int) -> list[Held]:
        """All records of a person."""

    async def unread_decisions(self, texts: Sequence[str]) -> list[int]:
        """Decisions on a text that was no number, which holds one of these."""

    async def listed(self, callee: int) -> int:
        """How many suppression lists' imports name the number."""

    async def addresses(self, callees: Sequence[int]) -> Mapping[int, Sequence[Address]]:
        """Where callees are known to be."""

    async def stretch(self, table: Table, after: int, before: datetime, limit: int) -> Stretch:
        """Records of a table with ids above `after`, of which those are aged whose time began before an instant."""

    async def erased_files(self) -> list[str]:
        """Files (SHA-256, hexadecimal) that nodes remove."""

    async def countries(self) -> list[str]:
        """Countries of the trunks."""
