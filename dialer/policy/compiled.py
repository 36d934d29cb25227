"""Packs made ready for deciding: the rules that concern one call, by kind, with calendars and schedules worked out.

`Pack` holds for a place, `Plan` for a place and a manner of call (industry, kind, purpose), `InForce` for a plan on a
local date. All three are cached, because most calls repeat the few combinations that a campaign has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dialer.policy.calendars import HolidayCalendar, subdivisions_of
from dialer.policy.facts import CallKind, Facts
from dialer.policy.schema import (
    CalleeNumberRule,
    CallerNumberRule,
    CapRule,
    ConsentRule,
    ListRule,
    PackFile,
    RefusalRule,
    Rule,
    WindowRule,
)
from dialer.policy.windows import Lane, Lanes, Schedule, Window

_CACHED: Final = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where a callee may be: every candidate region (ISO 3166-1) and subdivision (ISO 3166-2)."""

    regions: tuple[str, ...]
    subdivisions: tuple[str, ...]

    def within(self, country: str) -> tuple[str, ...] | None:
        """The candidate subdivisions of that country; None when he may be there but nobody knows in which."""
        found = tuple(each for each in self.subdivisions if each.startswith(f"{country}-"))
        return None if not found and country in self.regions else found

    def concerns(self, rule: Rule) -> bool:
        """Whether the rule's subdivisions include one where the callee may be."""
        return not rule.subdivisions or any(
            each in self.subdivisions or self.within(each[:2]) is None for each in rule.subdivisions
        )

    def calendar_for(self, rule: WindowRule, pack: PackFile) -> HolidayCalendar | None:
        """The holidays that the rule asks about."""
        if pack.calendar is None:
            return None
        country, verified_through = pack.calendar.country, pack.calendar.verified_through
        if not rule.subdivision_holidays:
            return HolidayCalendar(country, verified_through)
        known = self.within(country)
        candidates = subdivisions_of(country) if known is None else known
        if rule.subdivisions:
            candidates = tuple(each for each in candidates if each in rule.subdivisions)
        return HolidayCalendar(country, verified_through, candidates)


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules of a plan that are in force on given local dates. `incomplete` names the packs that lack a rule on
    consent or on refusals then: nothing is allowed on their word."""

    consents: tuple[ConsentRule, ...]
    windows: tuple[Window, ...]
    caps: tuple[CapRule, ...]
    lists: tuple[ListRule, ...]
    refusals: tuple[RefusalRule, ...]
    caller_numbers: tuple[CallerNumberRule, ...]
    callee_numbers: tuple[CalleeNumberRule, ...]
    incomplete: tuple[str, ...]


class Plan:
    """The rules that concern one manner of call, whenever they are in force."""

    def __init__(self, files: tuple[PackFile, ...], rules: dict[str, tuple[Rule, ...]], place: Place) -> None:
        self.rules: tuple[Rule, ...] = tuple(rule for each in files for rule in rules[each.id])
        self.windows = tuple(
            Window(rule, place.calendar_for(rule, each))
            for each in files
            for rule in rules[each.id]
            if isinstance(rule, WindowRule)
        )
        self.caps = tuple(rule for rule in self.rules if isinstance(rule, CapRule))
        self.consents = tuple(rule for rule in self.rules if isinstance(rule, ConsentRule))
        self.has_exemptions = any(rule.exempt_bases for rule in self.rules)
        # The dates on which what a search looks at changes; windows look at the callee's dates day by day, but in zones
        # of their own it may be another day.
        changing = [*self.caps, *self.consents, *(each.rule for each in self.windows if each.own_zones)]
        self.changes = tuple(
            sorted({day for rule in changing for day in (rule.effective_from, rule.effective_to) if day is not None})
        )
        self._packs = tuple((each.id, rules[each.id]) for each in files)
        self._in_force: dict[tuple[date, date], InForce] = {}
        self._schedules: dict[tuple[Window, ...], Schedule] = {}
        self._lanes: dict[tuple[tuple[Window, ...], tuple[ZoneInfo, ...]], Lanes] = {}

    def on(self, first: date, last: date) -> InForce:
        """The rules in force on any local date from `first` to `last`."""
        key = (first, last)
        found = self._in_force.get(key)
        if found is None:
            if len(self._in_force) >= _CACHED:
                self._in_force.clear()
            found = self._in_force[key] = self._work_out(first, last)
        return found

    def _work_out(self, first: date, last: date) -> InForce:
        rules = [rule for rule in self.rules if rule.in_force(first, last)]
        return InForce(
            consents=tuple(rule for rule in rules if isinstance(rule, ConsentRule)),
            windows=tuple(window for window in self.windows if window.rule.in_force(first, last)),
            caps=tuple(rule for rule in rules if isinstance(rule, CapRule)),
            lists=tuple(rule for rule in rules if isinstance(rule, ListRule)),
            refusals=tuple(rule for rule in rules if isinstance(rule, RefusalRule)),
            caller_numbers=tuple(rule for rule in rules if isinstance(rule, CallerNumberRule)),
            callee_numbers=tuple(rule for rule in rules if isinstance(rule, CalleeNumberRule)),
            incomplete=tuple(
                id_ for id_, its in self._packs if not _complete(rule for rule in its if rule.in_force(first, last))
            ),
        )

    def lanes(self, zones: tuple[ZoneInfo, ...], windows: tuple[Window, ...]) -> Lanes:
        """Those windows in those zones, and each window in its own zones too."""
        key = (windows, zones)
        found = self._lanes.get(key)
        if found is None:
            if len(self._lanes) >= _CACHED:
                self._lanes.clear()
                self._schedules.clear()
            own = dict.fromkeys(zone for window in windows for zone in window.own_zones if zone not in zones)
            lanes = [Lane(zone, self._schedule(windows)) for zone in zones]
            lanes += [Lane(zone, self._schedule(tuple(w for w in windows if zone in w.own_zones))) for zone in own]
            found = self._lanes[key] = Lanes(tuple(lanes))
        return found

    def _schedule(self, windows: tuple[Window, ...]) -> Schedule:
        return self._schedules.setdefault(windows, Schedule(windows))


def _complete(rules: Iterable[Rule]) -> bool:
    kinds = {rule.kind for rule in rules}
    return "consent" in kinds and "refusal" in kinds


class Pack:
    """The rules of every place where one callee may be. Get one from `PackSet.for_callee`."""

    def __init__(
        self, files: tuple[PackFile, ...], place: Place, version: str, governed_lists: frozenset[str] = frozenset()
    ) -> None:
        self.files = files
        self.place = place
        self.version = version
        self.governed_lists = governed_lists
        """Suppression lists of which some rule of the shipped packs speaks, in force or not; any other simply bars."""
        self._rules = {each.id: tuple(rule for rule in each.rules if place.concerns(rule)) for each in files}
        self._industries = {industry for each in self._every_rule() for industry in each.industries}
        self._purposes = {purpose for each in self._every_rule() for purpose in each.purposes}
        self._plans: dict[tuple[str, CallKind, str], Plan] = {}

    def _every_rule(self) -> Iterable[Rule]:
        return (rule for rules in self._rules.values() for rule in rules)

    def rules_in_force(self, on: date) -> tuple[Rule, ...]:
        """Every rule for callees there on that local date, for whatever industry, purpose and kind of call."""
        return tuple(rule for rule in self._every_rule() if rule.in_force(on))

    def longest_cap(self) -> timedelta:
        """How far back `Facts.attempts` must reach."""
        return max((each.longest_cap for each in self.files), default=timedelta(0))

    def plan(self, facts: Facts) -> Plan:
        """The rules that concern a call of this industry, kind and purpose."""
        industry = facts.seller.industry if facts.seller is not None else ""
        key = (
            industry if industry in self._industries else "",
            facts.kind,
            facts.purpose if facts.purpose in self._purposes else "",
        )
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = self._compile(*key)
        return found

    def _compile(self, industry: str, kind: CallKind, purpose: str) -> Plan:
        def concerned(rule: Rule) -> bool:
            return (
                (not rule.industries or industry in rule.industries)
                and (not rule.call_kinds or kind in rule.call_kinds)
                and (not rule.purposes or purpose in rule.purposes)
            )

        chosen = {id_: tuple(rule for rule in rules if concerned(rule)) for id_, rules in self._rules.items()}
        return Plan(self.files, chosen, self.place)
