"""Are the suppression lists that the packs require there, and within their intervals? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.policy.facts import SuppressionList
from dialer.policy.schema import ListRule, PackFile


@dataclass(frozen=True, slots=True)
class StaleList:
    """A list whose numbers the gate refuses, or soon will: `until` is when its interval ends, None when it was never
    imported."""

    list: str
    rule: str
    until: datetime | None
    text: str


def stale_lists(packs: Iterable[PackFile], lists: Sequence[SuppressionList], now: datetime) -> list[StaleList]:
    """Lists in use (imported once) that are past their interval. A list that was never imported is not complained of:
    most call centres do not call most countries, and the gate refuses there anyway."""
    known = {each.name: each for each in lists}
    found = []
    for rule in (rule for pack in packs for rule in pack.rules if isinstance(rule, ListRule)):
        held = known.get(rule.list)
        if held is None:
            continue
        until = held.as_of + timedelta(days=rule.interval_days)
        if now > until:
            text = f"list `{rule.list}` of {held.as_of:%Y-%m-%d} is past its interval of {rule.interval_days} days"
            found.append(StaleList(rule.list, rule.id, until, text))
    return found
