"""Windows, holidays and the search for the next opening, at the edges of days, years and changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.policy.calendars import HolidayCalendar, subdivisions_of
from dialer.policy.schema import Week, WindowRule
from dialer.policy.windows import Lane, Lanes, Schedule, Window, intersect, within, zone_named
from tests.unit.policy_world import window as window_rule

VERIFIED = date(2026, 12, 31)
NEW_YORK, LORD_HOWE = ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
FOREVER = timedelta(days=90)


def compiled(calendar: HolidayCalendar | None = None, **fields: Any) -> Window:
    """A window rule, compiled."""
    return Window(WindowRule.model_validate(window_rule(**fields)), calendar)


def china() -> HolidayCalendar:
    """China's calendar, verified to the end of 2026."""
    return HolidayCalendar("CN", VERIFIED)


def opening(zone: ZoneInfo, start: datetime, *windows: Window) -> datetime | None:
    """The next opening in one zone."""
    return Lane(zone, Schedule(windows)).next_open(start, start + FOREVER)


def test_hours_are_half_open() -> None:
    """The first minute is in and the last is out."""
    hours = compiled(hours=[["09:00", "12:00"]]).day(date(2026, 3, 4)).hours
    assert [within(minute, hours) for minute in (539, 540, 719, 720)] == [False, True, True, False]


def test_intersection_keeps_only_what_both_permit() -> None:
    """Hours that merely touch leave nothing."""
    assert intersect(((540, 720), (840, 1200)), ((600, 900),)) == ((600, 720), (840, 900))
    assert intersect(((540, 720),), ((720, 800),)) == ()


def test_a_holiday_closes_and_a_working_weekend_stays_a_weekend() -> None:
    """2026-10-01 is closed; Saturday 2026-10-10, a working day by decree, has the hours of a Saturday."""
    week = {"weekdays": [["09:00", "20:00"]], "weekend": []}
    rule = compiled(china(), days=week, holidays="closed")
    national_day = rule.day(date(2026, 10, 1))
    assert national_day.hours == ()
    assert "National Day" in national_day.holiday
    assert rule.day(date(2026, 10, 10)) == ((), (), "")
    assert rule.day(date(2026, 10, 12)).hours == ((540, 1200),)


def test_hours_of_a_holiday_never_open_what_the_weekday_closes() -> None:
    """Only the part of the weekday's hours that lies within the holiday's remains."""
    week = {"weekdays": [["09:00", "12:00"], ["14:00", "20:00"]], "weekend": []}
    rule = compiled(china(), days=week, holidays=[["10:00", "18:00"]])
    assert rule.day(date(2026, 10, 1)).hours == ((600, 720), (840, 1080))
    assert rule.day(date(2026, 10, 3)).hours == ()


def test_the_eve_of_a_holiday_has_shorter_hours() -> None:
    """Italy, Friday 2026-05-01 is a holiday: Thursday the 30th ends at 19:00, Wednesday at 20:00."""
    calendar = HolidayCalendar("IT", VERIFIED)
    rule = compiled(calendar, hours=[["09:00", "20:00"]], holidays="closed", eve=[["10:00", "19:00"]])
    assert rule.day(date(2026, 4, 29)).hours == ((540, 1200),)
    assert rule.day(date(2026, 4, 30)).hours == ((600, 1140),)


@pytest.mark.parametrize(
    ("day", "closed"),
    [
        (date(2026, 12, 29), False),  # within 3 days of a predicted holiday, but verified itself
        (date(2027, 1, 1), True),  # predicted
        (date(2027, 1, 4), True),  # Monday, 3 days after it
        (date(2027, 1, 5), False),  # Tuesday, 4 days after it
        (date(2027, 1, 9), True),  # Saturday
        (date(2027, 2, 3), True),  # 3 days before the predicted new year
        (date(2027, 3, 17), False),  # an ordinary Wednesday
    ],
)
def test_past_the_verified_day_what_may_be_a_holiday_is_one(day: date, closed: bool) -> None:
    """Weekends, predicted holidays and 3 days around them are restricted, and nothing else is."""
    rule = compiled(china(), holidays="closed")
    assert (rule.day(day).hours == ()) is closed


