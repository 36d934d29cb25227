"""How long records must be kept: the floors of the packs, and what they make of a person's records."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dialer.erasure import forms, record_floors
from dialer.numbers import Number, parse
from dialer.policy.facts import Address
from dialer.policy.pack import PackSet, load_packs
from dialer.policy.retention import floors, general_floors
from dialer.policy.schema import RetentionRule
from dialer.ports_erasure import Held, Table

PACKS: PackSet = load_packs()
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALLEES = ("+8613812345678", "+493012345678", "+12127361234", "+442079460123", "+61298765432", "+819012345678")
KINDS = ("decision", "consent", "recording", "refusal")


def number(text: str) -> Number:
    """The number of a text."""
    read = parse(text)
    assert isinstance(read, Number)
    return read


@given(
    st.sampled_from(CALLEES),
    st.sampled_from(KINDS),
    st.sampled_from([None, "", "finance", "health"]),
    st.sampled_from([None, "", "insurance", "marketing"]),
    st.sampled_from([None, Address("DE", ("Europe/Berlin",)), Address("US-FL", ("America/New_York",), True)]),
)
def test_the_floors_are_all_rules_that_may_concern_the_record(
    callee: str, of: str, industry: str | None, purpose: str | None, address: Address | None
) -> None:
    """What is not known of a record never shortens its time, nor does a further place where the callee may be; and each
    rule is one of a pack that covers him."""
    addresses = [address] if address else []
    day = NOW.date()
    found = floors(PACKS, number(callee), (of,), day, industry=industry, purpose=purpose, addresses=addresses)
    fewer = floors(PACKS, number(callee), (of,), day, industry=industry or "", purpose=purpose or "")
    assert {rule.id for rule in fewer} <= {rule.id for rule in found}
    assert [rule.days for rule in found] == sorted((rule.days for rule in found), reverse=True)
    covering = [
        rule.id
        for place in (None, *addresses)
        if (pack := PACKS.for_callee(number(callee), place)) is not None
        for rule in pack.rules_in_force(day)
        if isinstance(rule, RetentionRule) and rule.of == of and not (rule.industries or rule.purposes)
    ]
    assert set(covering) <= {rule.id for rule in found}


@given(st.sampled_from(CALLEES), st.sampled_from(list(Table)), st.integers(0, 4000), st.booleans())
def test_a_record_is_held_until_its_longest_rule(callee: str, table: Table, age: int, clip: bool) -> None:
    """A record with a recording is held by the recording's rules too, and none is forgotten."""
    at = NOW - timedelta(days=age)
    plain = Held(table, 1, number(callee).digits, at, "", "")
    spoken = Held(table, 1, number(callee).digits, at, "", "", "ab" * 32)
    without = record_floors(PACKS, number(callee), plain, NOW)
    with_clip = record_floors(PACKS, number(callee), spoken, NOW)
    assert set(without) <= set(with_clip)
    assert all(of in (spoken if clip else plain).of for _, of, _ in (with_clip if clip else without))


def test_general_floors_leave_special_rules_out() -> None:
    """A rule for insurers alone is no floor of the settings; the longest of the trunks' countries comes first."""
    found = general_floors(PACKS, ["CN"], "recording", date(2026, 11, 24))
    assert [rule.id for rule in found] == ["CN.retention.recording"]
    assert general_floors(PACKS, ["CN", "DE"], "consent", date(2026, 11, 24))[0].id == "DE.retention.consent"
    assert general_floors(PACKS, [], "consent", date(2026, 11, 24))[0].days >= 1827


def test_a_short_national_number_is_not_sought_in_texts() -> None:
    """It would be found in what is not his."""
    assert forms(number("+8613812345678")) == ["8613812345678", "13812345678"]
    assert forms(number("+299321234")) == ["299321234"]
