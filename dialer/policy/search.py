"""When a call that only time forbids will be permitted: the earliest instant at which all windows and caps agree.

The future is cut where what applies changes by itself (a consent that exempts begins or ends, a cap comes into force);
within one piece caps only gain room, so the first opening after the last cap has room is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dialer.policy.call import Call, dates_at
from dialer.policy.caps import room_at
from dialer.policy.schema import CapRule
from dialer.policy.terms import CLOCK_TOLERANCE, ends
from dialer.policy.windows import Window

HORIZON: Final = timedelta(days=90)
_SECOND: Final = timedelta(seconds=1)
_ANYWHERE: Final = (timedelta(hours=-14), timedelta(hours=12))


def next_permitted(call: Call) -> datetime | None:
    """The earliest such instant from now, in UTC and whole seconds, or None within `HORIZON`. Only windows and caps are
    asked: whatever else may change until then, the gate decides again."""
    start = whole_second(call.now)
    horizon = start + HORIZON
    for end in (*_edges(call, start, horizon), horizon):
        windows, caps = _active(call, start)
        begin = max([start, *(whole_second(room) for room in (room_at(cap, call.facts) for cap in caps) if room)])
        # A window that will apply, and no zone to judge it in: nothing opens there.
        if begin < end and (call.zones or not windows):
            opening = call.plan.lanes(call.zones, windows).next_open(begin, end)
            if opening is not None:
                return opening
        start = end
    return None


def whole_second(instant: datetime) -> datetime:
    """That instant, or the next whole second after it."""
    return instant if instant.microsecond == 0 else instant.replace(microsecond=0) + _SECOND


def _active(call: Call, at: datetime) -> tuple[tuple[Window, ...], list[CapRule]]:
    plan = call.plan
    dates = dates_at(call.zones, at)
    caps = [cap for cap in plan.caps if cap.in_force(*dates)]
    windows = plan.windows
    if plan.changes:  # by the callee's date, as the decision judges it, whatever day it is in a window's own zones
        windows = tuple(each for each in windows if not each.own_zones or each.rule.in_force(*dates))
    if not plan.has_exemptions or not call.facts.consents:
        return windows, caps
    bases = call.bases_at(at)
    windows = tuple(window for window in windows if bases.isdisjoint(window.rule.exempt_bases))
    return windows, [cap for cap in caps if bases.isdisjoint(cap.exempt_bases)]


def _edges(call: Call, start: datetime, horizon: datetime) -> list[datetime]:
    """Where what applies may change, in order."""
    edges = {whole_second(edge) for edge in (*_of_consents(call), *_of_rules(call, start, horizon))}
    return sorted(edge for edge in edges if start < edge < horizon)


def _of_consents(call: Call) -> Iterator[datetime]:
    if not call.plan.has_exemptions:
        return
    for consent in call.facts.consents:
        yield consent.granted_at - CLOCK_TOLERANCE
        yield from ends(consent, call.plan.consents)


def _of_rules(call: Call, start: datetime, horizon: datetime) -> Iterator[datetime]:
    for day in call.plan.changes:
        midnight = datetime.combine(day, time())
        if start - timedelta(days=2) < midnight.replace(tzinfo=UTC) < horizon + timedelta(days=2):
            if not call.zones:
                yield from (midnight.replace(tzinfo=UTC) + shift for shift in _ANYWHERE)
            yield from (_utc(midnight, zone) for zone in call.zones)


def _utc(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)
