"""decide: every ground, the outcomes, and what must hold whatever the facts and rules are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dialer.numbers import Fault, Number, NumberClass, NumberFault
from dialer.policy import checks
from dialer.policy.admin import AdminPolicy
from dialer.policy.decide import decide
from dialer.policy.facts import (
    Address,
    Basis,
    CallKind,
    Facts,
    PastAttempt,
    PresentedNumber,
    Refusal,
    Route,
    Seller,
    SuppressionList,
)
from dialer.policy.pack import PackSet
from dialer.verdict import Outcome, Reason, Verdict
from tests.unit.policy_world import (
    CALLEE,
    CALLER,
    GRANTED,
    NOON,
    call,
    cap,
    consent,
    pack_file,
    pack_set,
    reasons,
    rule,
    verdict,
    window,
)

DAY = timedelta(days=1)
FRESH = SuppressionList("dnc", NOON - 3 * DAY, ("+86",))
LIST_RULE = rule("list", list="dnc", interval_days=31)


def test_a_call_to_which_nothing_is_objected_is_allowed() -> None:
    """ALLOW carries no grounds, no `until`, and the version of the pack."""
    assert verdict(call(), window(), cap()) == Verdict(Outcome.ALLOW, (), None, "XX@1")


def test_every_ground_is_reported() -> None:
    """A call with many faults gets all of them in one refusal, temporary ones too."""
    facts = call(
        seller=None,
        trunk=None,
        consents=(),
        refusals=(Refusal(1, None, GRANTED),),
        presented=PresentedNumber(CALLER),
        listed_on=("dnc",),
        attempts=(PastAttempt("acme", NOON - DAY / 2),),
    )
    found = verdict(facts, window(hours=[]), cap(), LIST_RULE, rule("caller_number", denied_classes=["service_95"]))
    assert found.outcome is Outcome.REFUSE
    assert found.until is None
    assert set(found.reasons) == {
        Reason.SELLER_UNKNOWN,
        Reason.TRUNK_UNKNOWN,
        Reason.NO_CONSENT,
        Reason.REFUSED,
        Reason.CALLER_NUMBER_UNREGISTERED,
        Reason.CALLER_NUMBER_CLASS,
        Reason.SUPPRESSED,
        Reason.LIST_STALE,
        Reason.OUTSIDE_HOURS,
        Reason.CAP_REACHED,
    }


def test_emergency_numbers_are_always_allowed() -> None:
    """Whatever else is wrong, and without any pack."""
    emergency = Number("110", NumberClass.EMERGENCY, ("CN",), (), ())
    facts = call(callee=emergency, seller=None, trunk=None, refusals=(Refusal(1, None, GRANTED),))
    for pack in (None, pack_set().for_callee(emergency)):
        found = decide(facts, pack, NOON)
        assert (found.outcome, found.reasons) == (Outcome.ALLOW, (Reason.EMERGENCY,))


def test_a_non_marketing_route_meets_no_marketing_rule() -> None:
    """It is allowed on the ground NON_MARKETING, and refused only when the number is none."""
    facts = call(route=Route.NON_MARKETING, consents=(), refusals=(Refusal(1, None, GRANTED),), seller=None)
    found = verdict(facts)
    assert (found.outcome, found.reasons) == (Outcome.ALLOW, (Reason.NON_MARKETING,))
    broken = replace(facts, callee=NumberFault(Fault.LENGTH, "1"))
    assert decide(broken, None, NOON).reasons == (Reason.NUMBER_INVALID,)


@pytest.mark.parametrize("cls", [NumberClass.SHORT, NumberClass.PUBLIC_SERVICE, NumberClass.MESSAGE_PORT])
def test_public_services_are_never_marketed_to(cls: NumberClass) -> None:
    """Short codes, public services and message ports are refused without a pack's word."""
    assert reasons(call(callee=replace(CALLEE, cls=cls))) == {Reason.NUMBER_CLASS}


def test_an_invalid_number_skips_the_callees_rules() -> None:
    """What is wrong with seller and caller number is still told."""
    facts = call(callee=NumberFault(Fault.EMPTY, ""), seller=Seller("acme", suspended=True), consents=())
    assert decide(facts, None, NOON).reasons == (Reason.NUMBER_INVALID, Reason.SELLER_SUSPENDED)


