"""explain: what every rule says of one call, in words."""

from __future__ import annotations

from datetime import timedelta

from dialer.policy.decide import decide
from dialer.policy.explain import explain
from dialer.policy.facts import (
    Route,
    SuppressionList,
)
from tests.unit.policy_world import (
    CALLEE,
    NOON,
    call,
    cap,
    pack_set,
    rule,
    window,
)

DAY = timedelta(days=1)
FRESH = SuppressionList("dnc", NOON - 3 * DAY, ("+86",))
LIST_RULE = rule("list", list="dnc", interval_days=31)


def test_explain_agrees_with_decide_and_says_why() -> None:
    """Its grounds are decide's, every rule in force is there, and each has words in both languages."""
    rules = (window(hours=[]), cap(), LIST_RULE, rule("retention", of="decision", days=30))
    facts = call(seller=None, lists=(FRESH,))
    pack = pack_set(*rules).for_callee(CALLEE)
    findings = explain(facts, pack, NOON)
    told = [ground for finding in findings for ground in finding.grounds]
    assert sorted(told, key=repr) == sorted(decide(facts, pack, NOON).grounds, key=repr)
    permits = {finding.rule: finding.permits for finding in findings}
    assert permits == {
        "core.seller": False,
        "XX.refusal": True,
        "XX.consent": True,
        "XX.list": True,
        "XX.window": False,
        "XX.cap": True,
        "XX.retention": True,
    }
    assert all(finding.why.en and finding.why.zh for finding in findings)


def test_explain_names_the_exemption() -> None:
    """A rule from which a consent exempts is shown as permitting, with the basis."""
    rules = (rule("consent", model="opt_in"), window(hours=[], exempt_bases=["express"]))
    findings = explain(call(), pack_set(*rules).for_callee(CALLEE), NOON)
    assert [finding.why.en for finding in findings if finding.kind == "window"] == [
        "a consent in force exempts (express)"
    ]


def test_explain_of_a_bypass_is_one_finding() -> None:
    """A non-marketing route shows only the ground on which it is allowed."""
    (finding,) = explain(call(route=Route.NON_MARKETING), None, NOON)
    assert (finding.rule, finding.permits) == ("core.non_marketing", True)