def test_rules_that_ignore_holidays_ignore_predictions_too() -> None:
    """`as_weekday` keeps the weekday's hours past the verified day."""
    assert compiled(china(), holidays="as_weekday").day(date(2027, 1, 1)).hours == ((0, 1440),)


def test_holidays_of_each_candidate_subdivision_count() -> None:
    """Alabama's Confederate Memorial Day counts there only; a subdivision that the calendar lacks adds nothing."""
    day = date(2026, 4, 27)
    assert HolidayCalendar("US", VERIFIED).closed(day) is None
    assert HolidayCalendar("US", VERIFIED, ("US-NY", "US-ZZ")).closed(day) is None
    assert HolidayCalendar("US", VERIFIED, ("US-NY", "US-AL")).closed(day) is not None


def test_towns_are_no_subdivisions() -> None:
    """`Augsburg` is left out of the states of Germany."""
    assert "DE-BY" in subdivisions_of("DE")
    assert all(len(each) == 5 for each in subdivisions_of("DE"))


def test_a_year_that_the_calendar_does_not_know_is_closed() -> None:
    """Beyond the last year of the package every day counts as a holiday."""
    assert compiled(china(), holidays="closed").day(date(2150, 3, 16)).hours == ()


def test_a_rule_without_its_calendar_is_closed() -> None:
    """A missing calendar forbids, as a holiday."""
    day = compiled(None, holidays="closed").day(date(2026, 3, 4))
    assert day.hours == ()
    assert day.closed_as_holiday(600)


@pytest.mark.parametrize("name", ["", "Etc/Unknown", "Factory", "Mars/Olympus", "America", "../../etc/passwd", "a\0b"])
def test_a_name_that_tells_no_time_is_no_zone(name: str) -> None:
    """Unknown, malformed and placeholder names give None and never raise."""
    assert zone_named(name) is None


def test_a_window_in_the_missing_hour_opens_the_next_day() -> None:
    """New York skips 02:00 to 03:00 on 2026-03-08: hours 02:10-02:50 first exist on the 9th."""
    rule = compiled(hours=[["02:10", "02:50"]])
    start = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)
    assert opening(NEW_YORK, start, rule) == datetime(2026, 3, 9, 6, 10, tzinfo=UTC)


def test_a_window_that_begins_in_the_missing_hour_opens_at_its_end() -> None:
    """Hours 02:30-05:00 open at 03:00 daylight time, the first wall time that lies within."""
    start = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)
    assert opening(NEW_YORK, start, compiled(hours=[["02:30", "05:00"]])) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_a_window_in_the_repeated_hour_opens_twice() -> None:
    """New York has 01:00 to 02:00 twice on 2026-11-01: 01:15-01:45 opens at 05:15Z and again at 06:15Z."""
    rule = compiled(hours=[["01:15", "01:45"]])
    first = opening(NEW_YORK, datetime(2026, 11, 1, 4, 0, tzinfo=UTC), rule)
    assert first == datetime(2026, 11, 1, 5, 15, tzinfo=UTC)
    assert opening(NEW_YORK, first + timedelta(minutes=30), rule) == datetime(2026, 11, 1, 6, 15, tzinfo=UTC)


def test_a_half_hour_shift_is_exact() -> None:
    """Lord Howe Island goes from +10:30 to +11 at 02:00 on 2026-10-04: 02:15 is skipped, 02:30 exists."""
    start = datetime(2026, 10, 3, 15, 0, tzinfo=UTC)
    assert opening(LORD_HOWE, start, compiled(hours=[["02:15", "04:00"]])) == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)


def test_zones_without_a_common_hour_never_open() -> None:
    """Auckland and Honolulu share no instant in 09:00-17:00, and the search ends."""
    schedule = Schedule((compiled(hours=[["13:00", "14:00"]]),))
    lanes = Lanes(tuple(Lane(ZoneInfo(name), schedule) for name in ("Pacific/Auckland", "Pacific/Honolulu")))
    start = datetime(2026, 3, 4, tzinfo=UTC)
    assert lanes.next_open(start, start + FOREVER) is None