def test_the_caller_number_must_be_registered_for_the_seller() -> None:
    """Held by another is not enough, held for all is; a dry run without one is not asked."""
    assert reasons(call(presented=PresentedNumber(CALLER, ("other",)))) == {Reason.CALLER_NUMBER_UNREGISTERED}
    assert reasons(call(presented=PresentedNumber(CALLER, (), any_seller=True))) == set()
    assert reasons(call(presented=None)) == set()
    broken = PresentedNumber(NumberFault(Fault.EMPTY, ""), ("acme",))
    assert reasons(call(presented=broken)) == {Reason.CALLER_NUMBER_INVALID}


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"allowed_classes": ["service_95"]}, True),
        ({"allowed_classes": ["mobile"]}, False),
        ({"denied_classes": ["mobile"]}, True),
        ({"denied_classes": ["service_95"]}, False),
        ({"allowed_prefixes": ["95"]}, True),
        ({"allowed_prefixes": ["+8695"]}, False),
        ({"denied_prefixes": ["951"]}, False),
        ({"allowed_classes": ["service_95"], "denied_prefixes": ["951"]}, False),
        ({"allowed_classes": ["service_95"], "allowed_prefixes": ["96"]}, False),
    ],
)
def test_classes_and_prefixes_of_caller_numbers(fields: dict[str, Any], allowed: bool) -> None:
    """Each field that is given must be satisfied."""
    expected = set() if allowed else {Reason.CALLER_NUMBER_CLASS}
    assert reasons(call(), rule("caller_number", **fields)) == expected


def test_a_denied_class_of_callee_is_refused() -> None:
    """Only the classes that the rule names."""
    assert reasons(call(), rule("callee_number", denied_classes=["mobile"])) == {Reason.NUMBER_CLASS}
    assert reasons(call(), rule("callee_number", denied_classes=["premium"])) == set()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {Reason.NO_CONSENT}),
        ([{"granted_at": NOON + timedelta(seconds=6)}], {Reason.NO_CONSENT}),
        ([{"granted_at": NOON + timedelta(seconds=5)}], set()),
        ([{"seller": "other"}], {Reason.CONSENT_SCOPE}),
        ([{"purpose": "survey"}], {Reason.CONSENT_SCOPE}),
        ([{"purpose": "*"}], set()),
        ([{"kinds": (CallKind.PRERECORDED,)}], {Reason.CONSENT_SCOPE}),
        ([{"basis": Basis.INFERRED}], {Reason.CONSENT_SCOPE}),
        ([{"expires_at": NOON}], {Reason.CONSENT_EXPIRED}),
        ([{"expires_at": NOON + timedelta(seconds=1)}], set()),
        ([{"withdrawn_at": NOON - DAY}], {Reason.CONSENT_WITHDRAWN}),
        ([{"withdrawn_at": NOON + DAY}], {Reason.CONSENT_WITHDRAWN}),
        ([{"withdrawn_at": NOON - DAY}, {"granted_at": NOON - DAY / 2}], set()),
        ([{"withdrawn_at": NOON - DAY}, {"granted_at": NOON - 2 * DAY}], {Reason.CONSENT_WITHDRAWN}),
        ([{"withdrawn_at": NOON - DAY, "purpose": "survey"}, {}], set()),
        ([{"withdrawn_at": NOON - DAY, "seller": "other"}, {}], set()),
        ([{"seller": "other"}, {"expires_at": NOON - DAY}], {Reason.CONSENT_SCOPE, Reason.CONSENT_EXPIRED}),
        ([{"seller": "other"}, {}], set()),
        ([{"basis": Basis.PURCHASE, "granted_at": NOON - 9 * DAY}], set()),
        ([{"basis": Basis.PURCHASE, "granted_at": NOON - 10 * DAY}], {Reason.CONSENT_EXPIRED}),
        (
            [{"basis": Basis.PURCHASE, "granted_at": NOON - 10 * DAY, "expires_at": NOON + DAY}],
            {Reason.CONSENT_EXPIRED},
        ),
        ([{"basis": Basis.WRITTEN, "granted_at": NOON - 20 * DAY}], {Reason.CONSENT_EXPIRED}),
        ([{"basis": Basis.WRITTEN, "granted_at": NOON - 20 * DAY, "expires_at": NOON + DAY}], set()),
    ],
)
def test_opt_in_needs_a_consent_that_fits(given: list[dict[str, Any]], expected: set[Reason]) -> None:
    """Seller, purpose, kind, basis, term and withdrawal each decide, and each failing consent gives its reason."""
    opt_in = rule(
        "consent",
        model="opt_in",
        bases=["written", "express", "purchase"],
        max_age_days={"purchase": 10},
        default_term_days={"written": 20},
    )
    facts = call(consents=tuple(consent(number, **each) for number, each in enumerate(given, 1)))
    assert reasons(facts, opt_in) == expected


