"""Listening to calls with agents: the callee's leg is tapped when he has answered.

The call's path: a follower tells of the answer -> who was called, and so in which language -> room in the budget -> a
stream is announced -> the switch is asked for a Local channel, whose one half hears the called leg (ChanSpy) and whose
other half sends it here (AudioSocket; `heedline-tap.conf`).

Whatever fails costs the listening to that call, and is counted.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from agi.ami import Ami
from agi.audio import AudioServer, AudioStream, Outcome
from agi.follow import Follower, LiveLeg
from dialer.errors import AmiRefused, AmiUnavailable, UnsafeText
from dialer.phrases import Meaning
from dialer.policy.conduct import Conduct
from dialer.ports_refusals import CallParty
from dialer.speech.ear import Ear, Told
from dialer.speech.spoken import HeardCall, SpokenRefusals
from dialer.verdict import Language

log = logging.getLogger(__name__)

CONTEXT = "heedline-tap"

# As Asterisk makes it: seconds and a count, behind the system's name if it has one.
_UNIQUE_ID = re.compile(r"[A-Za-z0-9_.-]{1,120}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")
_PARTY_WITHIN_S = 30.0
_TIMEOUT_MS = 10_000
# Calls that another way of listening has taken over.
_REMEMBERED = 4096


class Listens(Protocol):
    """What `dialer.speech.listening.Listening` does here."""

    def hears(self, language: str) -> bool:
        """Whether a language can be heard at all."""

    def open(self, language: str, told: Callable[[Told], None]) -> Ear | None:
        """Listen to one more call; None: there is no room, which is counted."""


@dataclass(slots=True)
class TapStats:
    """Counters since the start. `answered` calls = `begun` + `pending` + those not tapped, by why: the callee is not
    known, his language is not heard, no room, another way of listening, the switch did not do it."""

    answered: int = 0
    pending: int = 0
    begun: int = 0
    unknown: int = 0
    unheard: int = 0
    shed: int = 0
    elsewhere: int = 0
    failed: int = 0


class Taps:
    """Taps the calls of switches that it follows. `conduct` tells what is known of a callee (E.164 digits); `address`
    is where the switches send audio to, `host:port`."""

    def __init__(
        self,
        audio: AudioServer,
        ears: Listens,
        spoken: SpokenRefusals,
        conduct: Callable[[int], Conduct | None],
        address: str,
        *,
        party_within_s: float = _PARTY_WITHIN_S,
    ) -> None:
        """Raises `UnsafeText` when the address is none."""
        if not _ADDRESS.fullmatch(address):
            raise UnsafeText(f"`{address!a}` is no address to which a switch can send audio")
        self.stats = TapStats()
        self.audio, self._ears, self._spoken = audio, ears, spoken
        self._conduct, self._address, self._party_within_s = conduct, address, party_within_s
        self._taps: dict[int, _Tap] = {}
        self._elsewhere: OrderedDict[int, None] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    def follow(self, follower: Follower) -> None:
        """Tap the calls that this follower sees answered."""
        follower.on_answered(lambda leg: self.answered(follower.ami, leg))

    def answered(self, ami: Ami, leg: LiveLeg) -> None:
        """A called leg was answered. Never blocks, never raises. A call has one tap, whichever leg is told first."""
        if leg.attempt in self._taps:
            return
        self.stats.answered += 1
        if leg.attempt in self._elsewhere:
            self.stats.elsewhere += 1
            return
        self.stats.pending += 1
        tap = self._taps[leg.attempt] = _Tap(self, leg)
        task = asyncio.create_task(self._begin(ami, tap), name=f"tap {leg.attempt}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def leave(self, attempt: int) -> None:
        """This call is listened to in another way: end its tap, and begin none."""
        self._elsewhere[attempt] = None
        if len(self._elsewhere) > _REMEMBERED:
            self._elsewhere.popitem(last=False)
        if (tap := self._taps.get(attempt)) is not None:
            tap.leave()

    async def close(self) -> None:
        """Begin no more."""
        for task in (tasks := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, ami: Ami, tap: _Tap) -> None:
        why = "failed"
        try:
            why = await self._tap(ami, tap)
        except (AmiUnavailable, AmiRefused, UnsafeText) as error:
            log.warning("attempt %d is not listened to: %s", tap.leg.attempt, error)
        except Exception:  # a fault of ours must not reach the follower's other work
            log.exception("attempt %d is not listened to", tap.leg.attempt)
        finally:
            if why and tap.ident is not None:
                self.audio.withdraw(tap.ident)
            elif why:
                self.is_over(tap, why)

    async def _tap(self, ami: Ami, tap: _Tap) -> str:
        """Begin; why not, as a counter's name, or nothing."""
        party = await self._spoken.party(tap.leg.attempt, self._party_within_s)
        if party is None:
            return "unknown"
        conduct = self._conduct(party.callee)
        language: Language = conduct.language if conduct is not None else "en"
        if tap.left:
            return "elsewhere"
        if not self._ears.hears(language):
            return "unheard"
        if not tap.open(self._ears, language, party):
            return "shed"
        await ami.action("Originate", self._fields(tap))
        return ""

    def _fields(self, tap: _Tap) -> list[tuple[str, str]]:
        """The action. Nothing in it was said by a caller: the leg's unique id, our UUID, our address (rule 8)."""
        if not _UNIQUE_ID.fullmatch(tap.leg.unique_id):
            raise UnsafeText("the called channel's unique id is none")
        return [
            ("Channel", f"Local/hear@{CONTEXT}/n"),
            ("Context", CONTEXT),
            ("Exten", "send"),
            ("Priority", "1"),
            ("Async", "true"),
            ("Timeout", f"{_TIMEOUT_MS}"),
            ("Variable", f"__HEEDLINE_TAPPED={tap.leg.unique_id}"),
            ("Variable", f"HEEDLINE_STREAM={tap.ident}"),
            ("Variable", f"HEEDLINE_AUDIO={self._address}"),
        ]

    # What a tap calls.

    def heard(self, call: HeardCall, told: Told) -> None:
        """The callee said something that may count."""
        self._spoken.heard(call, told)

    def has_begun(self) -> None:
        """Audio comes."""
        self.stats.pending -= 1
        self.stats.begun += 1

    def is_over(self, tap: _Tap, why: str) -> None:
        """The tap has ended; `why` it never began, if so."""
        self._taps.pop(tap.leg.attempt, None)
        if why:
            self.stats.pending -= 1
            setattr(self.stats, why, getattr(self.stats, why) + 1)


