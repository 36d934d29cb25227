"""Rolling caps: how many calls count now, and when there is room again.

A call at `a` counts in a window of length `w` until `a + w`; one that lies in the future (the clock was set back)
counts from now on. So counts only fall while time passes, and room once there stays.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from dialer.policy.facts import Facts
from dialer.policy.schema import CapRule


def counted(rule: CapRule, facts: Facts) -> list[datetime]:
    """The instants of the attempts that the rule counts, whatever their age, newest first."""
    times = [
        attempt.at
        for attempt in facts.attempts
        if (rule.per == "callee" or attempt.seller == facts.seller_code)
        and (rule.counts == "attempts" or attempt.talked)
    ]
    if any(newer < older for newer, older in pairwise(times)):
        times.sort(reverse=True)
    return times


def room_at(rule: CapRule, facts: Facts) -> datetime | None:
    """The instant from which one more call is within the cap; None when it always was."""
    if len(facts.attempts) < rule.limit:
        return None
    times = counted(rule, facts)
    return times[rule.limit - 1] + rule.window if len(times) >= rule.limit else None
