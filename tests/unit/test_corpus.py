"""The corpus of decisions (`tests/corpus/policy`): each case is decided as it says; together they cover the packs."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dialer.numbers import Number
from dialer.policy.decide import decide
from dialer.verdict import Outcome, Reason, Verdict
from tests.unit.corpus_loader import Case, load_cases, shipped

CASES = load_cases()
OF_THE_GATE = {Reason.PERMIT_INVALID, Reason.GATE_UNAVAILABLE, Reason.CLOCK_UNTRUSTED}
UNDECIDED_KINDS = {"retention", "conduct"}


def _described(case: Case, verdict: Verdict) -> str:
    """What a lawyer wants to see when a case and the code disagree."""
    local = case.table.get("until", case.table["at"]).tzinfo
    until = verdict.until and verdict.until.astimezone(local)
    expected = f"{case.outcome} {sorted(case.reasons)} until {case.table.get('until')}"
    lines = [
        f"{case.file}: {case.id}",
        f"  claim     {case.claim}",
        f"  expected  {expected}",
        f"  decided   {verdict.outcome} {sorted(verdict.reasons)} until {until} under {verdict.rule_version}",
        *(f"    {ground.reason}  {ground.rule}  {ground.detail}" for ground in verdict.grounds),
    ]
    if isinstance(case.facts.callee, Number):
        lines.append(f"  callee    {case.facts.callee}")
    return "\n".join(lines)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case) -> None:
    """The decision has exactly the outcome, reasons and instant that the case states, and cites the rules it names."""
    verdict = decide(case.facts, case.pack(), case.at)
    cited = {ground.rule for ground in verdict.grounds}
    described = _described(case, verdict)
    assert verdict.outcome == case.outcome, described
    assert {reason.value for reason in verdict.reasons} == case.reasons, described
    assert verdict.until == case.until, described
    assert case.rules <= cited, described
    assert not case.not_cited & cited, described


@pytest.mark.parametrize("case", [each for each in CASES if each.outcome == "DEFER"], ids=lambda case: case.id)
def test_deferred_call_is_permitted_then_and_not_before(case: Case) -> None:
    """At `until` the same call is allowed, and one second before it is not."""
    assert case.until is not None
    pack = case.pack()
    assert decide(case.facts, pack, case.until).outcome is Outcome.ALLOW
    before = case.until - timedelta(seconds=1)
    assert before < case.at or decide(case.facts, pack, before).outcome is not Outcome.ALLOW


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_is_well_formed(case: Case) -> None:
    """A case claims a sentence, knows its reasons and rules, and states its time in a zone where the callee may be."""
    rules = {rule.id for pack in shipped().packs for rule in pack.rules}
    assert case.claim.endswith(".")
    assert case.id == case.id.lower()
    assert case.reasons <= {reason.value for reason in Reason}
    assert (case.outcome == "DEFER") == (case.until is not None)
    own = {rule for rule in case.rules | case.not_cited if not rule.startswith("core.") and ".admin." not in rule}
    assert own <= rules
    assert _zones(case) == [] or _offset(case.table["at"]) in [_at(zone, case.at) for zone in _zones(case)]


def _zones(case: Case) -> list[ZoneInfo]:
    address = case.facts.address
    names = set(address.zones) if address else set()
    if isinstance(case.facts.callee, Number) and not (address and address.verified):
        names |= set(case.facts.callee.zones)
    return [ZoneInfo(name) for name in names if not name.startswith(("Mars/", "Etc/"))]


def _at(zone: ZoneInfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _offset(local: datetime) -> timedelta | None:
    return local.utcoffset()


def test_corpus_is_large() -> None:
    """There are at least 200 cases."""
    assert len(CASES) >= 200


def test_every_reason_of_a_decision_occurs() -> None:
    """Every reason that a decision can give is given in some case; the rest belong to the gate."""
    seen = {reason for case in CASES for reason in case.reasons}
    assert {reason.value for reason in Reason} - seen == {reason.value for reason in OF_THE_GATE}


def test_every_outcome_occurs_in_every_jurisdiction() -> None:
    """Each pack has cases that allow, that refuse and that defer."""
    seen = {(case.jurisdiction, case.outcome) for case in CASES}
    wanted = {(pack.id, outcome.value) for pack in shipped().packs for outcome in Outcome}
    assert wanted <= seen


def test_every_rule_is_cited() -> None:
    """Each rule of each pack that can stop a call, overlays included, stops one in some case."""
    deciding = {rule.id for pack in shipped().packs for rule in pack.rules if rule.kind not in UNDECIDED_KINDS}
    cited = {ground.rule for case in CASES for ground in decide(case.facts, case.pack(), case.at).grounds}
    assert deciding - cited == set()


def test_every_named_state_has_a_case() -> None:
    """Each US state with an overlay has a callee there whom the overlay stops."""
    named = {each for pack in shipped().packs for rule in pack.rules for each in rule.subdivisions}
    stopped: set[str] = set()
    for case in CASES:
        grounds = decide(case.facts, case.pack(), case.at).grounds
        if any(".state." in ground.rule for ground in grounds) and isinstance(case.facts.callee, Number):
            stopped.update(case.facts.callee.subdivisions)
    assert named <= stopped
