"""Which days are holidays where, from the `holidays` package, and what holds past the last day that is verified.

The package silently predicts: for 2027 it gives Chinese holidays without the working days that the State Council moves
around them. So past `verified_through` a weekend, a predicted holiday and the days around it are restricted: they count
as holidays until somebody has checked the calendar. A make-up working day never makes a weekend a weekday.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import holidays

_DAY: Final = timedelta(days=1)
_MARGIN_DAYS: Final = 3
_SATURDAY: Final = 5
_SUBDIVISION_CODE_LENGTH: Final = 3  # ISO 3166-2; longer names in the package are single towns
_REST_THROUGH_WEEKENDS: Final = frozenset({"CN"})
"""Where rest days run on through the weekends beside a holiday; the package lists their weekdays alone."""
UNKNOWN: Final = "the calendar of this year is not known"


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    return holidays.list_supported_countries()


def supported(country: str) -> bool:
    """Whether the holidays of that ISO 3166-1 country are known."""
    return country in _countries()


def subdivisions_of(country: str) -> tuple[str, ...]:
    """ISO 3166-2 codes of the subdivisions with holidays of their own (`US-FL`), towns left out."""
    names = _countries().get(country, [])
    return tuple(f"{country}-{name}" for name in names if len(name) <= _SUBDIVISION_CODE_LENGTH and name.isupper())


@lru_cache(maxsize=2048)
def _year(country: str, subdivision: str | None, year: int) -> dict[date, str] | None:
    """Holidays of one year by day, with their English names; None when the package does not know that year."""
    name = None if subdivision is None else subdivision.partition("-")[2]
    known = holidays.country_holidays(country, subdiv=name, years=year, observed=True, language="en_US")
    if not known.start_year <= year <= known.end_year:
        return None
    # Some calendars put the observed day of 1 January into the year before.
    return {day: text for day, text in known.items() if day.year == year}


@lru_cache(maxsize=64)
def _rest_weekends(country: str, year: int) -> dict[date, str]:
    """The weekend days of one year that adjoin a holiday and are no make-up working days, under that holiday's name."""
    # Rest days may begin in the old year.
    listed = holidays.country_holidays(country, years=(year - 1, year, year + 1), observed=True, language="en_US")
    # A plain copy: to ask `listed` for a day of a fourth year would add that year.
    known, workdays = dict(listed.items()), listed.weekend_workdays
    found: dict[date, str] = {}
    for holiday, name in known.items():
        for step in (-_DAY, _DAY):
            day = holiday + step
            while day.weekday() >= _SATURDAY and day not in known and day not in workdays:
                found[day] = name
                day += step
    return {day: name for day, name in found.items() if day.year == year}


@lru_cache(maxsize=64)
def _weekend(country: str) -> frozenset[int]:
    return frozenset({5, 6}) | frozenset(holidays.country_holidays(country).weekend)


class HolidayCalendar:
    """Holidays of a country and of those of its subdivisions where the callee may be; each one's holidays count."""

    __slots__ = ("_country", "_places", "_verified_through")

    def __init__(self, country: str, verified_through: date, subdivisions: tuple[str, ...] = ()) -> None:
        own = set(subdivisions_of(country))
        self._country = country
        self._verified_through = verified_through
        self._places: tuple[str | None, ...] = (None, *(each for each in subdivisions if each in own))

    def named(self, day: date) -> str | None:
        """The holiday on that day, or None. A year that is not known is all holidays: what cannot be told is closed."""
        for place in self._places:
            year = _year(self._country, place, day.year)
            if year is None:
                return UNKNOWN
            if day in year:
                return year[day]
        return None

    def closed(self, day: date) -> str | None:
        """Why that day counts as a holiday, or None when it does not."""
        name = self.named(day)
        if name is None and self._country in _REST_THROUGH_WEEKENDS:
            name = _rest_weekends(self._country, day.year).get(day)
        if name is not None or day <= self._verified_through:
            return name
        unverified = f"the calendar is verified to {self._verified_through} only"
        if day.weekday() in _weekend(self._country):
            return f"a weekend, and {unverified}"
        for distance in range(1, _MARGIN_DAYS + 1):
            near = self.named(day - distance * _DAY) or self.named(day + distance * _DAY)
            if near is not None:
                return f"within {_MARGIN_DAYS} days of {near}, and {unverified}"
        return None

    def eve(self, day: date) -> str | None:
        """The holiday that the next day is, or None."""
        return self.named(day + _DAY)
