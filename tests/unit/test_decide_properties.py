"""What holds for decide whatever the facts, the rules and the instant are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.numbers import Fault, Number, NumberClass, NumberFault
from dialer.policy.admin import AdminPolicy
from dialer.policy.compiled import Pack
from dialer.policy.decide import decide
from dialer.policy.explain import explain
from dialer.policy.facts import (
    Address,
    Basis,
    CallKind,
    Consent,
    Facts,
    PastAttempt,
    PresentedNumber,
    Refusal,
    Route,
    Seller,
    SuppressionList,
)
from dialer.policy.pack import PackSet
from dialer.verdict import TEMPORARY, Outcome, Reason
from tests.unit.policy_world import CALLEE, CALLER, call, cap, consent, pack_set, rule, window

CENTRES = (
    datetime(2026, 3, 8, 6, tzinfo=UTC),  # New York springs forward
    datetime(2026, 10, 3, 15, tzinfo=UTC),  # Lord Howe Island does, by half an hour
    datetime(2026, 11, 1, 5, tzinfo=UTC),  # New York falls back
    datetime(2026, 9, 29, 2, tzinfo=UTC),  # before a week of holidays in China
    datetime(2026, 12, 30, 9, tzinfo=UTC),  # before the last day that is verified
)
ZONES = ("Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Europe/London")
SEVERITY = {Outcome.ALLOW: 0, Outcome.DEFER: 1, Outcome.REFUSE: 2}

instants = st.builds(
    lambda centre, seconds, fraction: centre + timedelta(seconds=seconds, microseconds=fraction),
    st.sampled_from(CENTRES),
    st.integers(-60 * 3600, 60 * 3600),
    st.sampled_from([0, 0, 1, 500_000]),
)
sellers = st.sampled_from(["acme", "other"])
bases = st.lists(st.sampled_from([each.value for each in Basis]), max_size=2, unique=True)
days = st.dictionaries(st.sampled_from([each.value for each in Basis]), st.integers(1, 40), max_size=2)
dates = st.sampled_from([None, None, "2026-03-08", "2026-10-04", "2026-11-01", "2026-12-31"])


@st.composite
def hours(draw: st.DrawFn) -> list[list[str]]:
    """One or two intervals, on whole and half hours."""
    edges = sorted(draw(st.sets(st.integers(0, 48), min_size=2, max_size=4)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [[f"{start // 2:02d}:{start % 2 * 30:02d}", f"{end // 2:02d}:{end % 2 * 30:02d}"] for start, end in pairs]


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A rule of any kind that is a condition of a call."""
    kind = draw(st.sampled_from(["window", "window", "cap", "cap", "list", "refusal", "consent", "caller_number"]))
    fields: dict[str, Any] = {} if kind == "refusal" else {"exempt_bases": draw(bases)}
    begin = draw(dates)
    if kind in ("window", "cap") and begin is not None:
        fields[draw(st.sampled_from(["effective_from", "effective_to"]))] = begin
    match kind:
        case "window":
            week = {"weekdays": draw(hours()), "weekend": draw(st.one_of(hours(), st.just([])))}
            also = draw(st.sampled_from([[], [], ["Europe/London"]]))
            return window(
                days=week, holidays=draw(st.sampled_from(["closed", "as_weekday"])), also_zones=also, **fields
            )
        case "cap":
            fields["per"] = draw(st.sampled_from(["callee", "callee_seller"]))
            fields["counts"] = draw(st.sampled_from(["attempts", "conversations"]))
            return cap(limit=draw(st.integers(1, 3)), window=draw(st.sampled_from(["5m", "24h", "3d"])), **fields)
        case "list":
            return rule(
                "list", list=draw(st.sampled_from(["a", "b"])), interval_days=draw(st.integers(1, 40)), **fields
            )
        case "refusal":
            bar: dict[str, Any] = draw(st.sampled_from([{"bars": "forever"}, {"bars_days": 2}]))
            return rule("refusal", lifted_by_consent=draw(st.booleans()), **bar)
        case "consent":
            terms: dict[str, Any] = {"max_age_days": draw(days), "default_term_days": draw(days), "bases": draw(bases)}
            return rule("consent", model=draw(st.sampled_from(["opt_in", "opt_out"])), **terms, **fields)
        case _:
            return rule("caller_number", denied_classes=[draw(st.sampled_from(["mobile", "service_95"]))], **fields)


