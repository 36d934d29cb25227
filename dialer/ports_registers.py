"""What the registers (sellers, trunks, numbers, routes, lists, consents, refusals) ask of their store, and the data
that crosses. Every method raises `StoreUnavailable` when the store cannot answer.

A register's transaction commits on a clean exit and otherwise leaves nothing; whoever changes a register writes the
evidence of it (`Transaction.witness`) in the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dialer.policy.facts import Basis, CallKind, TrunkOrigin
from dialer.ports_refusals import ErasedRefusal, NewRefusal, NewReview, RefusalRecord, ReviewRecord


@dataclass(frozen=True, slots=True)
class SellerRecord:
    """A seller as registered."""

    id: int
    code: str
    name: str
    industry: str
    suspended: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TrunkRecord:
    """A trunk as registered. `country` is ISO 3166-1."""

    id: int
    name: str
    country: str
    origin: TrunkOrigin
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """A number that may be presented on a trunk; `seller` None: by every seller. `holder` is who holds it."""

    trunk: str
    number: str
    seller: str | None
    holder: str
    use: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route that an administrator has declared non-marketing, and why."""

    name: str
    reason: str
    declared_by: str
    declared_at: datetime


@dataclass(frozen=True, slots=True)
class ListRecord:
    """A suppression list and its import in force; without one `import_id` and what follows are None."""

    id: int
    name: str
    owner: str
    prefixes: tuple[str, ...]
    import_id: int | None
    as_of: datetime | None
    entries: int | None
    sha256: bytes | None
    imported_at: datetime | None


@dataclass(frozen=True, slots=True)
class Artefact:
    """What proves a consent: its SHA-256, media type, and where it is kept."""

    sha256: bytes
    media_type: str
    location: str


@dataclass(frozen=True, slots=True)
class NewConsent:
    """A consent to record. `callee` is E.164 digits; `lifts` the refusal that it ends. `region` and `zones` say where
    the callee is known to be, `verified` that this replaces what the number suggests."""

    callee: int
    seller: str
    purpose: str
    basis: Basis
    kinds: tuple[CallKind, ...]
    granted_at: datetime
    expires_at: datetime | None = None
    artefact: Artefact | None = None
    region: str | None = None
    zones: tuple[str, ...] = ()
    verified: bool = False
    lifts: int | None = None


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent as recorded."""

    id: int
    consent: NewConsent
    withdrawn_at: datetime | None
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class BulkCounts:
    """What became of the rows of a bulk import: `added` are new, the others were there already."""

    rows: int
    added: int


class Transaction(Protocol):
    """One transaction of the registers."""

    async def witness(
        self, at: datetime, kind: str, subject: int | None, payload: str, callee: int | None = None
    ) -> None:
        """Write one evidence entry; `subject` is the id of the row that `kind` speaks of, `callee` whom it is about
        where no such row knows that."""

    # Sellers.

    async def seller(self, code: str) -> SellerRecord | None: ...

    async def add_seller(self, code: str, name: str, industry: str) -> SellerRecord | None:
        """None when the code is registered."""

    async def suspend_seller(self, code: str, suspended: bool) -> SellerRecord | None:
        """None when the code is not registered."""

    # Trunks and their numbers.

    async def trunk(self, name: str) -> TrunkRecord | None: ...

    async def add_trunk(self, name: str, country: str, origin: TrunkOrigin) -> TrunkRecord | None:
        """None when the name is registered."""

    async def add_number(self, trunk: str, number: str, seller: str | None, holder: str, use: str) -> bool:
        """False when it is registered there for this seller."""

    async def remove_number(self, trunk: str, number: str, seller: str | None, everyone: bool) -> int:
        """How many registrations ended; with `everyone` those of all sellers."""

    # Routes.

    async def declare_route(self, name: str, reason: str, by: str, at: datetime) -> bool:
        """False when it is declared already."""

    async def remove_route(self, name: str) -> bool: ...

    # Suppression lists.

    async def list(self, name: str) -> ListRecord | None: ...

    async def add_list(self, name: str, owner: str, prefixes: Sequence[str]) -> ListRecord | None:
        """None when the name is taken."""

    # Consents. Withdrawal takes the callee's lock: once it has committed, no call is allowed by that consent.

    async def add_consent(self, consent: NewConsent, by: str) -> int:
        """The consent's id; its seller must be registered."""

    async def withdraw_consents(self, callee: int, seller: str, purpose: str | None, at: datetime) -> Sequence[int]:
        """Ends the consents that were not withdrawn yet, of that purpose or any (`*`), and returns their ids."""

    # Refusals.

    async def refusal(self, id: int) -> RefusalRecord | None: ...

    async def erased_refusal(self, id: int) -> ErasedRefusal | None:
        """The refusal of that id, of a person who was erased since."""

    async def add_refusal(
        self, refusal: NewRefusal, rule: str | None, rule_version: str | None, digest: bytes, payload: str
    ) -> tuple[int, bool, bool]:
        """Records a refusal with its evidence under the callee's lock. Its id; whether its receipt was given before;
        whether it was then the same refusal, by its `digest`. One that was is not recorded again."""

    async def add_review(self, review: NewReview) -> int:
        """The id of a near miss that awaits a person."""

    async def review(self, id: int) -> ReviewRecord | None:
        """One near miss, locked until the end of the transaction."""

    async def decide_review(self, id: int, decision: str, at: datetime, by: str, refusal_id: int | None) -> None:
        """Note what a person decided, and the refusal that this recorded."""

    # Loosenings of the policy.

    async def loosening_known(self, fingerprint: str) -> bool:
        """Whether evidence of this loosening is written. Two processes that ask at once ask one after the other."""

    # The clock.

    async def clock_witness(self) -> tuple[int, datetime | None]:
        """Id of the newest decision (0: there is none), and when the newest was made that bears witness of the time."""

    async def reconfigure(self) -> None:
        """Every node reads its configuration anew at its next decision."""


