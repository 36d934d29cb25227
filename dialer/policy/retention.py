"""How long records must be kept at least: the retention rules of the packs, as floors. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from dialer.numbers import Number
from dialer.policy.facts import Address
from dialer.policy.packset import PackSet
from dialer.policy.schema import RetentionRule


def floors(
    packs: PackSet,
    callee: Number,
    of: Iterable[str],
    day: date,
    *,
    industry: str | None = None,
    purpose: str | None = None,
    addresses: Iterable[Address] = (),
) -> tuple[RetentionRule, ...]:
    """The rules in force on a day for records of these kinds, from every place where the callee may be; the longest
    binds.

    `industry` and `purpose` are those of the record; where one is not known (None), rules for any count.
    """
    kinds = frozenset(of)
    found: dict[str, RetentionRule] = {}
    for address in (None, *addresses):
        pack = packs.for_callee(callee, address)
        for rule in pack.rules_in_force(day) if pack is not None else ():
            if isinstance(rule, RetentionRule) and rule.of in kinds and _concerns(rule, industry, purpose):
                found[rule.id] = rule
    return tuple(sorted(found.values(), key=lambda rule: (-rule.days, rule.id)))


def general_floors(packs: PackSet, regions: Iterable[str], of: str, day: date) -> tuple[RetentionRule, ...]:
    """The rules of these countries' packs (of all packs: none are named) that bind records of a kind whatever they were
    about, the longest first."""
    wanted = frozenset(regions)
    files = [pack for pack in packs.packs if not wanted or wanted & set(pack.regions)]
    rules = [
        rule
        for pack in files
        for rule in pack.rules
        if isinstance(rule, RetentionRule)
        and rule.of == of
        and rule.in_force(day)
        and not (rule.industries or rule.purposes or rule.subdivisions)
    ]
    return tuple(sorted(rules, key=lambda rule: (-rule.days, rule.id)))


def _concerns(rule: RetentionRule, industry: str | None, purpose: str | None) -> bool:
    return (not rule.industries or industry is None or industry in rule.industries) and (
        not rule.purposes or purpose is None or purpose in rule.purposes
    )