@st.composite
def packs(draw: st.DrawFn) -> tuple[PackSet, list[dict[str, Any]]]:
    """A pack with rules on consent and refusals, and further rules that may be added."""
    drawn = draw(st.lists(rules(), min_size=1, max_size=6))
    named = [{**each, "id": f"XX.{number}"} for number, each in enumerate(drawn)]
    cut = draw(st.integers(0, len(named)))
    base = [rule("consent", model=draw(st.sampled_from(["opt_in", "opt_out"]))), rule("refusal", bars="forever")]
    return pack_set(*base, *named[:cut]), named[cut:]


@st.composite
def facts_around(draw: st.DrawFn, now: datetime, clean: bool = False) -> Facts:
    """Facts near an instant. `clean` ones have nothing that only time could not cure."""

    def near(most: float = 60) -> datetime:
        return now - timedelta(days=draw(st.floats(-1, most)))

    consents = [
        Consent(
            number,
            "acme" if clean else draw(sellers),
            "marketing" if clean else draw(st.sampled_from(["marketing", "*", "survey"])),
            draw(st.sampled_from(list(Basis))),
            near(),
            draw(st.sampled_from([None, near(-0.1), near()])),
            None if clean else draw(st.sampled_from([None, None, near()])),
            lifts=draw(st.sampled_from([None, 0])),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    attempts = [PastAttempt(draw(sellers), near(4), draw(st.booleans())) for _ in range(draw(st.integers(0, 5)))]
    zones = tuple(draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True)))
    if clean:
        kept = (consent(9, granted_at=now - timedelta(days=61)), *consents)
        return call(callee=replace(CALLEE, zones=zones), consents=kept, attempts=tuple(attempts))
    return call(
        callee=draw(
            st.sampled_from([replace(CALLEE, zones=zones), replace(CALLEE, zones=()), NumberFault(Fault.EMPTY, "")])
        ),
        kind=draw(st.sampled_from(list(CallKind))),
        seller=draw(st.sampled_from([None, Seller("acme"), Seller("acme", suspended=True)])),
        consents=tuple(consents),
        refusals=tuple(Refusal(number, draw(sellers), near()) for number in range(draw(st.integers(0, 2)))),
        listed_on=tuple(draw(st.sets(st.sampled_from(["a", "b", "c"])))),
        lists=tuple(SuppressionList(name, near(), ("+86",)) for name in draw(st.sets(st.sampled_from(["a", "b"])))),
        attempts=tuple(attempts),
        address=draw(st.sampled_from([None, Address("CN", ("Asia/Urumqi",)), Address("CN-XJ", (), verified=True)])),
        presented=draw(st.sampled_from([None, PresentedNumber(CALLER), PresentedNumber(CALLER, ("acme",))])),
        route=draw(st.sampled_from([Route.MARKETING, Route.MARKETING, Route.NON_MARKETING])),
    )


def pack_for(packs: PackSet, facts: Facts) -> Pack | None:
    """The pack for the facts' callee."""
    return packs.for_callee(facts.callee, facts.address)


