"""The schema of policy packs: the rules of one jurisdiction as data.

A pack file holds `id`, `version`, `regions`, `name`, `notice`, optionally `calendar`, and an array of `[[rules]]`. Each
rule has a `kind` that fixes its own fields. All rules that concern a call are combined by conjunction: every one must
permit.
What is not understood is never skipped: an unknown key, kind, class or weekday makes the whole pack unusable.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from dialer.numbers import NumberClass
from dialer.policy import calendars
from dialer.policy.facts import Basis, CallKind
from dialer.policy.fields import (
    Count,
    Duration,
    Hours,
    Interval,
    Line,
    ListName,
    PackId,
    Prefix,
    Region,
    RuleId,
    Strict,
    Subdivision,
    Text,
    Word,
    ZoneName,
    fault,
    hours_as_text,
    parse_hours,
)

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHORTHANDS: Final = {"weekdays": WEEKDAYS[:5], "weekend": WEEKDAYS[5:], "every_day": WEEKDAYS}

Authority = Literal["law", "regulator", "draft", "industry", "platform", "project_default", "administrator"]
"""On whose word a rule rests. `administrator` is for the administrator's own policy; a pack file may not use it."""
Confidence = Literal["high", "medium", "low"]
Industry = Literal["finance", "property", "health", "recruitment_tourism"]


class RuleBase(Strict):
    """What every rule has. The selectors (`industries` .. `call_kinds`) are each optional and empty means everyone; a
    rule concerns a call only when all that are given match."""

    id: RuleId
    """Unique in its pack and beginning with the pack's id and a dot: `CN.window.default`. Evidence cites it."""
    authority: Authority
    source: Line
    """The law, notice or page that it comes from, well enough to be found."""
    confidence: Confidence
    """How sure we are of the source: facts from memory alone are `low`."""
    effective_from: date | None = None
    """First day in force, by the callee's local date."""
    effective_to: date | None = None
    """First day no longer in force (exclusive)."""
    text: Text
    """The rule for people, one sentence in each language: `text = {en = "...", zh = "..."}`."""
    industries: tuple[Industry, ...] = ()
    """Only for sellers of one of these industries."""
    subdivisions: tuple[Subdivision, ...] = ()
    """Only for callees in one of these (`US-FL`). Any candidate counts; a callee whose country is known but whose
    subdivision is not is held to the rules of every subdivision."""
    purposes: tuple[Word, ...] = ()
    """Only for calls of one of these purposes (`Facts.purpose`)."""
    call_kinds: tuple[CallKind, ...] = ()
    """Only for `live` or only for `prerecorded` calls."""
    exempt_bases: tuple[Basis, ...] = ()
    """The rule does not concern a callee with a consent in force, for this seller and purpose, on such a basis."""

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.effective_from and self.effective_to and self.effective_to <= self.effective_from:
            raise fault(
                f"`effective_to` {self.effective_to} is not after `effective_from` {self.effective_from}",
                "swap the dates; `effective_to` is the first day on which the rule is no longer in force",
            )
        return self

    def in_force(self, first: date, last: date | None = None) -> bool:
        """Whether the rule is in force on that local date, or on any of `first`..`last`."""
        return (self.effective_from is None or self.effective_from <= (last or first)) and (
            self.effective_to is None or first < self.effective_to
        )


class ConsentRule(RuleBase):
    """Whether consent is needed, which is accepted and how long it lasts."""

    kind: Literal["consent"]
    model: Literal["opt_in", "opt_out"]
    """`opt_in`: no call without a consent in force. `opt_out`: none is needed. In both, a consent that was withdrawn
    bars until a later one is given."""
    bases: tuple[Basis, ...] = ()
    """The accepted bases; empty accepts every basis."""
    max_age_days: dict[Basis, Count] = Field(default_factory=dict)
    """Days after the grant at which a consent on that basis ends, whatever term it states; absent = no limit."""
    default_term_days: dict[Basis, Count] = Field(default_factory=dict)
    """Days after the grant at which a consent on that basis ends when it states no term of its own; absent = no end."""


