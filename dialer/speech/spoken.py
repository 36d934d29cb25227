"""From words that were heard in a call to a refusal that is kept, or a near miss that a person judges.

The call's path: whose call it was -> the clip on disk -> the artefact -> the recorder -> what follows (`on_refused`).
Nothing here waits in the way of a call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

from dialer.clips import keep_clip
from dialer.errors import FileError, HeedlineError, StoreUnavailable
from dialer.phrases import Meaning
from dialer.ports import Clock
from dialer.ports_refusals import CallParty, NewRefusal, NewReview, SpeechArtefact
from dialer.recording import Kept
from dialer.speech.ear import Told

log = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0
_CLOSING_S = 3.0


class Keeper(Protocol):
    """What `dialer.recording.Recorder` does here."""

    async def keep(self, refusal: NewRefusal) -> Kept:
        """Record a refusal or put it on disk. Raises `HeedlineError` when it is not kept."""

    async def review(self, review: NewReview) -> None:
        """Put a near miss before a person. Never raises."""


class Parties(Protocol):
    """What a `dialer.ports_refusals.RefusalStore` does here."""

    async def call_party(self, attempt: int) -> CallParty | None:
        """Who was called in an attempt. Raises `StoreUnavailable`."""


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A call that is listened to: `stream` is its audio's, `call_id` the switch's. `party` is known when it is found
    out; None: it cannot be."""

    attempt: int
    stream: UUID
    call_id: str
    party: asyncio.Future[CallParty | None]


@dataclass(slots=True)
class SpokenStats:
    """Counters since the start. `unknown`: words of a call whose callee could not be found out; `failed`: refusals that
    were heard and could not be kept; `clips_lost`: kept without their clip."""

    refusals: int = 0
    spooled: int = 0
    reviews: int = 0
    unknown: int = 0
    failed: int = 0
    clips_lost: int = 0


OnRefused = Callable[[HeardCall, CallParty], Awaitable[None]]


class SpokenRefusals:
    """Keeps what callees said. `heard` may be called from the loop at any time; `close` waits for what is under way."""

    def __init__(
        self,
        keeper: Keeper,
        parties: Parties,
        clips: Path,
        clock: Clock,
        on_refused: OnRefused | None = None,
    ) -> None:
        self.stats = SpokenStats()
        self._keeper, self._parties, self._clips, self._clock = keeper, parties, clips, clock
        self._on_refused = on_refused
        self._tasks: set[asyncio.Task[Any]] = set()

    def heard(self, call: HeardCall, told: Told) -> asyncio.Task[Kept | None]:
        """Keep a detection. The task says where a refusal is; None: it was a near miss, or is not kept. It never
        raises."""
        task = asyncio.create_task(self._keep(call, told), name=f"spoken {call.stream}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def party(self, attempt: int, within_s: float) -> CallParty | None:
        """Who was called; asked again while the database is away. None: nobody who is known, or not in time."""
        until = monotonic() + within_s
        wait = _FIRST_WAIT_S
        while True:
            try:
                return await self._parties.call_party(attempt)
            except StoreUnavailable as error:
                if monotonic() + wait > until:
                    log.error("whose call attempt %d is cannot be found out: %s", attempt, error)
                    return None
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    async def close(self) -> None:
        """Let what is under way come to its end, a few seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSING_S)
        for task in (left := set(self._tasks)):
            task.cancel()
        if left:
            await asyncio.gather(*left, return_exceptions=True)
            log.error("%d utterances were not kept before the end", len(left))

    async def _keep(self, call: HeardCall, told: Told) -> Kept | None:
        at = self._clock()
        try:
            clip = await self._kept_clip(told.clip)
            party = await asyncio.shield(call.party)
            if party is None:
                self.stats.unknown += 1
                log.error("words of a callee who is not known, in attempt %d", call.attempt)
                return None
            artefact = artefact_of(told, clip)
            if told.detection.meaning is Meaning.REFUSAL:
                refusal = NewRefusal(
                    party.callee, party.seller, "spoken", at, call.call_id,
                    attempt=party.attempt, artefact=artefact, receipt=f"speech:{call.stream}",
                )  # fmt: skip
                return await self._keep_refusal(call, party, refusal)
            review = NewReview(party.callee, party.seller, at, artefact, call.call_id, party.attempt)
            await self._keeper.review(review)
            self.stats.reviews += 1
        except Exception:  # a fault of ours must not take others' words along
            log.exception("what was heard in attempt %d is not kept", call.attempt)
            self.stats.failed += 1
        return None

    async def _keep_refusal(self, call: HeardCall, party: CallParty, refusal: NewRefusal) -> Kept | None:
        try:
            kept = await self._keeper.keep(refusal)
        except HeedlineError as error:
            self.stats.failed += 1
            log.error("a spoken refusal in attempt %d is not kept: %s", call.attempt, error)
            return None
        self.stats.refusals += 1
        self.stats.spooled += kept is Kept.SPOOLED
        if self._on_refused is not None:
            try:
                await self._on_refused(call, party)
            except HeedlineError as error:
                log.warning("after a spoken refusal in attempt %d: %s", call.attempt, error)
        return kept

    async def _kept_clip(self, wav: bytes) -> str:
        """The clip's hash; empty when it cannot be kept: the words count without it."""
        try:
            return await asyncio.to_thread(keep_clip, wav, self._clips)
        except FileError as error:
            self.stats.clips_lost += 1
            log.error("%s", error)
            return ""


def artefact_of(told: Told, clip: str) -> SpeechArtefact:
    """What proves a refusal that was heard; `clip` is the SHA-256 of the file."""
    heard = told.detection
    return SpeechArtefact(
        transcript=heard.transcript,
        phrase=heard.phrase,
        pattern=heard.rule,
        start_ms=heard.start_ms,
        end_ms=heard.end_ms,
        language=heard.language,
        engine=heard.engine,
        model=heard.model,
        clip=clip,
    )