@settings(max_examples=300, deadline=None)
@given(packs(), instants, st.data())
def test_no_facts_make_a_rule_fail(
    drawn: tuple[PackSet, list[dict[str, Any]]], now: datetime, data: st.DataObject
) -> None:
    """No rule fails; ALLOW has no ground that forbids, DEFER only temporary ones, and explain agrees with decide."""
    facts = data.draw(facts_around(now))
    pack = pack_for(drawn[0], facts)
    verdict = decide(facts, pack, now)
    assert Reason.GATE_UNAVAILABLE not in verdict.reasons
    assert (verdict.until is not None) is (verdict.outcome is Outcome.DEFER)
    if verdict.outcome is Outcome.ALLOW:
        assert set(verdict.reasons) <= {Reason.NON_MARKETING}
    else:
        assert verdict.grounds
    if verdict.outcome is Outcome.DEFER:
        assert set(verdict.reasons) <= TEMPORARY
    told = [ground for finding in explain(facts, pack, now) for ground in finding.grounds]
    assert sorted(told, key=repr) == sorted(verdict.grounds, key=repr)


@settings(max_examples=80, deadline=None)
@given(st.lists(rules(), min_size=1, max_size=4), instants, st.data())
def test_until_is_the_first_instant_that_time_permits(
    drawn: list[dict[str, Any]], now: datetime, data: st.DataObject
) -> None:
    """It lies ahead, in UTC and whole seconds; no window or cap objects then, and on every minute before one does."""
    named = [{**each, "id": f"XX.{number}"} for number, each in enumerate(drawn) if each["kind"] in ("window", "cap")]
    terms = rule("consent", model="opt_out", max_age_days=data.draw(days), default_term_days=data.draw(days))
    packs = pack_set(terms, *named)
    facts = data.draw(facts_around(now, clean=True))
    pack = pack_for(packs, facts)
    verdict = decide(facts, pack, now)
    if verdict.outcome is Outcome.ALLOW:
        return
    end = now + timedelta(days=2)
    if verdict.until is not None:
        assert verdict.until > now
        assert verdict.until.tzinfo is UTC
        assert verdict.until.microsecond == 0
        assert not TEMPORARY & set(decide(facts, pack, verdict.until).reasons)
        end = min(end, verdict.until)
    minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < end:
        assert TEMPORARY & set(decide(facts, pack, minute).reasons), minute
        minute += timedelta(minutes=1)


@settings(max_examples=300, deadline=None)
@given(packs(), instants, st.booleans(), st.data())
def test_adding_rules_only_ever_tightens(
    drawn: tuple[PackSet, list[dict[str, Any]]], now: datetime, clean: bool, data: st.DataObject
) -> None:
    """With further rules of an administrator no outcome gets milder and no `until` earlier."""
    packs, added = drawn
    facts = data.draw(facts_around(now, clean=clean))
    admin = AdminPolicy.model_validate({"tighten": [{"pack": "XX", "rule": each} for each in added]})
    before = decide(facts, pack_for(packs, facts), now)
    after = decide(facts, pack_for(packs.with_admin(admin), facts), now)
    assert SEVERITY[after.outcome] >= SEVERITY[before.outcome]
    assert set(before.reasons) <= set(after.reasons)
    if before.until is not None and after.until is not None:
        assert after.until >= before.until


@settings(max_examples=200, deadline=None)
@given(packs(), instants, st.sampled_from(["acme", None]), st.data())
def test_a_refusal_always_wins(
    drawn: tuple[PackSet, list[dict[str, Any]]], now: datetime, seller: str | None, data: st.DataObject
) -> None:
    """Where refusals bar for ever, no consent, exemption or other rule lets a marketing call through."""
    facts = data.draw(facts_around(now))
    refused = replace(
        facts, callee=CALLEE, route=Route.MARKETING, refusals=(Refusal(0, seller, now - timedelta(days=999)),)
    )
    verdict = decide(refused, pack_for(drawn[0], refused), now)
    assert verdict.outcome is Outcome.REFUSE
    assert Reason.REFUSED in verdict.reasons


@given(instants, st.sampled_from(list(NumberClass)))
def test_only_emergency_numbers_pass_without_a_pack(now: datetime, cls: NumberClass) -> None:
    """Every other class is refused when no pack covers the number."""
    facts = call(callee=Number("+8613800138000", cls, ("CN",), (), ("Asia/Shanghai",)))
    assert (decide(facts, None, now).outcome is Outcome.ALLOW) is (cls is NumberClass.EMERGENCY)
