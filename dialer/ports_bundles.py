"""What a bundle asks of the store, and the data that crosses: one matter, as of one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from dialer.ports_refusals import RefusalRecord, ReviewRecord
from dialer.ports_registers import ConsentRecord, NumberRecord, SellerRecord, TrunkRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """One evidence entry; `salt` and `payload` are None once they are erased."""

    id: int
    at: datetime
    kind: str
    subject: int | None
    commitment: bytes
    salt: bytes | None
    payload: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One decision with the attempt that it permitted, if any. What was not seen (or is erased) is None. `redeemed_at`:
    when its permit was used, so that the call left; `carrier_call_id`: the SIP Call-ID towards the carrier."""

    id: int
    at: datetime
    callee: int | None
    callee_text: str | None
    seller: str
    purpose: str
    presented: str
    trunk: str
    path: str
    call_id: str
    outcome: str
    reasons: tuple[str, ...]
    until: datetime | None
    rule_version: str
    redeemed_at: datetime | None = None
    redeemed_by: str | None = None
    dialled_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: int | None = None
    sip_status: int | None = None
    dial_status: str | None = None
    carrier_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom and which calls a bundle is about. `calls` None: all of the callee. `complaint`: its id."""

    callee: int | None
    calls: tuple[int, ...] | None = None
    complaint: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A suppression list that the callee is on now; `import_id` is the import in force."""

    list: str
    owner: str
    import_id: int
    as_of: datetime
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class Matter:
    """Everything that is on record within a scope, and the entries that witness it, by id."""

    scope: Scope
    calls: Sequence[Call] = ()
    consents: Sequence[ConsentRecord] = ()
    refusals: Sequence[RefusalRecord] = ()
    reviews: Sequence[ReviewRecord] = ()
    complaints: Sequence[Mapping[str, Any]] = ()
    listings: Sequence[Listing] = ()
    sellers: Sequence[SellerRecord] = ()
    trunks: Sequence[TrunkRecord] = ()
    numbers: Sequence[NumberRecord] = ()
    entries: Sequence[Entry] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is on record; that somebody looked does not count."""
        looks = {"lookup", "evidence.exported"}
        spoken = self.calls or self.consents or self.refusals or self.reviews or self.complaints or self.listings
        return not spoken and all(entry.kind in looks or entry.kind in GENERAL for entry in self.entries)


GENERAL = frozenset(
    {"log.key_added", "log.key_rotated", "log.restored", "policy.loosened", "number.imported", "evidence.erased"}
)
"""Kinds that speak of no callee and belong into every bundle that they may explain."""


@dataclass(frozen=True, slots=True)
class Seals:
    """What others said of one checkpoint: witnesses' lines and time stamps (authority, DER)."""

    lines: Sequence[str] = ()
    stamps: Sequence[tuple[str, bytes]] = field(default=())


class BundleReader(Protocol):
    """One snapshot of the store."""

    async def callees_of_call(self, call: str) -> list[tuple[int, int | None]]:
        """Decisions (id, callee) of a decision's id or a switch's call id."""

    async def complaint(self, id: int) -> tuple[int | None, tuple[int, ...]] | None:
        """Whom a complaint is of, and the decisions of its calls; None when there is none."""

    async def gather(self, scope: Scope) -> Matter:
        """What is on record."""


class BundleStore(Protocol):
    """Where bundles take from. Every method raises `StoreUnavailable`."""

    def snapshot(self) -> AbstractAsyncContextManager[BundleReader]: ...

    async def witness(self, at: datetime, kind: str, payload: str, callee: int | None) -> int:
        """Write one entry; its id."""

    async def entries(self, ids: Collection[int]) -> list[Entry]:
        """Entries by id, in that order."""

    async def stretch(self, start: int, end: int, opened: Collection[str]) -> list[tuple[int, Entry]]:
        """All leaves of a stretch with their indexes; payloads of the kinds `opened` alone."""

    async def erasures(self, ids: Collection[int]) -> list[Entry]:
        """The entries that erased some of these."""

    async def vouched(self, size: int) -> int | None:
        """The size of the checkpoint, from this size on, that most witnesses and authorities vouch for; None: none."""

    async def log_entries(self) -> list[Entry]:
        """The entries that say which keys the log had, and whether it was restored."""

    async def seals(self, size: int) -> Seals:
        """Cosignatures and time stamps of the checkpoint of that size."""