class RegisterStore(Protocol):
    """Where the registers are kept."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...

    async def sellers(self) -> list[SellerRecord]: ...

    async def trunks(self) -> list[TrunkRecord]: ...

    async def numbers(self, trunk: str | None = None) -> list[NumberRecord]: ...

    async def routes(self) -> list[RouteRecord]: ...

    async def lists(self) -> list[ListRecord]: ...

    async def consents_of(self, callee: int) -> list[ConsentRecord]: ...

    async def refusals_of(self, callee: int) -> list[RefusalRecord]: ...

    def all_consents(self) -> AsyncIterator[ConsentRecord]: ...

    def all_refusals(self) -> AsyncIterator[RefusalRecord]: ...

    def listed(self, name: str) -> AsyncIterator[int]:
        """The numbers on a list, as E.164 digits."""

    async def prune_lists(self, stretch: int) -> int:
        """Delete the entries of imports that newer ones replaced, each transaction looking at `stretch` entries; how
        many went."""


class BulkWriter(Protocol):
    """Rows on their way in. Nothing is in force, or kept, unless `commit` returns."""

    async def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows as `dialer.import_rows` makes them."""

    async def put(self) -> BulkCounts:
        """Put what was taken into the register, not yet in force."""

    async def commit(self, at: datetime, kind: str, payload: str) -> None:
        """Write the evidence and commit."""


class BulkStore(Protocol):
    """Where bulk imports go."""

    def consents(self, by: str, at: datetime) -> AbstractAsyncContextManager[BulkWriter]:
        """`at`: the instant of their evidence."""

    def refusals(self, at: datetime) -> AbstractAsyncContextManager[BulkWriter]:
        """The same of refusals."""

    def sellers(self) -> AbstractAsyncContextManager[BulkWriter]: ...

    def numbers(self, at: datetime) -> AbstractAsyncContextManager[BulkWriter]:
        """The same of numbers that may be presented."""

    def listed(self, list_id: int, as_of: datetime, digest: Digest) -> AbstractAsyncContextManager[BulkWriter]:
        """Replaces the list whole. `digest` is asked for the file's SHA-256 when all was read."""


class Digest(Protocol):
    """Something that knows the SHA-256 of what was read so far."""

    def digest(self) -> bytes: ...