class _Tap:
    """One call's tap: the session of its stream."""

    def __init__(self, taps: Taps, leg: LiveLeg) -> None:
        self._taps, self.leg = taps, leg
        self._ear: Ear | None = None
        self._stream: AudioStream | None = None
        self._call: HeardCall | None = None
        self.ident: UUID | None = None
        self.left = False

    def open(self, ears: Listens, language: Language, party: CallParty) -> bool:
        """Make room for it and expect its stream; False when there is none."""
        self._ear = ears.open(language, self._told)
        if self._ear is None:
            return False
        self.ident = self._taps.audio.announce(self)
        if self.ident is None:
            self._ear.close()
            return False
        known: asyncio.Future[CallParty | None] = asyncio.get_running_loop().create_future()
        known.set_result(party)
        self._call = HeardCall(self.leg.attempt, self.ident, self.leg.unique_id, known)
        return True

    def leave(self) -> None:
        """End it: the call is listened to in another way."""
        self.left = True
        if self._stream is not None:
            self._stream.hang_up()
        elif self.ident is not None:
            self._taps.audio.withdraw(self.ident)

    def _told(self, told: Told) -> None:
        if self._call is None:
            return
        self._taps.heard(self._call, told)
        if told.detection.meaning is Meaning.REFUSAL and self._stream is not None:
            self._stream.hang_up()  # he has said it: there is nothing more to hear

    # What the stream calls: the methods of `agi.audio.Session`.

    def begun(self, stream: AudioStream) -> None:
        self._stream = stream
        self._taps.has_begun()

    def audio(self, pcm: bytes) -> None:
        if self._ear is not None and not self.left:
            self._ear.audio(pcm)

    def key(self, digit: str) -> None:
        """Keys of a call with an agent come by the dialplan."""

    def ended(self, outcome: Outcome) -> None:
        if self._ear is not None:
            self._ear.close()
        never = "elsewhere" if self.left else "failed"
        self._taps.is_over(self, "" if self._stream is not None else never)