ZONES = (
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Shanghai",
    "Europe/London",
    "America/St_Johns",
    "Asia/Kathmandu",
)
AROUND = (
    datetime(2026, 3, 7, 12, tzinfo=UTC),
    datetime(2026, 4, 4, 3, tzinfo=UTC),
    datetime(2026, 9, 30, 7, tzinfo=UTC),
    datetime(2026, 10, 3, 9, tzinfo=UTC),
    datetime(2026, 10, 31, 12, tzinfo=UTC),
    datetime(2026, 12, 30, 22, tzinfo=UTC),
)


@st.composite
def hours(draw: st.DrawFn) -> list[list[str]]:
    """Up to three intervals of a day."""
    edges = sorted(draw(st.sets(st.integers(0, 96), min_size=2, max_size=6)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return [[f"{start // 4:02d}:{start % 4 * 15:02d}", f"{end // 4:02d}:{end % 4 * 15:02d}"] for start, end in pairs]


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """A window with different hours on weekdays and at weekends, that may ask about Chinese holidays."""
    week = {"weekdays": draw(hours()), "weekend": draw(st.one_of(hours(), st.just([])))}
    return compiled(china(), days=week, holidays=draw(st.sampled_from(["closed", "as_weekday"])))


def permitted(lanes: tuple[tuple[ZoneInfo, Window], ...], instant: datetime) -> bool:
    """By the definition alone: every window in every zone, by local wall time."""
    for zone, window in lanes:
        local = instant.astimezone(zone)
        if not within(local.hour * 60 + local.minute, window.day(local.date()).hours):
            return False
    return True


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
    st.lists(windows(), min_size=1, max_size=2),
    st.sampled_from(AROUND),
    st.integers(0, 86_400),
)
def test_the_search_finds_what_trying_every_minute_finds(
    names: list[str], rules: list[Window], around: datetime, seconds: int
) -> None:
    """No earlier minute is permitted, and the instant that is found is; through gaps, folds, holidays and year ends."""
    start = around + timedelta(seconds=seconds)
    zones = [ZoneInfo(name) for name in names]
    pairs = tuple((zone, rule) for zone in zones for rule in rules)
    lanes = Lanes(tuple(Lane(zone, Schedule(tuple(rules))) for zone in zones))
    horizon = start + timedelta(days=2)
    found = lanes.next_open(start, horizon)
    edge = start.replace(second=0) + timedelta(minutes=1)
    tries = [start, *(edge + timedelta(minutes=each) for each in range(2 * 1440))]
    assert found == next((each for each in tries if each < horizon and permitted(pairs, each)), None)


@settings(max_examples=60, deadline=None)
@given(
    windows(),
    st.lists(st.tuples(st.integers(0, 300_000), st.integers(1, 200_000)), min_size=2, max_size=8),
    st.sampled_from(AROUND),
)
def test_what_a_search_remembers_changes_no_answer(
    rule: Window, asked: list[tuple[int, int]], around: datetime
) -> None:
    """Asked in any order, with any horizon, remembering lanes answer as fresh ones do."""
    schedule = Schedule((rule,))
    remembering = Lanes((Lane(NEW_YORK, schedule),))
    for offset, length in asked:
        start = around + timedelta(seconds=offset)
        horizon = start + timedelta(seconds=length)
        assert remembering.next_open(start, horizon) == Lanes((Lane(NEW_YORK, schedule),)).next_open(start, horizon)


def test_every_weekday_has_its_own_hours() -> None:
    """Monday comes first, as `date.weekday()` counts."""
    week = Week.model_validate({"weekdays": [["09:00", "10:00"]], "sat": [["11:00", "12:00"]], "sun": []})
    assert week.by_weekday[5:] == (((660, 720),), ())
    assert week.by_weekday[0] == ((540, 600),)
