"""Protocols that the adapters implement, and the plain data that crosses them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from dialer.erasure_key import KeyMark
from dialer.numbers import Number, NumberFault
from dialer.policy.facts import Address, CallRequest, Consent, PastAttempt, Refusal, Seller, SuppressionList, Trunk
from dialer.verdict import Verdict


class Clock(Protocol):
    """Tells the time: an aware `datetime` in UTC."""

    def __call__(self) -> datetime: ...


@dataclass(frozen=True)
class Configuration:
    """What the gate keeps in memory, at one version: sellers, trunks, numbers, lists, routes.

    `registered` maps (trunk, number) to the sellers for whom it is registered, None among them meaning every seller.
    `lists` maps an import's id to its list. Imports that a newer one replaced are not among them. Decisions up to the
    id `clock_accepted` bear no witness of the time. `erasure` is the key that hashes numbers of erased people; None:
    nobody was erased.
    """

    version: int
    sellers: dict[str, Seller] = field(default_factory=dict)
    seller_ids: dict[str, int] = field(default_factory=dict)
    seller_codes: dict[int, str] = field(default_factory=dict)
    trunks: dict[str, Trunk] = field(default_factory=dict)
    registered: dict[tuple[str, str], tuple[str | None, ...]] = field(default_factory=dict)
    lists: dict[int, SuppressionList] = field(default_factory=dict)
    non_marketing: frozenset[str] = frozenset()
    clock_accepted: int = 0
    erasure: KeyMark | None = None

    @cached_property
    def all_lists(self) -> tuple[SuppressionList, ...]:
        """The lists in force."""
        return tuple(self.lists.values())


@dataclass(frozen=True, slots=True)
class LatestDecision:
    """Until when, by the decisions, time has come: `at` is None when none bears witness. An administrator accepted the
    clock after the decision of id `accepted` (0: never), so that one and those before it do not count."""

    at: datetime | None = None
    accepted: int = 0


@dataclass(slots=True)
class CalleeRecord:
    """What is on record of one callee."""

    consents: list[Consent] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    imports: list[int] = field(default_factory=list)
    attempts: list[PastAttempt] = field(default_factory=list)
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision as it is written. `permit_hash` is set exactly when the verdict is ALLOW."""

    request: CallRequest
    callee: Number | NumberFault
    presented: str
    seller_id: int | None
    verdict: Verdict
    payload: str
    permit_hash: bytes | None
    refusals_seen: tuple[int, ...] = ()
    consents_seen: tuple[int, ...] = ()


class GateTransaction(Protocol):
    """One transaction of the gate."""

    async def load(
        self, callees: Sequence[int], since: datetime, now: datetime, hashes: Sequence[bytes] | None = None
    ) -> tuple[Configuration, dict[int, CalleeRecord]]:
        """Lock the callees (E.164 digits) until the end of the transaction, then read what is known of them, attempts
        back to `since`. A callee of whom nothing is known has no entry. `hashes`: the callees' in their order, by which
        refusals of erased people are found; None where nobody was erased."""

    async def record(self, rows: Sequence[DecisionRow], now: datetime, permits_expire: datetime) -> list[int]:
        """Write decisions, evidence and attempts; returns the decisions' ids."""


class GateStore(Protocol):
    """Where the gate's facts and decisions are kept. Every method raises `StoreUnavailable` when it cannot."""

    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager[GateTransaction]:
        """Commits on a clean exit, otherwise leaves nothing."""

    async def redeem(
        self, permit_hash: bytes, callee: str, presented: str, by: str, now: datetime, payload: str
    ) -> int | None:
        """Use up a permit, atomically; the decision's id, or None when it is not valid for this call."""
