"""Rolling caps: what counts, and when there is room again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dialer.policy.caps import room_at
from dialer.policy.facts import PastAttempt
from dialer.policy.schema import CapRule
from tests.unit.policy_world import call
from tests.unit.policy_world import cap as cap_rule

NOW = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)


def cap(**fields: Any) -> CapRule:
    """A cap rule."""
    return CapRule.model_validate(cap_rule(**fields))


def attempts(*minutes_ago: float, seller: str = "acme", talked: bool = False) -> tuple[PastAttempt, ...]:
    """Attempts of that many minutes ago."""
    return tuple(PastAttempt(seller, NOW - timedelta(minutes=each), talked) for each in minutes_ago)


def test_room_comes_back_when_the_call_that_fills_the_cap_leaves_the_window() -> None:
    """With a limit of 2 the second newest call decides, whatever older ones there are."""
    facts = call(attempts=attempts(10, 60, 300))
    assert room_at(cap(limit=2), facts) == NOW - timedelta(minutes=60) + timedelta(hours=24)
    assert room_at(cap(limit=4), facts) is None


def test_only_this_sellers_calls_count_per_seller() -> None:
    """Another seller's calls fill `callee` caps and not `callee_seller` caps."""
    facts = call(attempts=attempts(10, seller="other"))
    assert room_at(cap(), facts) is None
    assert room_at(cap(per="callee"), facts) == NOW - timedelta(minutes=10) + timedelta(hours=24)


def test_only_conversations_fill_a_cap_on_conversations() -> None:
    """A call that nobody answered leaves it open."""
    rule = cap(counts="conversations", window="7d")
    assert room_at(rule, call(attempts=attempts(10))) is None
    assert room_at(rule, call(attempts=attempts(10, talked=True))) is not None


def test_calls_in_the_future_count() -> None:
    """A clock that was set back gives no new room: the call an hour ahead fills the cap until it has aged."""
    assert room_at(cap(window="5m"), call(attempts=attempts(-60))) == NOW + timedelta(minutes=65)


@given(st.lists(st.integers(-10_000, 10_000), max_size=12), st.integers(1, 5))
def test_room_is_exactly_where_counting_says(minutes: list[int], limit: int) -> None:
    """In whatever order attempts come, fewer than `limit` count at the instant of room, and `limit` just before."""
    window = timedelta(hours=24)
    room = room_at(cap(limit=limit), call(attempts=attempts(*minutes)))
    ends = [NOW - timedelta(minutes=each) + window for each in minutes]
    if room is None:
        assert len(ends) < limit
    else:
        assert sum(end > room for end in ends) < limit
        assert sum(end > room - timedelta(microseconds=1) for end in ends) >= limit