class Week(Strict):
    """Hours of each weekday. All seven must be given, by `mon` .. `sun` or by the shorthands `weekdays` (mon-fri),
    `weekend` (sat, sun) and `every_day`; none twice. `[]` closes a day."""

    mon: Hours
    tue: Hours
    wed: Hours
    thu: Hours
    fri: Hours
    sat: Hours
    sun: Hours

    @model_validator(mode="before")
    @classmethod
    def _expand_shorthands(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        week: dict[str, Any] = {}
        for key, hours in value.items():
            for day in _SHORTHANDS.get(key, (key,)):
                if day in week:
                    raise fault(f"the hours of `{day}` are given twice", "give each weekday once")
                week[day] = hours
        return week

    @property
    def by_weekday(self) -> tuple[Hours, ...]:
        """Monday first, as `date.weekday()` counts."""
        return (self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun)


def _parse_holidays(value: object) -> object:
    if isinstance(value, str) and value not in ("closed", "as_weekday"):
        raise fault(
            f"`{value}` is not understood", 'write "closed", "as_weekday", or hours such as `[["10:00", "12:00"]]`'
        )
    return value if isinstance(value, str) else parse_hours(value)


HolidayHours = Annotated[
    Literal["closed", "as_weekday"] | tuple[Interval, ...],
    BeforeValidator(_parse_holidays),
    PlainSerializer(lambda value: value if isinstance(value, str) else hours_as_text(value)),
]


class WindowRule(RuleBase):
    """When calls may be made: by the callee's local time, in every zone that he may be in."""

    kind: Literal["window"]
    days: Week
    holidays: HolidayHours
    """What a holiday of the pack's calendar does: closes the day, nothing, or leaves only those of its weekday's hours
    that lie within these hours too. A holiday never opens what its weekday closes. Must be written."""
    eve: Hours | None = None
    """On the day before a holiday only those of the weekday's hours that lie within these count (Italy)."""
    subdivision_holidays: bool = False
    """Also the holidays of the callee's subdivision. When it is not known, those of every subdivision that the calendar
    has count: right for states and provinces, far too much where the calendar lists the feasts of single towns (IT)."""
    also_zones: tuple[ZoneName, ...] = ()
    """Zones in which the hours must hold besides the callee's own (a law that names one national time)."""

    @property
    def needs_calendar(self) -> bool:
        """Whether the rule asks if a day is a holiday."""
        return self.holidays != "as_weekday" or self.eve is not None


class CapRule(RuleBase):
    """How often one callee may be called, summed over all presented numbers."""

    kind: Literal["cap"]
    limit: Count
    """The most calls in the window, the one that is asked about included."""
    window: Duration
    """Rolling: `5m`, `24h`, `30d`."""
    per: Literal["callee_seller", "callee"]
    """Count this seller's attempts to the callee, or everybody's."""
    counts: Literal["attempts", "conversations"]
    """Every attempt, or only those in which somebody answered and spoke."""


class ListRule(RuleBase):
    """A suppression list that must be imported, fresh, and without the callee."""

    kind: Literal["list"]
    list: ListName
    interval_days: Count
    """The greatest age of the import."""


class RefusalRule(RuleBase):
    """What a callee's refusal does. Give exactly one of `bars` and `bars_days`."""

    kind: Literal["refusal"]
    bars: Literal["forever"] | None = None
    bars_days: Count | None = None
    """The refusal bars for so many days only."""
    lifted_by_consent: bool = False
    """Whether a later consent in force that names the refusal (`Consent.lifts`) ends it."""

    @model_validator(mode="after")
    def _one_bar(self) -> Self:
        if self.exempt_bases:
            raise fault(
                "`exempt_bases` cannot set a refusal aside", "write `lifted_by_consent = true`, or leave it out"
            )
        if (self.bars is None) == (self.bars_days is None):
            raise fault("it must say how long a refusal bars, once", 'write `bars = "forever"` or `bars_days = 60`')
        return self


class CallerNumberRule(RuleBase):
    """Which numbers may be presented. Each field that is given must be satisfied."""

    kind: Literal["caller_number"]
    allowed_classes: tuple[NumberClass, ...] = ()
    denied_classes: tuple[NumberClass, ...] = ()
    allowed_prefixes: tuple[Prefix, ...] = ()
    """The number, as `Number.e164` has it, begins with one of these: `+91140`, or bare `95` for a 95xxx code."""
    denied_prefixes: tuple[Prefix, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.allowed_classes or self.denied_classes or self.allowed_prefixes or self.denied_prefixes):
            raise fault("it allows and denies nothing", "give a class or a prefix that is allowed or denied")
        return self


class CalleeNumberRule(RuleBase):
    """Which numbers may not be called for marketing."""

    kind: Literal["callee_number"]
    denied_classes: tuple[NumberClass, ...] = Field(min_length=1)


class RetentionRule(RuleBase):
    """How long a record must be kept at least."""

    kind: Literal["retention"]
    of: Literal["decision", "consent", "recording", "refusal", "message"]
    days: Count


class ConductRule(RuleBase):
    """What the gate cannot enforce at the dial instant but the product must know: `ring_min_s`, `abandon_max_percent`,
    `abandon_window`, `message_within_s`, `opt_out_key`, `opt_out_within_days`, `disclosure` ..."""

    kind: Literal["conduct"]
    key: Word
    value: bool | int | float | Line


Rule = Annotated[
    ConsentRule
    | WindowRule
    | CapRule
    | ListRule
    | RefusalRule
    | CallerNumberRule
    | CalleeNumberRule
    | RetentionRule
    | ConductRule,
    Field(discriminator="kind"),
]


class Calendar(Strict):
    """Public holidays, from the `holidays` package."""

    country: Region
    verified_through: date
    """Last day for which the dates are known, not predicted. Past it weekends, predicted holidays and the 3 days on
    either side of them count as holidays, for rules that ask about holidays at all."""

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if not calendars.supported(self.country):
            raise fault(f"no holidays are known for `{self.country}`", "use a country of the `holidays` package")
        return self


class PackFile(Strict):
    """One pack, as one file holds it."""

    id: PackId
    """ISO 3166-1 code, or `default`."""
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,32}$")]
    """Changes whenever a rule does; a date by convention: `"2026-11-24"`."""
    regions: tuple[Region, ...]
    """Regions of the numbers that it covers; `[]` in the one pack that covers all the rest."""
    name: Text
    notice: Text
    """For people: not legal advice, and what the pack leaves out."""
    calendar: Calendar | None = None
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        check_rules(self.id, self.rules, self.calendar)
        return self

    @property
    def longest_cap(self) -> timedelta:
        """The longest window of any cap, whenever in force: how far back attempts must be known."""
        return max((rule.window for rule in self.rules if isinstance(rule, CapRule)), default=timedelta(0))


def check_rules(pack_id: str, rules: Iterable[Rule], calendar: Calendar | None) -> None:
    """What no rule can see alone: ids that are unique and belong to the pack, and a calendar where one is needed."""
    seen: set[str] = set()
    for rule in rules:
        if not rule.id.startswith(f"{pack_id}."):
            raise fault(f"rule `{rule.id}`: id: does not begin with the pack's id", f"begin it with `{pack_id}.`")
        if rule.id in seen:
            raise fault(f"rule `{rule.id}`: id: another rule has it too", "give each rule its own id")
        seen.add(rule.id)
        if isinstance(rule, WindowRule) and rule.needs_calendar and calendar is None:
            raise fault(
                f"rule `{rule.id}`: holidays: the pack has no calendar to ask",
                'add a `calendar`, or write `holidays = "as_weekday"` and no `eve`',
            )
