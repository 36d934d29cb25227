"""Weekly windows in the callee's zones: is this instant permitted, and when is the next one that is.

A window is half-open in local wall time. Where the clock is set back a wall time happens twice and both are judged
alike; where it is set forward the missing hour is never reached. The search steps from one edge to the next (a
window's, a day's, a change of the zone's offset), so that it is exact without trying every minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from dialer.policy.calendars import HolidayCalendar
from dialer.policy.fields import MINUTES_PER_DAY, Interval
from dialer.policy.schema import WindowRule

_ALL_DAY: Final[tuple[Interval, ...]] = ((0, MINUTES_PER_DAY),)
_SECOND: Final = timedelta(seconds=1)
_SECONDS_PER_DAY: Final = 86_400
_CACHED: Final = 1024


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """The IANA zone, or None when the name says nothing about the time there."""
    if name in ("", "Etc/Unknown", "Factory"):
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # malformed, not in the data, a folder of the data
        return None


def intersect(one: Iterable[Interval], other: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """The hours that both permit, in order."""
    both = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return tuple((start, end) for start, end in both if start < end)


def within(minute: int, hours: tuple[Interval, ...]) -> bool:
    """Whether that minute of the day is permitted."""
    return any(start <= minute < end for start, end in hours)


class Day(NamedTuple):
    """What one rule permits on one local day. `weekly` is what it would if the day were no holiday, and `holiday` why
    it counts as one (empty: it does not)."""

    hours: tuple[Interval, ...]
    weekly: tuple[Interval, ...]
    holiday: str = ""

    def closed_as_holiday(self, minute: int) -> bool:
        """Whether it is the holiday that forbids this minute, and not the week's hours."""
        return bool(self.holiday) and (not self.hours or within(minute, self.weekly))


class Window:
    """One window rule, with the calendar that holds for one callee."""

    __slots__ = ("_calendar", "_days", "_week", "own_zones", "rule")

    def __init__(self, rule: WindowRule, calendar: HolidayCalendar | None) -> None:
        self.rule = rule
        self.own_zones = tuple(zone for zone in map(zone_named, rule.also_zones) if zone is not None)
        self._calendar = calendar
        self._week = rule.days.by_weekday
        self._days: dict[date, Day] = {}

    def day(self, day: date) -> Day:
        """What the rule permits on that local day; the whole day when it is not in force."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _CACHED:
                self._days.clear()
            found = self._days[day] = self._work_out(day)
        return found

    def _work_out(self, day: date) -> Day:
        rule, weekly = self.rule, self._week[day.weekday()]
        if not rule.in_force(day):
            return Day(_ALL_DAY, _ALL_DAY)
        if not rule.needs_calendar:
            return Day(weekly, weekly)
        if self._calendar is None:
            return Day((), weekly, "the pack has no calendar")
        hours, holiday = weekly, ""
        if rule.holidays != "as_weekday":
            holiday = self._calendar.closed(day) or ""
            if holiday:
                hours = () if rule.holidays == "closed" else intersect(weekly, rule.holidays)
        if rule.eve is not None and self._calendar.eve(day):
            hours = intersect(hours, rule.eve)
        return Day(hours, weekly, holiday)


class Schedule:
    """Windows that must all permit."""

    __slots__ = ("_hours", "_windows")

    def __init__(self, windows: tuple[Window, ...]) -> None:
        self._windows = windows
        self._hours: dict[date, tuple[Interval, ...]] = {}

    def hours(self, day: date) -> tuple[Interval, ...]:
        """What they permit together on that local day."""
        found = self._hours.get(day)
        if found is None:
            if len(self._hours) >= _CACHED:
                self._hours.clear()
            found = _ALL_DAY
            for window in self._windows:
                found = intersect(found, window.day(day).hours)
            self._hours[day] = found
        return found


@dataclass(frozen=True, slots=True)
class Lane:
    """One zone, and the schedule that holds there."""

    zone: ZoneInfo
    schedule: Schedule

    def next_open(self, start: datetime, horizon: datetime) -> datetime | None:
        """The earliest instant from `start` (UTC, whole seconds) and before `horizon` that every window permits."""
        instant = start
        while instant < horizon:
            local = instant.astimezone(self.zone)
            second = local.hour * 3600 + local.minute * 60 + local.second
            until = self._same_offset_until(instant, _SECONDS_PER_DAY - second)
            for opens, closes in self.schedule.hours(local.date()):
                if second < closes * 60:
                    opening = instant + timedelta(seconds=max(0, opens * 60 - second))
                    if opening < min(until, horizon):
                        return opening
                    break
            instant = until
        return None

    def _same_offset_until(self, instant: datetime, seconds: int) -> datetime:
        """The end of the stretch of `seconds` from `instant`, or of its part before the zone's offset changes."""
        offset = instant.astimezone(self.zone).utcoffset()

        def changed(after: int) -> bool:
            return (instant + after * _SECOND).astimezone(self.zone).utcoffset() != offset

        if not changed(seconds - 1):
            return instant + seconds * _SECOND
        same, other = 0, seconds - 1
        while other - same > 1:
            middle = (same + other) // 2
            if changed(middle):
                other = middle
            else:
                same = middle
        return instant + other * _SECOND


class Lanes:
    """All lanes of one call. Remembers its last search: the next call to the same place asks nearly the same."""

    __slots__ = ("_closed_from", "_closed_to", "_lanes", "_opening")

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self._lanes = lanes
        self._closed_from: datetime | None = None
        self._closed_to: datetime | None = None
        self._opening: datetime | None = None

    def next_open(self, start: datetime, horizon: datetime) -> datetime | None:
        """The earliest instant from `start` (UTC, whole seconds) and before `horizon` that every lane permits."""
        known = self._closed_from is not None and self._closed_to is not None and self._closed_from <= start
        if known and self._closed_to is not None and start < self._closed_to:
            if self._opening is not None:
                return self._opening if self._opening < horizon else None
            if horizon <= self._closed_to:
                return None
            searched = self._search(self._closed_to, horizon)
            self._closed_to, self._opening = searched or horizon, searched
            return searched
        searched = self._search(start, horizon)
        if searched != start:
            self._closed_from, self._closed_to, self._opening = start, searched or horizon, searched
        return searched

    def _search(self, start: datetime, horizon: datetime) -> datetime | None:
        instant, settled, turn = start, 0, 0
        while settled < len(self._lanes):
            opening = self._lanes[turn % len(self._lanes)].next_open(instant, horizon)
            if opening is None:
                return None
            settled = settled + 1 if opening == instant else 1
            instant, turn = opening, turn + 1
        return instant
