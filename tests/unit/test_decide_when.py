"""decide: zones, dates and holidays, and until when a call is deferred."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer.policy.facts import (
    Address,
    Basis,
    PastAttempt,
)
from dialer.verdict import Outcome, Reason
from tests.unit.policy_world import (
    CALLEE,
    NOON,
    call,
    cap,
    consent,
    reasons,
    rule,
    verdict,
    window,
)

DAY = timedelta(days=1)


def test_rules_begin_at_the_callees_midnight() -> None:
    """A rule from 2026-03-05 on holds from 16:00Z on the 4th in Shanghai."""
    rules = (window(hours=[], effective_from="2026-03-05"),)
    midnight = datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
    assert reasons(call(), *rules, now=midnight - timedelta(seconds=1)) == set()
    assert reasons(call(), *rules, now=midnight) == {Reason.OUTSIDE_HOURS}


def test_every_candidate_zone_must_permit() -> None:
    """At noon in Shanghai it is night in London; a verified address replaces both zones."""
    day = window(hours=[["08:00", "20:00"]])
    assert reasons(call(), day) == set()
    both = Address("CN", ("Europe/London",))
    assert reasons(call(address=both), day) == {Reason.OUTSIDE_HOURS}
    assert reasons(call(address=replace(both, verified=True)), day) == {Reason.OUTSIDE_HOURS}
    assert reasons(call(address=Address("CN", ("Asia/Urumqi",), verified=True)), day) == set()


@pytest.mark.parametrize("zones", [(), ("Etc/Unknown",), ("Asia/Shanghai", "Mars/Olympus")])
def test_an_unknown_zone_is_refused(zones: tuple[str, ...]) -> None:
    """Missing, unknown, or one of several unknown; only where some rule asks for the time."""
    facts = call(callee=replace(CALLEE, zones=zones))
    assert reasons(facts, window()) == {Reason.ZONE_UNKNOWN}
    assert reasons(facts) == set()


def test_a_rule_may_add_its_own_zone() -> None:
    """Hours that must hold in London too close the gate at noon in Shanghai."""
    rules = (window(hours=[["08:00", "20:00"]], also_zones=["Europe/London"]),)
    found = verdict(call(), *rules)
    assert found.until == datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def test_a_rule_ends_at_the_callees_midnight_in_its_own_zone_too() -> None:
    """Hours in London bar no call to Shanghai from the callee's midnight on, when it is still the day before there."""
    rules = (window(hours=[["08:00", "15:00"]], also_zones=["Europe/London"], effective_to="2026-03-06"),)
    found = verdict(call(), *rules, now=datetime(2026, 3, 5, 15, 30, tzinfo=UTC))
    assert found.until == datetime(2026, 3, 5, 16, 0, tzinfo=UTC)


def test_holidays_and_hours_are_told_apart() -> None:
    """A closed holiday is HOLIDAY at any hour; outside hours on a weekday is not."""
    rules = (window(hours=[["09:00", "20:00"]], holidays="closed"),)
    assert reasons(call(), *rules, now=datetime(2026, 10, 1, 4, tzinfo=UTC)) == {Reason.HOLIDAY}
    assert reasons(call(), *rules, now=datetime(2026, 9, 30, 14, tzinfo=UTC)) == {Reason.OUTSIDE_HOURS}
    assert reasons(call(), *rules, now=datetime(2027, 1, 4, 4, tzinfo=UTC)) == {Reason.HOLIDAY}


def test_only_temporary_grounds_defer() -> None:
    """The next opening is told in UTC; with any other ground the call is refused."""
    rules = (window(hours=[["13:30", "14:00"]]),)
    found = verdict(call(), *rules)
    assert (found.outcome, found.until) == (Outcome.DEFER, datetime(2026, 3, 4, 5, 30, tzinfo=UTC))
    found = verdict(call(consents=()), *rules)
    assert (found.outcome, found.until) == (Outcome.REFUSE, None)


def test_windows_and_caps_wait_for_each_other() -> None:
    """Room at 12:30 local time, in the pause: the call waits for 14:00."""
    rules = (window(hours=[["09:00", "12:00"], ["14:00", "20:00"]]), cap())
    room = datetime(2026, 3, 4, 4, 30, 0, 250_000, tzinfo=UTC)
    found = verdict(call(attempts=(PastAttempt("acme", room - DAY),)), *rules, now=datetime(2026, 3, 4, 1, tzinfo=UTC))
    assert found.reasons == (Reason.CAP_REACHED,)
    assert found.until == datetime(2026, 3, 4, 6, 0, tzinfo=UTC)


def test_until_is_a_whole_second_and_not_too_early() -> None:
    """Room in mid-second is rounded up."""
    room = datetime(2026, 3, 4, 4, 30, 0, 250_000, tzinfo=UTC)
    found = verdict(call(attempts=(PastAttempt("acme", room - DAY),)), cap())
    assert found.until == datetime(2026, 3, 4, 4, 30, 1, tzinfo=UTC)


def test_a_call_that_no_time_permits_is_refused() -> None:
    """Within 90 days there is no opening: no date is promised."""
    found = verdict(call(), window(hours=[]))
    assert (found.outcome, found.until, found.reasons) == (Outcome.REFUSE, None, (Reason.OUTSIDE_HOURS,))


def test_the_search_knows_when_an_exemption_ends() -> None:
    """A consent that exempts from the night rule ends before the cap has room: the call waits for the morning."""
    rules = (
        window(hours=[["09:00", "20:00"]], exempt_bases=["purchase"]),
        cap(),
        rule("consent", model="opt_out"),
    )
    bought = consent(basis=Basis.PURCHASE, expires_at=datetime(2026, 3, 4, 13, 0, tzinfo=UTC))
    facts = call(consents=(bought,), attempts=(PastAttempt("acme", datetime(2026, 3, 3, 14, 0, tzinfo=UTC)),))
    found = verdict(facts, *rules, now=datetime(2026, 3, 4, 12, 30, tzinfo=UTC))
    assert found.reasons == (Reason.CAP_REACHED,)
    assert found.until == datetime(2026, 3, 5, 1, 0, tzinfo=UTC)


def test_the_search_knows_when_a_cap_ends() -> None:
    """A cap of 30 days that is repealed at midnight bars until then only."""
    rules = (cap(window="30d", effective_to="2026-03-06"),)
    found = verdict(call(attempts=(PastAttempt("acme", NOON - DAY),)), *rules)
    assert found.until == datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
