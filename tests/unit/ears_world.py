"""What stands in for the database and the recorder when ears are tested, and audio that refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dialer.errors import FileError, StoreUnavailable
from dialer.phrases import Meaning
from dialer.policy.conduct import Conduct
from dialer.ports_refusals import CallParty, NewRefusal, NewReview
from dialer.recording import Kept
from dialer.speech.ear import Told
from dialer.speech.hearing import Detection

NOW = datetime(2026, 10, 21, 2, tzinfo=UTC)
CALLEE = 442079460992
PARTY = CallParty(7, CALLEE, "acme", "+442079460123", NOW)
CONDUCT = Conduct("gb.refusal", "gb 1", "9", "announcements", "en")


def now() -> datetime:
    """The instant of these tests."""
    return NOW


def told(meaning: Meaning = Meaning.REFUSAL, clip: bytes = b"RIFF") -> Told:
    """Words that were heard."""
    words = "please stop calling me"
    return Told(Detection(meaning, words, "stop calling me", "cease", 400, 1_900, "en", "moonshine", "a" * 64), clip)


@dataclass
class Memory:
    """Keeps refusals and near misses, and knows the callees of attempts; fails as told."""

    kept: list[NewRefusal] = field(default_factory=list)
    reviews: list[NewReview] = field(default_factory=list)
    parties: dict[int, CallParty] = field(default_factory=lambda: {7: PARTY})
    away: int = 0  # so many look-ups find no database
    full: bool = False  # nothing can be kept
    where: Kept = Kept.RECORDED
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, refusal: NewRefusal) -> Kept:
        if self.full:
            raise FileError("the disk is full", "free some of it")
        self.kept.append(refusal)
        self.came.set()
        return self.where

    async def review(self, review: NewReview) -> None:
        self.reviews.append(review)
        self.came.set()

    async def call_party(self, attempt: int) -> CallParty | None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("the database did not answer")
        return self.parties.get(attempt)

    def conduct(self, callee: int) -> Conduct | None:
        """As the packs ask of a callee whom they cover."""
        return CONDUCT if callee == CALLEE else None


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds of counters, of whose changes nobody tells."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
