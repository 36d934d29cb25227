"""Where the demonstration calls: by the real clock, so that somewhere it is a permitted hour and elsewhere not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dialer.numbers import Number, parse
from dialer.policy.decide import decide
from dialer.policy.facts import Basis, Consent, Facts, PresentedNumber, Seller, Trunk, TrunkOrigin
from dialer.policy.pack import PackSet
from dialer.verdict import Outcome, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Place:
    """A country (or a part of one) with callees. Numbers are `prefix`, `free` digits of our choice, and two that say
    what the lab's callee does."""

    country: str
    name: str
    name_zh: str
    prefix: str
    free: int
    presented: str

    def callee(self, chance: random.Random, ending: str = "10") -> str:
        """A number that is valid there; nobody is called, the far end is the lab's own. With `10` he answers."""
        while True:
            digits = "".join(chance.choices("0123456789", k=self.free))
            number = f"{self.prefix}{digits}{ending}"
            if isinstance(parse(number), Number):
                return number


# In the order of preference: countries with opt-in consent and strict hours first.
PLACES: Sequence[Place] = (
    Place("CN", "China", "中国", "+86138", 6, "+862161234567"),
    Place("IN", "India", "印度", "+9198", 6, "+911401234567"),
    Place("DE", "Germany", "德国", "+4930", 5, "+493012345678"),
    Place("GB", "United Kingdom", "英国", "+447400", 4, "+442079460123"),
    Place("US", "New York", "美国纽约", "+1212736", 2, "+12127361234"),
    Place("US", "Hawaii", "美国夏威夷", "+1808734", 2, "+12127361234"),
    Place("HK", "Hong Kong", "香港", "+85291", 4, "+85221234567"),
    Place("SG", "Singapore", "新加坡", "+6591", 4, "+6561234567"),
    Place("JP", "Japan", "日本", "+8190", 6, "+81312345678"),
)

_CHINESE = ("CN", "HK")
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def consented(place: Place, packs: PackSet, now: datetime) -> Verdict:
    """What a call with everything in order would get there now."""
    callee = parse(place.callee(random.Random(0)))  # noqa: S311 # no secret
    facts = Facts(
        callee=callee,
        seller_code="demo",
        seller=Seller("demo"),
        consents=(Consent(1, "demo", "marketing", Basis.WRITTEN, min(_LONG_AGO, now)),),
        presented=PresentedNumber(parse(place.presented), ("demo",)),
        trunk=Trunk("demo", place.country, TrunkOrigin.MIXED),
        trunk_asked=True,
    )
    return decide(facts, packs.for_callee(callee, None), now)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where it is a permitted hour now (`inside`), where it is not, and no holiday either (`outside`), and where it is
    one among callees who are heard in English (`english`)."""

    inside: Place
    outside: Place
    english: Place


def pick(packs: PackSet, now: datetime) -> Chosen:
    """Where to call now."""
    verdicts = [(place, consented(place, packs, now)) for place in PLACES]
    allowed = [place for place, verdict in verdicts if verdict.outcome is Outcome.ALLOW]
    outside = next(place for place, verdict in verdicts if verdict.reasons == (Reason.OUTSIDE_HOURS,))
    return Chosen(allowed[0], outside, next(place for place in allowed if place.country not in _CHINESE))
