"""Use cases of consents: recording one with its artefact, withdrawing, showing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from dialer.erasure_key import ErasureKey
from dialer.errors import NotRegistered, RegisterError
from dialer.evidence.entries import instant
from dialer.hostile import printable
from dialer.numbers import Number
from dialer.policy.facts import Basis
from dialer.ports import Clock
from dialer.ports_registers import ConsentRecord, NewConsent, RegisterStore, Transaction
from dialer.registers import Register, known_seller

_PURPOSE = re.compile(r"\*|[a-z0-9][a-z0-9_-]{0,63}")
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_SKEW = timedelta(minutes=5)


class Consents(Register):
    """Callees' agreements to be called. `erasure` is the key by which a refusal of an erased person is known as his."""

    def __init__(self, store: RegisterStore, clock: Clock, by: str, *, erasure: ErasureKey | None = None) -> None:
        super().__init__(store, clock, by)
        self._erasure = erasure

    async def add(self, consent: NewConsent) -> int:
        """Record a consent; its id. One that lifts a refusal must be of the same callee, later than it, and have an
        artefact. Raises `NotRegistered`, `RegisterError`; `ConfigError` when the refusal is of an erased person and the
        key of those is not here."""
        self._check(consent)
        async with self._store.transaction() as transaction:
            await known_seller(transaction, consent.seller)
            if consent.lifts is not None:
                await self._check_lift(transaction, consent, consent.lifts)
            id = await transaction.add_consent(consent, self._by)
            artefact = consent.artefact
            await self._witness(
                transaction,
                "consent.granted",
                id,
                callee=f"+{consent.callee}",
                seller=consent.seller,
                purpose=consent.purpose,
                basis=consent.basis.value,
                kinds=[kind.value for kind in consent.kinds],
                granted_at=instant(consent.granted_at),
                expires_at=instant(consent.expires_at),
                artefact=artefact and [artefact.sha256.hex(), artefact.media_type, artefact.location],
                region=consent.region,
                zones=list(consent.zones),
                verified=consent.verified,
                lifts=consent.lifts,
            )
        return id

    async def withdraw(self, callee: Number, seller: str, purpose: str | None = None) -> int:
        """End a callee's consents to a seller, of one purpose (and those that are for any) or all; how many ended. When
        this has returned no call is allowed by them. Raises `NotRegistered`."""
        now = self._clock()
        async with self._store.transaction() as transaction:
            await known_seller(transaction, seller)
            ids = await transaction.withdraw_consents(callee.digits, seller, purpose, now)
            if not ids:
                raise NotRegistered(
                    f"no consent of `{callee.e164}` to `{seller}` is in force",
                    f"see `heedline consent show {callee.e164}`",
                )
            for id in ids:
                await self._witness(
                    transaction, "consent.withdrawn", id, callee=callee.e164, seller=seller, purpose=purpose
                )
        return len(ids)

    async def of(self, callee: Number) -> list[ConsentRecord]:
        """All consents of a callee, oldest first, those that have ended included."""
        return await self._store.consents_of(callee.digits)

    def _check(self, consent: NewConsent) -> None:
        if not _PURPOSE.fullmatch(consent.purpose):
            raise RegisterError(
                f"`{printable(consent.purpose, 64)}` is no purpose",
                "use lower-case letters, digits, `-` and `_`, or `*` for any",
            )
        if not consent.kinds:
            raise RegisterError("a consent to no kind of call is none", "name `live`, `prerecorded` or both")
        if consent.granted_at > self._clock() + _SKEW:
            raise RegisterError(
                f"`{instant(consent.granted_at)}` lies in the future", "a consent counts from when it was given"
            )
        if consent.expires_at is not None and consent.expires_at <= consent.granted_at:
            raise RegisterError("the consent ends before it begins", "check both times")
        if consent.region is not None and not _REGION.fullmatch(consent.region):
            raise RegisterError(f"`{printable(consent.region, 40)}` is no region", "use one such as `US` or `US-FL`")
        if (consent.zones or consent.verified) and consent.region is None:
            raise RegisterError("an address needs a region", "add `--region`, such as `US-FL`")
        unknown = set(consent.zones) - available_timezones()
        if unknown:
            raise RegisterError(
                f"`{printable(min(unknown), 64)}` is no time zone", "use one such as `America/New_York`"
            )

    async def _check_lift(self, transaction: Transaction, consent: NewConsent, lifts: int) -> None:
        of, at = await self._refused(transaction, consent.callee, lifts)
        if of is not None and of != consent.seller:
            raise RegisterError(
                f"refusal `{lifts}` was to seller `{of}`", "a consent lifts refusals to its own seller only"
            )
        if consent.granted_at <= at:
            raise RegisterError(
                f"the consent is not later than refusal `{lifts}` of {instant(at)}",
                "only what was agreed after a refusal ends it",
            )
        if consent.basis not in (Basis.WRITTEN, Basis.EXPRESS):
            raise RegisterError(
                f"a consent that is `{consent.basis}` ends no refusal", "only what was said or signed does: `--basis`"
            )
        if consent.artefact is None:
            raise RegisterError(
                "a consent that ends a refusal needs evidence", "add `--artefact FILE` or `--artefact-sha256`"
            )

    async def _refused(self, transaction: Transaction, callee: int, id: int) -> tuple[str | None, datetime]:
        """To whom (None: to all) and when this callee refused; of an erased person his hash says that it was he."""
        refusal = await transaction.refusal(id)
        if refusal is not None and refusal.refusal.callee == callee:
            return refusal.refusal.seller, refusal.refusal.at
        erased = await transaction.erased_refusal(id) if refusal is None and self._erasure else None
        if erased is not None and self._erasure is not None:
            hash_number = self._erasure.demand(erased.mark)
            if hash_number(callee) == erased.hash:
                return erased.seller, erased.at
        raise NotRegistered(f"`{id}` is no refusal of this callee", f"see `heedline refusal show +{callee}`")
