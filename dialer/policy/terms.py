"""When a consent is in force: whose it is, for what, how long it lasts, and what a withdrawal ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from dialer.policy.facts import Consent, Facts
from dialer.policy.schema import ConsentRule
from dialer.verdict import Reason

CLOCK_TOLERANCE: Final = timedelta(seconds=5)
"""A consent dated this much ahead may come from a node whose clock is a little fast; beyond, it does not count."""


def granted(consent: Consent, at: datetime) -> bool:
    """Whether it has been granted by then."""
    return consent.granted_at <= at + CLOCK_TOLERANCE


def ends(consent: Consent, rules: Iterable[ConsentRule]) -> Iterator[datetime]:
    """Every instant at which it would end: its own term, and each rule's term and greatest age; the earliest counts."""
    if consent.expires_at is not None:
        yield consent.expires_at
    for rule in rules:
        if consent.basis in rule.max_age_days:
            yield consent.granted_at + timedelta(days=rule.max_age_days[consent.basis])
        if consent.expires_at is None and consent.basis in rule.default_term_days:
            yield consent.granted_at + timedelta(days=rule.default_term_days[consent.basis])


def _of_this_call(consent: Consent, facts: Facts) -> bool:
    return consent.seller == facts.seller_code and consent.purpose in (facts.purpose, "*")


def withdrawn_at(facts: Facts) -> datetime | None:
    """The latest withdrawal for this seller and purpose. It ends every consent for them that was granted before it:
    a person takes back his agreement, not one record of it."""
    latest: datetime | None = None
    for consent in facts.consents:
        when = consent.withdrawn_at
        if when is not None and (latest is None or when > latest) and _of_this_call(consent, facts):
            latest = when
    return latest


def failing(
    consent: Consent, facts: Facts, at: datetime, rules: tuple[ConsentRule, ...], withdrawal: datetime | None
) -> Reason | None:
    """Why this consent does not permit the call at that instant, by the terms of these rules; None when it does. What
    bases are accepted is not asked here."""
    if not _of_this_call(consent, facts) or facts.kind not in consent.kinds:
        return Reason.CONSENT_SCOPE
    if consent.withdrawn_at is not None or (withdrawal is not None and consent.granted_at <= withdrawal):
        return Reason.CONSENT_WITHDRAWN
    if any(at >= end for end in ends(consent, rules)):
        return Reason.CONSENT_EXPIRED
    return None


def in_force(facts: Facts, at: datetime, rules: tuple[ConsentRule, ...]) -> tuple[Consent, ...]:
    """The consents in force for this call at that instant, by the terms of all these rules."""
    if not facts.consents:
        return ()
    withdrawal = withdrawn_at(facts)
    return tuple(
        consent
        for consent in facts.consents
        if granted(consent, at) and failing(consent, facts, at, rules, withdrawal) is None
    )