def test_opt_out_needs_no_consent_but_heeds_a_withdrawal() -> None:
    """A withdrawn consent bars until a later one is given; another seller's or purpose's withdrawal does not."""
    opt_out = rule("consent", model="opt_out")
    assert reasons(call(consents=()), opt_out) == set()
    withdrawn = consent(withdrawn_at=NOON - DAY)
    assert reasons(call(consents=(withdrawn,)), opt_out) == {Reason.CONSENT_WITHDRAWN}
    assert reasons(call(consents=(withdrawn, consent(2, granted_at=NOON - DAY / 2))), opt_out) == set()
    assert reasons(call(consents=(withdrawn, consent(2))), opt_out) == {Reason.CONSENT_WITHDRAWN}
    assert reasons(call(consents=(replace(withdrawn, seller="other"),)), opt_out) == set()


def test_a_refusal_bars_this_seller_or_all() -> None:
    """A refusal to another seller does not; one in the future (a fast clock) does."""
    for seller, expected in (("acme", {Reason.REFUSED}), (None, {Reason.REFUSED}), ("other", set())):
        assert reasons(call(refusals=(Refusal(1, seller, GRANTED),))) == expected
    assert reasons(call(refusals=(Refusal(1, None, NOON + DAY),))) == {Reason.REFUSED}


def test_a_refusal_is_lifted_only_by_a_later_consent_that_names_it() -> None:
    """Later, naming it, in force, and where the rule lets a consent lift it."""
    facts = call(refusals=(Refusal(7, None, GRANTED),))
    later = consent(granted_at=GRANTED + DAY, lifts=7)
    assert reasons(replace(facts, consents=(later,))) == set()
    for other in (
        replace(later, lifts=8),
        replace(later, granted_at=GRANTED),
        replace(later, lifts=None),
    ):
        assert reasons(replace(facts, consents=(other,))) == {Reason.REFUSED}
    expired = (consent(), replace(later, id=2, expires_at=NOON))
    assert reasons(replace(facts, consents=expired)) == {Reason.REFUSED}
    strict = rule("refusal", bars="forever")
    assert reasons(replace(facts, consents=(later,)), strict) == {Reason.REFUSED}


def test_a_refusal_may_bar_for_a_time() -> None:
    """`bars_days` counts from the refusal; a second rule that bars for ever wins."""
    facts = call(refusals=(Refusal(1, None, NOON - 60 * DAY),))
    assert reasons(facts, rule("refusal", bars_days=61)) == {Reason.REFUSED}
    assert reasons(facts, rule("refusal", bars_days=60)) == set()
    both = (rule("refusal", bars_days=60), rule("refusal", "b", bars="forever"))
    assert reasons(facts, *both) == {Reason.REFUSED}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lists": (FRESH,)}, set()),
        ({"lists": (FRESH,), "listed_on": ("dnc",)}, {Reason.SUPPRESSED}),
        ({"lists": ()}, {Reason.LIST_STALE}),
        ({"lists": (replace(FRESH, as_of=NOON - 31 * DAY),)}, set()),
        ({"lists": (replace(FRESH, as_of=NOON - 31 * DAY - timedelta(seconds=1)),)}, {Reason.LIST_STALE}),
        ({"lists": (replace(FRESH, prefixes=("+1",)),)}, {Reason.LIST_STALE}),
        ({"lists": (replace(FRESH, as_of=NOON - 99 * DAY), FRESH)}, set()),
        ({"lists": (FRESH,), "listed_on": ("elsewhere",)}, {Reason.SUPPRESSED}),
    ],
)
def test_suppression_lists(fields: dict[str, Any], expected: set[Reason]) -> None:
    """A listed number is refused, also by a list that no rule names; a list that is missing or old closes the gate."""
    assert reasons(call(**fields), LIST_RULE) == expected


