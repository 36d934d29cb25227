"""One call as the rules see it: the facts, the instant, and what several rules need worked out from them once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from dialer.numbers import Number
from dialer.policy.compiled import InForce, Plan
from dialer.policy.facts import Basis, Consent, Facts
from dialer.policy.schema import ConsentRule, Rule
from dialer.policy.terms import in_force
from dialer.policy.windows import zone_named

_FURTHEST_WEST: Final = timedelta(hours=12)
_FURTHEST_EAST: Final = timedelta(hours=14)


class Call:
    """Not shared between decisions. `zones` holds every candidate zone and is empty when one of them is not known."""

    __slots__ = ("_bases", "_consents", "dates", "facts", "local", "now", "plan", "rules", "zones")

    def __init__(self, facts: Facts, plan: Plan, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("the instant of a decision has no zone")
        self.facts = facts
        self.plan = plan
        self.now = now.astimezone(UTC)
        self.zones = candidate_zones(facts)
        self.local = tuple(now.astimezone(zone) for zone in self.zones)
        self.dates = dates_at(self.zones, self.now)
        self.rules: InForce = plan.on(*self.dates)
        self._bases: frozenset[Basis] | None = None
        self._consents: tuple[Consent, ...] | None = None

    def consents_in_force(self) -> tuple[Consent, ...]:
        """The consents in force for this call now, by the terms of every consent rule."""
        if self._consents is None:
            self._consents = in_force(self.facts, self.now, self.rules.consents)
        return self._consents

    def exempt(self, rule: Rule) -> bool:
        """Whether a consent in force now exempts the call from that rule."""
        if not rule.exempt_bases or not self.facts.consents:
            return False
        if self._bases is None:
            self._bases = frozenset(consent.basis for consent in self.consents_in_force())
        return not self._bases.isdisjoint(rule.exempt_bases)

    def bases_at(self, at: datetime) -> frozenset[Basis]:
        """The bases of the consents that will be in force at a later instant, when nothing else happens."""
        rules: tuple[ConsentRule, ...] = self.plan.on(*dates_at(self.zones, at)).consents
        return frozenset(consent.basis for consent in in_force(self.facts, at, rules))


def candidate_zones(facts: Facts) -> tuple[ZoneInfo, ...]:
    """Every zone in which the callee may be: those of a verified address, else the number's and the address' together.
    Empty when there is none, or one that nobody knows: what cannot be told is not permitted."""
    address = facts.address
    names: tuple[str, ...] = facts.callee.zones if isinstance(facts.callee, Number) else ()
    if address is not None:
        names = address.zones if address.verified else (*names, *address.zones)
    return _zones(names)


@lru_cache(maxsize=4096)
def _zones(names: tuple[str, ...]) -> tuple[ZoneInfo, ...]:
    zones = [zone_named(name) for name in dict.fromkeys(names)]
    known = tuple(zone for zone in zones if zone is not None)
    return known if len(known) == len(zones) else ()


def dates_at(zones: tuple[ZoneInfo, ...], at: datetime) -> tuple[date, date]:
    """The earliest and latest local date there; anywhere on Earth when no zone is known."""
    if len(zones) == 1:
        day = at.astimezone(zones[0]).date()
        return day, day
    if not zones:
        return (at - _FURTHEST_WEST).date(), (at + _FURTHEST_EAST).date()
    days = [at.astimezone(zone).date() for zone in zones]
    return min(days), max(days)
