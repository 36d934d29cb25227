"""Each kind of rule as one function: the grounds on which the rule forbids the call, none when it permits.

A rule from which the call is exempt permits. Whatever goes wrong inside a rule forbids (`_guarded`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, TypeVar

from dialer.numbers import Number, NumberFault
from dialer.policy.call import Call
from dialer.policy.caps import room_at
from dialer.policy.facts import Basis, Refusal, SuppressionList
from dialer.policy.fields import clock, duration_text
from dialer.policy.schema import (
    CalleeNumberRule,
    CallerNumberRule,
    CapRule,
    ConsentRule,
    ListRule,
    RefusalRule,
    Rule,
    RuleBase,
)
from dialer.policy.terms import failing, granted, withdrawn_at
from dialer.policy.windows import Window, within
from dialer.verdict import Ground, Reason

Grounds = tuple[Ground, ...]
_EXPLICIT: Final = frozenset({Basis.WRITTEN, Basis.EXPRESS})
"""What may lift a refusal: a relationship or a published number never says "call me after all"."""
RuleT = TypeVar("RuleT", bound=RuleBase)
AnyT = TypeVar("AnyT")


def consent(rule: ConsentRule, call: Call) -> Grounds:
    """NO_CONSENT, or why each consent on record does not do."""
    if call.exempt(rule):
        return ()
    if rule.model == "opt_out":
        return _opt_out(rule, call)
    facts, now = call.facts, call.now
    known = [each for each in facts.consents if granted(each, now)]
    if not known:
        return (Ground(Reason.NO_CONSENT, rule.id),)
    withdrawal = withdrawn_at(facts)
    found: dict[Reason, str] = {}
    for each in known:
        reason = failing(each, facts, now, (rule,), withdrawal)
        if reason is None and rule.bases and each.basis not in rule.bases:
            reason = Reason.CONSENT_SCOPE
        if reason is None:
            return ()
        found.setdefault(reason, f"consent {each.id} ({each.basis}) of {each.granted_at:%Y-%m-%d}")
    return tuple(Ground(reason, rule.id, detail) for reason, detail in found.items())


def _opt_out(rule: ConsentRule, call: Call) -> Grounds:
    withdrawal = withdrawn_at(call.facts) if call.facts.consents else None
    if withdrawal is None or call.consents_in_force():
        return ()
    return (Ground(Reason.CONSENT_WITHDRAWN, rule.id, f"on {withdrawal:%Y-%m-%d}"),)


def window(rule: Window, call: Call) -> Grounds:
    """OUTSIDE_HOURS or HOLIDAY in any candidate zone, ZONE_UNKNOWN when there is none."""
    if call.exempt(rule.rule):
        return ()
    if not call.zones:
        return (Ground(Reason.ZONE_UNKNOWN, rule.rule.id),)
    moments = call.local
    if rule.own_zones:
        moments = (*moments, *(call.now.astimezone(zone) for zone in rule.own_zones))
    found: dict[Reason, str] = {}
    for local in moments:
        day, minute = rule.day(local.date()), local.hour * 60 + local.minute
        if within(minute, day.hours):
            continue
        reason = Reason.HOLIDAY if day.closed_as_holiday(minute) else Reason.OUTSIDE_HOURS
        if reason not in found:
            hours = " ".join(f"{clock(start)}-{clock(end)}" for start, end in day.hours) or "none"
            why = f", {day.holiday}" if day.holiday else ""
            found[reason] = f"{local:%a %H:%M} in {local.tzinfo}, permitted: {hours}{why}"
    return tuple(Ground(reason, rule.rule.id, detail) for reason, detail in found.items())


def cap(rule: CapRule, call: Call) -> Grounds:
    """CAP_REACHED while one more call would exceed the limit."""
    room = room_at(rule, call.facts)
    if room is None or room <= call.now or call.exempt(rule):
        return ()
    detail = (
        f"{rule.limit} {rule.counts} in {duration_text(rule.window)} per {rule.per}, room at {room:%Y-%m-%d %H:%M:%S}Z"
    )
    return (Ground(Reason.CAP_REACHED, rule.id, detail),)


def suppression_list(rule: ListRule, call: Call) -> Grounds:
    """SUPPRESSED when the callee is on it; LIST_STALE when no import fresh enough governs his number."""
    if call.exempt(rule):
        return ()
    grounds: Grounds = ()
    if rule.list in call.facts.listed_on:
        grounds = (Ground(Reason.SUPPRESSED, rule.id, f"list `{rule.list}`"),)
    newest = max((each.as_of for each in call.facts.lists if _governs(each, rule, call)), default=None)
    if newest is None:
        return (*grounds, Ground(Reason.LIST_STALE, rule.id, f"list `{rule.list}` is not imported for this number"))
    if call.now > newest + timedelta(days=rule.interval_days):
        detail = f"list `{rule.list}` of {newest:%Y-%m-%d}, interval {rule.interval_days} days"
        return (*grounds, Ground(Reason.LIST_STALE, rule.id, detail))
    return grounds


def _governs(each: SuppressionList, rule: ListRule, call: Call) -> bool:
    callee = call.facts.callee
    return each.name == rule.list and isinstance(callee, Number) and callee.e164.startswith(each.prefixes)


def refusal(rule: RefusalRule, call: Call) -> Grounds:
    """REFUSED while a refusal to this seller, or to all, bars."""
    if not call.facts.refusals:
        return ()
    for each in call.facts.refusals:
        if each.seller in (None, call.facts.seller_code) and _bars(rule, each, call):
            return (Ground(Reason.REFUSED, rule.id, refusal_detail(each)),)
    return ()


def _bars(rule: RefusalRule, each: Refusal, call: Call) -> bool:
    if rule.bars_days is not None and call.now >= each.at + timedelta(days=rule.bars_days):
        return False
    return not rule.lifted_by_consent or not any(
        consent.lifts == each.id and consent.granted_at > each.at and consent.basis in _EXPLICIT
        for consent in call.consents_in_force()
    )


def refusal_detail(each: Refusal) -> str:
    """Which refusal, for people."""
    return f"refusal {each.id} of {each.at:%Y-%m-%d} to {'all sellers' if each.seller is None else 'this seller'}"


def caller_number(rule: CallerNumberRule, call: Call) -> Grounds:
    """CALLER_NUMBER_CLASS; a caller number that is none is reported elsewhere."""
    presented = call.facts.presented
    if presented is None or isinstance(presented.number, NumberFault) or call.exempt(rule):
        return ()
    number, detail = presented.number, ""
    if number.cls in rule.denied_classes or (rule.allowed_classes and number.cls not in rule.allowed_classes):
        detail = f"class {number.cls}"
    elif number.e164.startswith(rule.denied_prefixes) or (
        rule.allowed_prefixes and not number.e164.startswith(rule.allowed_prefixes)
    ):
        detail = f"prefix of {number.e164}"
    return (Ground(Reason.CALLER_NUMBER_CLASS, rule.id, detail),) if detail else ()


def callee_number(rule: CalleeNumberRule, call: Call) -> Grounds:
    """NUMBER_CLASS when the callee's class is denied."""
    callee = call.facts.callee
    if isinstance(callee, NumberFault) or callee.cls not in rule.denied_classes or call.exempt(rule):
        return ()
    return (Ground(Reason.NUMBER_CLASS, rule.id, f"class {callee.cls}"),)