def test_a_list_that_the_pack_set_aside_does_not_bar() -> None:
    """A list whose rule ended, or from which a consent exempts, bars nobody; an administrator's rule never frees."""
    facts = call(lists=(FRESH,), listed_on=("dnc",))
    assert reasons(facts, {**LIST_RULE, "effective_to": "2026-03-04"}) == set()
    assert reasons(facts, {**LIST_RULE, "exempt_bases": ["express"]}) == set()
    admin = AdminPolicy.model_validate(
        {"tighten": [{"pack": "XX", "rule": {**LIST_RULE, "exempt_bases": ["express"]}}]}
    )
    assert decide(facts, pack_set(admin=admin).for_callee(CALLEE), NOON).reasons == (Reason.SUPPRESSED,)


def test_an_exempting_consent_must_be_in_force() -> None:
    """Expired by the terms of the pack, it exempts no longer."""
    rules = (
        rule("consent", model="opt_out", max_age_days={"purchase": 30}),
        window(hours=[], exempt_bases=["purchase"]),
    )
    bought = consent(basis=Basis.PURCHASE, granted_at=NOON - 29 * DAY)
    assert reasons(call(consents=(bought,)), *rules) == set()
    old = replace(bought, granted_at=NOON - 30 * DAY)
    assert reasons(call(consents=(old,)), *rules) == {Reason.OUTSIDE_HOURS}


@pytest.mark.parametrize(
    ("selector", "facts", "concerned"),
    [
        ({"industries": ["finance"]}, call(), False),
        ({"industries": ["finance"]}, call(seller=Seller("acme", industry="finance")), True),
        ({"purposes": ["survey"]}, call(), False),
        ({"purposes": ["survey", "marketing"]}, call(), True),
        ({"call_kinds": ["prerecorded"]}, call(), False),
        ({"call_kinds": ["prerecorded"]}, call(kind=CallKind.PRERECORDED), True),
        ({"call_kinds": ["live"], "industries": ["finance"]}, call(), False),
        ({"subdivisions": ["US-FL"]}, call(), False),
    ],
)
def test_selectors_choose_whom_a_rule_concerns(selector: dict[str, Any], facts: Facts, concerned: bool) -> None:
    """All selectors that are given must match."""
    assert reasons(facts, window(hours=[], **selector)) == ({Reason.OUTSIDE_HOURS} if concerned else set())


def test_without_a_pack_nothing_is_allowed() -> None:
    """PACK_UNAVAILABLE, and refusals are still told."""
    found = decide(call(refusals=(Refusal(1, None, GRANTED),)), None, NOON)
    assert found.outcome is Outcome.REFUSE
    assert found.reasons == (Reason.PACK_UNAVAILABLE, Reason.REFUSED)
    assert found.rule_version == ""


@pytest.mark.parametrize("kind", ["consent", "refusal"])
def test_a_pack_that_is_silent_on_consent_or_refusals_allows_nothing(kind: str) -> None:
    """Rules that are not in force leave the pack incomplete, and refusals bar all the same."""
    silent = {
        **rule(kind, **({"model": "opt_out"} if kind == "consent" else {"bars": "forever"})),
        "effective_to": "2026-01-01",
    }
    assert reasons(call(), silent) == {Reason.PACK_UNAVAILABLE}
    refused = call(refusals=(Refusal(1, "acme", GRANTED),))
    assert reasons(refused, silent) == {Reason.PACK_UNAVAILABLE, Reason.REFUSED}


def test_each_of_several_packs_must_be_complete() -> None:
    """A complete pack does not speak for one that lacks its rules."""
    bare = pack_file(id="YY", regions=["US"], rules=[{**window(), "id": "YY.window"}])
    facts = call(address=Address("US", ()))
    found = decide(facts, PackSet([pack_file(), bare]).for_callee(CALLEE, facts.address), NOON)
    assert found.reasons == (Reason.PACK_UNAVAILABLE,)
    assert found.rule_version == "XX@1+YY@1"


def test_a_rule_that_fails_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside a rule is a ground of that rule, and decide never raises."""

    def broken(*_: object) -> checks.Grounds:
        raise ZeroDivisionError

    monkeypatch.setattr(checks, "cap", broken)
    found = verdict(call(), cap())
    assert [(ground.reason, ground.rule) for ground in found.grounds] == [(Reason.GATE_UNAVAILABLE, "XX.cap")]
    assert found.outcome is Outcome.REFUSE


def test_an_instant_without_zone_refuses() -> None:
    """A naive `now` cannot be compared: the call is refused, not guessed at."""
    found = verdict(call(), window(), cap(), now=NOON.replace(tzinfo=None))
    assert found.outcome is Outcome.REFUSE
