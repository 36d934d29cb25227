"""Announcements: the service plays a message to a callee over AudioSocket, and hears his key and his words meanwhile.

The call's path: message -> offer of the key -> a few seconds for an answer -> the end. A refusal, by key or by word,
stops the playing at once; it is kept, the callee hears that it is (or that it is not), and the stream ends.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from agi.audio import AudioServer, AudioStream, Outcome
from agi.stream import StreamRequest
from dialer.errors import HeedlineError
from dialer.numbers import Number, parse
from dialer.phrases import Meaning
from dialer.policy.conduct import Conduct
from dialer.ports import Clock
from dialer.ports_refusals import CallParty, KeyArtefact, NewRefusal, Prompt
from dialer.prompts import FAILED, OFFER, RECORDED, Prompts
from dialer.recording import Kept
from dialer.speech.ear import Ear, Told
from dialer.speech.spoken import HeardCall, Keeper, SpokenRefusals

log = logging.getLogger(__name__)

# What a callee may still answer when all was said.
_ANSWER_S = 5.0
# He hears within this whether his refusal is kept.
_CONFIRM_S = 4.0
# A database that is away is asked so long whose call it was.
_PARTY_WITHIN_S = 600.0
_REMEMBERED = 4096
_CLOSING_S = 3.0


class Listens(Protocol):
    """What `dialer.speech.listening.Listening` does here."""

    def open(self, language: str, told: Callable[[Told], None]) -> Ear | None:
        """Listen to one more call; None: there is no room, which is counted."""


@dataclass(slots=True)
class AnnounceStats:
    """Counters since the start. `keyed` refusals were kept, `failed` ones not; `unheard` streams were played to and not
    listened to."""

    streams: int = 0
    refused: int = 0
    completed: int = 0
    unheard: int = 0
    keyed: int = 0
    failed: int = 0


class Announcements:
    """Plays announcements. `conduct` tells what is known of a callee (E.164 digits); `elsewhere` is told of attempts
    that are listened to here; `answer_s` is how long an answer is waited for when all was said."""

    def __init__(
        self,
        audio: AudioServer,
        ears: Listens,
        spoken: SpokenRefusals,
        keeper: Keeper,
        conduct: Callable[[int], Conduct | None],
        prompts: Prompts,
        clock: Clock,
        *,
        elsewhere: Callable[[int], None] = lambda attempt: None,
        answer_s: float = _ANSWER_S,
    ) -> None:
        self.stats = AnnounceStats()
        self.prompts = prompts
        self.ears, self.spoken, self.answer_s = ears, spoken, answer_s
        self._audio, self._keeper, self._conduct, self._clock = audio, keeper, conduct, clock
        self._elsewhere = elsewhere
        self._said_all: OrderedDict[uuid.UUID, None] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    def announce(self, request: StreamRequest) -> uuid.UUID | None:
        """Expect the stream of a call; None when its number is none, its message is not here, or there is no room."""
        callee = parse(request.number if request.number.startswith("+") else f"+{request.number}")
        if not isinstance(callee, Number) or (conduct := self._conduct(callee.digits)) is None:
            return None
        if request.message and not self.prompts.find(request.message, conduct.language):
            return None
        announcement = _Announcement(self, request, conduct)
        ident = self._audio.announce(announcement)
        if ident is None:
            return None
        party = self.start(self.spoken.party(request.attempt, _PARTY_WITHIN_S))
        announcement.call = HeardCall(request.attempt, ident, request.call_id, party)
        self._elsewhere(request.attempt)
        return ident

    def said_all(self, stream: uuid.UUID) -> bool:
        """Whether a stream that has ended had nothing more to say."""
        return stream in self._said_all

    async def close(self) -> None:
        """Let what is being kept come to its end, a few seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSING_S)
        for task in (left := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # What an announcement calls.

    def start(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine to its end, whatever becomes of the stream."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def completed(self, stream: uuid.UUID) -> None:
        """All was said."""
        self.stats.completed += 1
        self._said_all[stream] = None
        if len(self._said_all) > _REMEMBERED:
            self._said_all.popitem(last=False)

    async def keep_key(self, call: HeardCall, key: str) -> Kept | None:
        """Keep a refusal by key; None: it is not kept. Never raises."""
        at = self._clock()
        try:
            party: CallParty | None = await asyncio.shield(call.party)
            if party is None:
                raise HeedlineError("whose call it is cannot be found out")
            refusal = NewRefusal(
                party.callee, party.seller, "keyed", at, call.call_id or None,
                attempt=party.attempt, artefact=KeyArtefact(key, Prompt.ANNOUNCEMENT), receipt=f"key:{call.stream}",
            )  # fmt: skip
            kept = await self._keeper.keep(refusal)
        except HeedlineError as error:
            self.stats.failed += 1
            log.error("a refusal by key in attempt %d is not kept: %s", call.attempt, error)
            return None
        except Exception:  # a fault of ours must not be silent
            self.stats.failed += 1
            log.exception("a refusal by key in attempt %d is not kept", call.attempt)
            return None
        self.stats.keyed += 1
        return kept


class _Announcement:
    """One call's: the session of its stream."""

    call: HeardCall

    def __init__(self, desk: Announcements, request: StreamRequest, conduct: Conduct) -> None:
        self._desk, self._request, self._conduct = desk, request, conduct
        self._ear: Ear | None = None
        self._keeping: asyncio.Task[Kept | None] | None = None
        loop = asyncio.get_running_loop()
        self._refused: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()

    # What the stream calls: the methods of `agi.audio.Session`.

    def begun(self, stream: AudioStream) -> None:
        stats = self._desk.stats
        stats.streams += 1
        self._ear = self._desk.ears.open(self._conduct.language, self._told)
        stats.unheard += self._ear is None
        self._desk.start(self._run(stream))

    def audio(self, pcm: bytes) -> None:
        if self._ear is not None:
            self._ear.audio(pcm)

    def key(self, digit: str) -> None:
        if digit == self._conduct.key and self._keeping is None:
            self._refuse(self._desk.start(self._desk.keep_key(self.call, digit)))

    def ended(self, outcome: Outcome) -> None:
        if self._ear is not None:
            self._ear.close()
        if not self._over.done():
            self._over.set_result(None)

    def _told(self, told: Told) -> None:
        """He said something that may count; also when the stream has ended meanwhile."""
        if told.detection.meaning is not Meaning.REFUSAL:
            self._desk.spoken.heard(self.call, told)
        elif self._keeping is None:
            self._refuse(self._desk.spoken.heard(self.call, told))

    def _refuse(self, keeping: asyncio.Task[Kept | None]) -> None:
        self._keeping = keeping
        self._desk.stats.refused += 1
        if not self._refused.done():
            self._refused.set_result(None)

    # The call's path.

    async def _run(self, stream: AudioStream) -> None:
        for name in (self._request.message, OFFER):
            if name and not self._refused.done():
                await self._first_of(stream.play(self._prompt(name)), self._refused, self._over)
        await self._first_of(self._refused, self._over, within_s=self._desk.answer_s)
        if self._keeping is not None:
            await self._confirm(stream, self._keeping)
        if not self._over.done():
            self._desk.completed(self.call.stream)
        stream.hang_up()

    async def _confirm(self, stream: AudioStream, keeping: asyncio.Task[Kept | None]) -> None:
        """Say whether his refusal is kept, as far as that is known by then."""
        stream.stop_playing()
        await self._first_of(keeping, self._over, within_s=_CONFIRM_S)
        kept = keeping.result() if keeping.done() and not keeping.cancelled() else None
        await stream.play(self._prompt(FAILED if kept is None else RECORDED))

    def _prompt(self, name: str) -> bytes:
        return self._desk.prompts.find(name, self._conduct.language)

    @staticmethod
    async def _first_of(*what: asyncio.Future[Any], within_s: float | None = None) -> None:
        await asyncio.wait(what, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
