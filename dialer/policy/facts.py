"""Facts: what the gate knows when it decides; plain data.

Every instant is an aware `datetime` in UTC. Numbers are `dialer.numbers.Number`, or a `NumberFault` that says why the
raw text is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dialer.numbers import Number, NumberFault


class CallKind(StrEnum):
    """How the call speaks: a person, or a recording."""

    LIVE = "live"
    PRERECORDED = "prerecorded"


class Basis(StrEnum):
    """On what a consent rests. Packs say which bases they accept, and for how long each lasts."""

    WRITTEN = "written"  # signed form, electronic signature: "prior express written consent"
    EXPRESS = "express"  # said or ticked, not signed
    INFERRED = "inferred"  # published number, business card
    PURCHASE = "purchase"  # an established relationship by a purchase or contract
    INQUIRY = "inquiry"  # the callee asked about the product


class Route(StrEnum):
    """What an administrator has declared the call's route to carry."""

    MARKETING = "marketing"
    NON_MARKETING = "non_marketing"


class TrunkOrigin(StrEnum):
    """Where a trunk's calls come from or go to."""

    DOMESTIC = "domestic"
    INTERNATIONAL = "international"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One outbound call, as the switch (or a person, for a dry run) states it. All text is hostile until read.

    `trunk` None: not asked about (dry runs only). `presented` None likewise. `path` says which way the call came
    (`pbx`, `egress`, `check`). `country` (ISO 3166-1) reads numbers in national form where no known trunk says how.
    `headers` are those of the INVITE, for the evidence alone; None where none were asked for.
    """

    callee: str
    seller: str
    purpose: str = "marketing"
    kind: CallKind = CallKind.LIVE
    trunk: str | None = None
    route: str = ""
    presented: str | None = None
    path: str = "pbx"
    call_id: str = ""
    country: str | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Seller:
    """The company on whose behalf the call is made. `industry` selects overlays (`finance`, `property`, `health`,
    `recruitment_tourism`, or empty)."""

    code: str
    suspended: bool = False
    industry: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent of the callee, for whichever seller.

    `purpose` `*` means any. `expires_at` None: no term was given, so the pack's term for that basis applies. `lifts`
    names the refusal that this consent ends, if any.
    """

    id: int
    seller: str
    purpose: str
    basis: Basis
    granted_at: datetime
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    kinds: tuple[CallKind, ...] = (CallKind.LIVE, CallKind.PRERECORDED)
    lifts: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. `seller` None: refused to all sellers."""

    id: int
    seller: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A list that someone else keeps, as last imported. It governs numbers that start with one of `prefixes` (`+1`)."""

    name: str
    as_of: datetime
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """An earlier attempt to this callee, whatever number was presented. `talked`: somebody answered and spoke."""

    seller: str
    at: datetime
    talked: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where the callee is known to be. A verified one replaces what the number suggests, another is added to it.
    `region` is ISO 3166-1 or -2 (`US-FL`); `zones` are IANA names."""

    region: str
    zones: tuple[str, ...]
    verified: bool = False


@dataclass(frozen=True, slots=True)
class PresentedNumber:
    """The number that would be shown, and who has the right to show it: `holders` are the sellers for whom it is
    registered on the call's trunk (empty: not registered there); `any_seller` when it is registered for all."""

    number: Number | NumberFault
    holders: tuple[str, ...] = ()
    any_seller: bool = False


@dataclass(frozen=True, slots=True)
class Trunk:
    """The trunk that would carry the call."""

    name: str
    country: str
    origin: TrunkOrigin


@dataclass(frozen=True, slots=True)
class Facts:
    """All that `decide` may look at.

    `seller` None: the code that was given is not registered. `presented` None: a dry run did not ask about the caller
    number (a real call always carries one; absent text is a `NumberFault`). `trunk` None with `trunk_asked`: unknown.
    `attempts` are newest first and reach back as far as the pack's longest cap.
    """

    callee: Number | NumberFault
    seller_code: str
    seller: Seller | None
    purpose: str = "marketing"
    kind: CallKind = CallKind.LIVE
    route: Route = Route.MARKETING
    consents: tuple[Consent, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    listed_on: tuple[str, ...] = ()
    lists: tuple[SuppressionList, ...] = ()
    attempts: tuple[PastAttempt, ...] = ()
    address: Address | None = None
    presented: PresentedNumber | None = None
    trunk: Trunk | None = None
    trunk_asked: bool = False
