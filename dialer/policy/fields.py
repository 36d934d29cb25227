"""The small value types of policy packs: hours of a day, durations, dates, codes, texts in two languages.

Each refuses what it does not understand with a `PydanticCustomError` whose context holds the cure;
`dialer.policy.reading` turns that into a `PackError` that names file, rule and field.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from dialer.verdict import Language

MINUTES_PER_DAY: Final = 24 * 60

Interval = tuple[int, int]
"""Half-open, in minutes of a local day: `(540, 720)` is 09:00 to 12:00, `(0, 1440)` the whole day."""

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def fault(what: str, cure: str) -> PydanticCustomError:
    """The error of a field, with the cure for it."""
    # Braces would be read as placeholders of the template, so both texts travel as its values.
    return PydanticCustomError("pack", "{what}", {"what": what, "cure": cure})


def _minute(text: object) -> int:
    match = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise fault(f"`{text}` is no time of day", "write it as `HH:MM`, from `00:00` to `24:00`")
    return MINUTES_PER_DAY if match.group(1) is None else int(match.group(1)) * 60 + int(match.group(2))


def clock(minute: int) -> str:
    """A minute of the day as `HH:MM`; 1440 is `24:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def parse_hours(value: object) -> tuple[Interval, ...]:
    """Hours of one day from pairs of times, in order and without overlap."""
    if not isinstance(value, (list, tuple)):
        raise fault("hours are a list of pairs", 'write `[["09:00", "12:00"]]`, or `[]` for none')
    hours: list[Interval] = []
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise fault(f"`{pair}` is no pair of times", 'write each interval as `["09:00", "12:00"]`')
        start, end = (_minute(each) for each in pair)
        if end <= start:
            raise fault(
                f"the end `{clock(end)}` is not after the start `{clock(start)}`",
                "swap them, or split hours that pass midnight into two days",
            )
        if hours and start < hours[-1][0]:
            raise fault(f"`{clock(start)}` comes after `{clock(hours[-1][0])}`", "list the intervals in order of time")
        if hours and start < hours[-1][1]:
            before = f"`{clock(hours[-1][0])}`-`{clock(hours[-1][1])}`"
            raise fault(
                f"`{clock(start)}`-`{clock(end)}` overlaps {before}", "make them one interval, or move one of them"
            )
        hours.append((start, end))
    return tuple(hours)


def hours_as_text(hours: tuple[Interval, ...]) -> list[list[str]]:
    """Hours as a pack writes them."""
    return [[clock(start), clock(end)] for start, end in hours]


Hours = Annotated[
    tuple[Interval, ...], BeforeValidator(parse_hours), PlainSerializer(hours_as_text, return_type=list[list[str]])
]
"""Hours of one day, written `[["09:00", "12:00"], ["14:00", "20:00"]]`: half-open, in order, no overlap. `[]`: none."""


def _parse_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise fault(f"`{value}` is no duration", "write a number and `m`, `h` or `d`, such as `5m`, `24h`, `30d`")
    return timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})


def duration_text(value: timedelta) -> str:
    """A duration as packs write it, in the largest unit that keeps it whole; a day is written `24h`."""
    minutes = int(value.total_seconds()) // 60
    if minutes % MINUTES_PER_DAY == 0 and minutes > MINUTES_PER_DAY:
        return f"{minutes // MINUTES_PER_DAY}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


Duration = Annotated[timedelta, BeforeValidator(_parse_duration), PlainSerializer(duration_text, return_type=str)]
"""A rolling window, written `5m`, `24h` or `30d`."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise fault(f"`{name}` is no known time zone", "use an IANA name, such as `Asia/Shanghai`") from None
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""An IANA time zone that this machine knows."""


def _matching(pattern: str, example: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise fault(f"`{text}` has the wrong form", f"write it like `{example}`")
        return text

    return AfterValidator(check)


Region = Annotated[str, _matching(r"[A-Z]{2}", "CN")]
"""ISO 3166-1 alpha-2."""
Subdivision = Annotated[str, _matching(r"[A-Z]{2}-[A-Z0-9]{1,3}", "US-FL")]
"""ISO 3166-2."""
Prefix = Annotated[str, _matching(r"\+?[0-9]{1,15}", "+336")]
"""The beginning of a number as `Number.e164` has it: with `+` for E.164, bare digits for short codes alone."""
Word = Annotated[str, _matching(r"[a-z][a-z0-9_]{0,63}", "debt_collection")]
"""A purpose, or the key of a conduct."""
ListName = Annotated[str, _matching(r"[a-z0-9][a-z0-9-]{0,63}", "us-national-dnc")]
"""The name under which a suppression list is imported."""
PackId = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9]{1,15}", "CN")]
RuleId = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9_-]+)+", "CN.window.default")]
Line = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(lambda text: " ".join(text.split()))]
"""Text for people, kept on one line."""
Count = Annotated[int, Field(strict=True, ge=1, le=100_000)]
"""A whole number, 1 or more; neither `true` nor `"3"` is one."""


class Strict(BaseModel):
    """Immutable, and refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Strict):
    """One sentence in both languages of the product."""

    en: Line
    zh: Line

    def in_language(self, language: Language) -> str:
        """The sentence in that language."""
        return self.zh if language == "zh" else self.en