def every(call: Call) -> Iterator[tuple[Rule, Grounds]]:
    """Every rule in force that is a condition of the call, with its grounds, in the order of a verdict."""
    rules = call.rules
    yield from _run(callee_number, rules.callee_numbers, call)
    yield from _run(caller_number, rules.caller_numbers, call)
    yield from _run(refusal, rules.refusals, call)
    yield from _run(consent, rules.consents, call)
    yield from _run(suppression_list, rules.lists, call)
    for each in rules.windows:
        yield each.rule, _guarded(window, each, each.rule.id, call)
    yield from _run(cap, rules.caps, call)


def _run(
    check: Callable[[RuleT, Call], Grounds], rules: tuple[RuleT, ...], call: Call
) -> Iterator[tuple[RuleT, Grounds]]:
    for rule in rules:
        yield rule, _guarded(check, rule, rule.id, call)


def _guarded(check: Callable[[AnyT, Call], Grounds], rule: AnyT, rule_id: str, call: Call) -> Grounds:
    """An error inside a rule is a ground too, so that it can never allow."""
    try:
        return check(rule, call)
    except Exception as error:  # whatever it is, a rule that cannot be judged must refuse
        return (Ground(Reason.GATE_UNAVAILABLE, rule_id, f"the rule failed: {type(error).__name__}"),)
