"""decide(facts, pack, now) -> Verdict: the one pure function that says whether a call may be made.

Every ground is reported, not the first. Rules combine by conjunction: a rule can only forbid. Nothing here reads a
clock, a file or the network, and no error inside a rule allows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from dialer.numbers import Number, NumberClass, NumberFault
from dialer.policy import checks
from dialer.policy.call import Call
from dialer.policy.compiled import Pack
from dialer.policy.facts import Facts, Route
from dialer.policy.search import next_permitted
from dialer.verdict import TEMPORARY, Ground, Outcome, Reason, Verdict

NEVER_MARKETED: Final = frozenset({NumberClass.SHORT, NumberClass.PUBLIC_SERVICE, NumberClass.MESSAGE_PORT})
"""Classes that no marketing call reaches in any jurisdiction: short codes, public services, ports for messages."""


def decide(facts: Facts, pack: Pack | None, now: datetime) -> Verdict:
    """ALLOW, REFUSE or DEFER for one call at one instant.

    `pack` is `PackSet.for_callee` of the facts' callee and address; `now` is aware. Raises nothing: an error refuses.
    """
    version = "" if pack is None else pack.version
    try:
        return _decide(facts, pack, now, version)
    except Exception as error:  # the gate's caller must get a refusal, whatever went wrong
        ground = Ground(Reason.GATE_UNAVAILABLE, "core.error", f"the decision failed: {type(error).__name__}")
        return Verdict(Outcome.REFUSE, (ground,), None, version)


def _decide(facts: Facts, pack: Pack | None, now: datetime, version: str) -> Verdict:
    bypass = unregulated(facts)
    if bypass is not None:
        return Verdict(Outcome.ALLOW, (bypass,), None, version)
    grounds = [*core_grounds(facts)]
    call: Call | None = None
    if isinstance(facts.callee, Number):
        grounds += unruled_grounds(facts, pack)
        if pack is not None:
            call = Call(facts, pack.plan(facts), now)
            for _, found in checks.every(call):
                grounds += found
            grounds += incomplete_grounds(call)
    if not grounds:
        return Verdict(Outcome.ALLOW, (), None, version)
    return _not_now(call, grounds, version)


def _not_now(call: Call | None, grounds: list[Ground], version: str) -> Verdict:
    """DEFER when time alone cures every ground, else REFUSE."""
    until = None
    if call is not None and all(ground.reason in TEMPORARY for ground in grounds):
        until = next_permitted(call)
    return Verdict(Outcome.REFUSE if until is None else Outcome.DEFER, tuple(grounds), until, version)


def unregulated(facts: Facts) -> Ground | None:
    """The ground on which the marketing rules do not apply at all, or None when they do."""
    if isinstance(facts.callee, NumberFault):
        return None
    if facts.callee.cls is NumberClass.EMERGENCY:
        return Ground(Reason.EMERGENCY, "core.emergency")
    if facts.route is Route.NON_MARKETING:
        return Ground(Reason.NON_MARKETING, "core.non_marketing")
    return None


def core_grounds(facts: Facts) -> tuple[Ground, ...]:
    """What forbids the call in any jurisdiction; on a non-marketing route a number that is none, and nothing else."""
    if facts.route is Route.NON_MARKETING:
        return _callee_grounds(facts)
    return (*_callee_grounds(facts), *_seller_grounds(facts))


def _callee_grounds(facts: Facts) -> tuple[Ground, ...]:
    if isinstance(facts.callee, NumberFault):
        return (Ground(Reason.NUMBER_INVALID, "core.number", facts.callee.fault.value),)
    if facts.callee.cls in NEVER_MARKETED:
        return (Ground(Reason.NUMBER_CLASS, "core.number_class", f"class {facts.callee.cls}"),)
    return ()


def _seller_grounds(facts: Facts) -> tuple[Ground, ...]:
    grounds: list[Ground] = []
    if facts.seller is None:
        grounds.append(Ground(Reason.SELLER_UNKNOWN, "core.seller"))
    elif facts.seller.suspended:
        grounds.append(Ground(Reason.SELLER_SUSPENDED, "core.seller"))
    if facts.trunk_asked and facts.trunk is None:
        grounds.append(Ground(Reason.TRUNK_UNKNOWN, "core.trunk"))
    presented = facts.presented
    if presented is None:
        return tuple(grounds)
    if isinstance(presented.number, NumberFault):
        grounds.append(Ground(Reason.CALLER_NUMBER_INVALID, "core.caller_number", presented.number.fault.value))
    elif not presented.any_seller and facts.seller_code not in presented.holders:
        grounds.append(Ground(Reason.CALLER_NUMBER_UNREGISTERED, "core.caller_number"))
    return tuple(grounds)


def unruled_grounds(facts: Facts, pack: Pack | None) -> tuple[Ground, ...]:
    """What forbids without any pack's word: no pack at all, and a list that no shipped rule speaks of."""
    grounds: list[Ground] = []
    if pack is None:
        grounds.append(Ground(Reason.PACK_UNAVAILABLE, "core.pack"))
        grounds += _unruled_refusals(facts)
    for name in facts.listed_on:
        if pack is None or name not in pack.governed_lists:
            grounds.append(Ground(Reason.SUPPRESSED, "core.list", f"list `{name}`"))
    return tuple(grounds)


def incomplete_grounds(call: Call) -> tuple[Ground, ...]:
    """Packs without a rule on consent or refusals in force allow nothing; refusals bar there all the same."""
    grounds = [Ground(Reason.PACK_UNAVAILABLE, "core.pack", f"pack `{id_}`") for id_ in call.rules.incomplete]
    return tuple(grounds) if call.rules.refusals else (*grounds, *_unruled_refusals(call.facts))


def _unruled_refusals(facts: Facts) -> tuple[Ground, ...]:
    for each in facts.refusals:
        if each.seller in (None, facts.seller_code):
            return (Ground(Reason.REFUSED, "core.refusal", checks.refusal_detail(each)),)
    return ()
