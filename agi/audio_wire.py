"""One AudioSocket connection: a call's audio over TCP, from a switch and back.

A frame is a type (one byte), a length (two bytes, big-endian) and that many bytes. The switch sends the stream's UUID
first, which must have been announced here; then audio (8 kHz signed 16-bit little-endian mono, "slin") and keys, until
it hangs up. What is sent back is audio and the hang-up. (Asterisk's `res_audiosocket`, and the protocol's page in its
documentation.)

Whatever a peer does, a connection comes to exactly one `Outcome`. Its memory is bounded by one frame and one read.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol, cast

FRAME_BYTES: Final = 320
"""Bytes of one 20 ms frame."""
BYTES_PER_S: Final = 16_000

_HEADER = 3
_SILENT_FRAME = b"\x10\x01\x40" + bytes(FRAME_BYTES)
_HANG_UP_FRAME = b"\x00\x00\x00"
_KEYS = frozenset(b"0123456789*#ABCD")
# Asterisk's application gives a stream up after 2 s in which nothing came from it.
_PULSE_S = 1.0
_FRAME_S = FRAME_BYTES / BYTES_PER_S
# What is late beyond this is not caught up with: the callee would hear it in a burst.
_CATCH_UP_S = 0.1
# What a frame that is no audio, or hardly any, counts for in the peer's budget of time.
_LEAST_FRAME_S = 0.005
_UNSENT_LIMIT = 64 * 1024
# How long the peer may take to close after our hang-up.
_CLOSING_S = 2.0


class Kind(IntEnum):
    """Types of frames."""

    HANG_UP = 0x00
    UUID = 0x01
    KEY = 0x03
    AUDIO = 0x10
    ERROR = 0xFF


class Outcome(StrEnum):
    """How a stream ended; closed."""

    HUNG_UP = "hung_up"  # the switch said so
    ENDED = "ended"  # we said so
    CLOSED = "closed"  # the switch closed, or the connection broke
    ERROR = "error"  # the switch reported an error
    ABSENT = "absent"  # announced, and nobody came; the one outcome without a connection
    NO_ROOM = "no_room"  # more connections than there may be
    CLOSING = "closing"  # the server is being stopped
    SLOW = "slow"  # no UUID in time
    EARLY = "early"  # another frame before the UUID
    UNKNOWN = "unknown"  # a UUID that was not announced, or came before
    TWICE = "twice"  # a second UUID
    KIND = "kind"  # an unknown type
    LENGTH = "length"  # a length that the type cannot have
    ODD = "odd"  # audio of an odd number of bytes
    KEY = "key"  # a key that no telephone has
    FLOOD = "flood"  # far faster than real time
    STUCK = "stuck"  # the peer does not take what is sent
    FAULT = "fault"  # the session raised


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """Bounds of one server; all times in seconds.

    `arrival_s` is how long an announced stream is waited for, `identify_s` how long a connection may take to say its
    UUID. Audio more than `ahead_s` ahead of the clock is dropped; a peer `flood_s` ahead is cut.
    """

    max_streams: int = 200
    arrival_s: float = 30.0
    identify_s: float = 5.0
    ahead_s: float = 2.0
    flood_s: float = 10.0


class Session(Protocol):
    """Whom a stream belongs to. Every method returns at once; one that raises ends the stream."""

    def begun(self, stream: AudioStream) -> None:
        """The stream has come."""

    def audio(self, pcm: bytes) -> None:
        """What was heard: slin, any even number of bytes up to 65,534."""

    def key(self, digit: str) -> None:
        """A key was pressed: `0` to `9`, `*`, `#`, `A` to `D`."""

    def ended(self, outcome: Outcome) -> None:
        """It is over; told once, last, also of a stream that never came."""


class Desk(Protocol):
    """What a stream needs of its server. Every method returns at once."""

    limits: AudioLimits

    def joined(self, stream: AudioStream) -> Outcome | None:
        """A connection was accepted; an outcome refuses it."""

    def claim(self, ident: uuid.UUID) -> Session | None:
        """Whom this UUID was announced for; it is good once."""

    def told(self, call: Callable[[], None]) -> bool:
        """Call a session; False when it raised."""

    def dropped(self, seconds: float) -> None:
        """Audio was dropped."""

    def left(self, stream: AudioStream, outcome: Outcome) -> None:
        """The connection has come to its outcome; told once."""


class AudioStream(asyncio.Protocol):
    """One connection from `peer`. What a session may do with it: `play`, `stop_playing`, `hang_up`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ahead_s = 0.0
        self._counted_at = 0.0
        self._prompt = b""
        self._played = 0
        self._play_at = 0.0
        self._playing: asyncio.Future[bool] | None = None
        self.peer = ""
        self.outcome: Outcome | None = None

    # What the session calls.

    def play(self, pcm: bytes) -> asyncio.Future[bool]:
        """Play slin to the callee, in real time, in place of what is being played.

        The future is True when it was played to its end, False when it was stopped, replaced, or the stream ended.
        """
        self.stop_playing()
        playing: asyncio.Future[bool] = self._loop.create_future()
        if self.outcome is not None or self._session is None:
            playing.set_result(False)
            return playing
        self._prompt, self._played, self._playing = pcm, 0, playing
        self._play_at = self._loop.time()
        self._set_timer(self._play_at, self._play_next)
        return playing

    def stop_playing(self) -> None:
        """Stop at once what is being played."""
        self._finish_playing(to_the_end=False)

    def hang_up(self) -> None:
        """End the stream: the switch's dialplan goes on after it."""
        if self.outcome is not None:
            return
        self._conclude(Outcome.ENDED)
        # the peer closes: closing first would reset the connection under what was said
        self._transport.write(_HANG_UP_FRAME)
        self._set_timer(self._loop.time() + _CLOSING_S, self._transport.abort)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        name = transport.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if name else ""
        refused = self._desk.joined(self)
        if refused is not None:
            self.cut(refused)
            return
        self._set_timer(self._loop.time() + self._desk.limits.identify_s, lambda: self.cut(Outcome.SLOW))

    def data_received(self, data: bytes) -> None:
        if self.outcome is not None:
            return
        buffer = self._buffer
        buffer += data
        at = 0
        while self.outcome is None and len(buffer) - at >= _HEADER:
            kind, length = buffer[at], buffer[at + 1] << 8 | buffer[at + 2]
            fault = self._objection(kind, length)
            if fault is not None:
                self.cut(fault)
                return
            end = at + _HEADER + length
            if len(buffer) < end:
                break
            self._take(kind, bytes(buffer[at + _HEADER : end]))
            at = end
        del buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.outcome is None:
            self._conclude(Outcome.CLOSED)
        if self._timer is not None:
            self._timer.cancel()

    # Receiving.

    def _objection(self, kind: int, length: int) -> Outcome | None:
        """What is wrong with a frame, by its header alone."""
        if self._session is None and kind in (Kind.KEY, Kind.AUDIO):
            return Outcome.EARLY
        if kind == Kind.AUDIO:
            return Outcome.ODD if length % 2 else None
        if kind == Kind.UUID:
            return Outcome.TWICE if self._session is not None else None if length == 16 else Outcome.LENGTH
        if kind == Kind.KEY:
            return None if length == 1 else Outcome.LENGTH
        if kind == Kind.HANG_UP:
            return Outcome.LENGTH if length else None
        return None if kind == Kind.ERROR else Outcome.KIND

    def _take(self, kind: int, payload: bytes) -> None:
        session = self._session
        if kind in (Kind.HANG_UP, Kind.ERROR):
            self._conclude(Outcome.HUNG_UP if kind == Kind.HANG_UP else Outcome.ERROR)
            self._transport.close()
        elif session is None:
            self._identify(uuid.UUID(bytes=payload))
        elif self._in_time(len(payload) / BYTES_PER_S if kind == Kind.AUDIO else 0.0):
            if kind == Kind.AUDIO:
                heard = self._desk.told(lambda: session.audio(payload))
            elif payload[0] in _KEYS:
                heard = self._desk.told(lambda: session.key(payload.decode("ascii")))
            else:
                self.cut(Outcome.KEY)
                return
            if not heard:
                self.cut(Outcome.FAULT)

    def _identify(self, ident: uuid.UUID) -> None:
        session = self._desk.claim(ident)
        if session is None:
            self.cut(Outcome.UNKNOWN)
            return
        self._session = session
        self._counted_at = self._loop.time()
        self._pulse()  # at once: a channel that waits for its first audio goes on by it
        if not self._desk.told(lambda: session.begun(self)):
            self.cut(Outcome.FAULT)

    def _in_time(self, duration_s: float) -> bool:
        """Whether a frame of this duration is taken: a peer may be ahead of the clock a little, as after a pause."""
        now = self._loop.time()
        self._ahead_s = max(0.0, self._ahead_s - (now - self._counted_at)) + max(duration_s, _LEAST_FRAME_S)
        self._counted_at = now
        if self._ahead_s > self._desk.limits.flood_s:
            self.cut(Outcome.FLOOD)
            return False
        if self._ahead_s > self._desk.limits.ahead_s:
            self._desk.dropped(duration_s)
            return False
        return True

    # Sending.

    def _pulse(self) -> None:
        self._send(_SILENT_FRAME)
        if self.outcome is None:
            self._set_timer(self._loop.time() + _PULSE_S, self._pulse)

    def _play_next(self) -> None:
        now = self._loop.time()
        self._play_at = max(self._play_at, now - _CATCH_UP_S)
        while self._play_at <= now and self._played < len(self._prompt) and self.outcome is None:
            frame = self._prompt[self._played : self._played + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
            self._played += FRAME_BYTES
            self._play_at += _FRAME_S
            self._send(b"\x10\x01\x40" + frame)
        if self.outcome is not None:
            return
        if self._played < len(self._prompt):
            self._set_timer(self._play_at, self._play_next)
        else:
            self._set_timer(self._play_at, lambda: self._finish_playing(to_the_end=True))

    def _finish_playing(self, *, to_the_end: bool) -> None:
        playing, self._playing = self._playing, None
        if playing is None:
            return
        self._prompt = b""
        if not playing.done():
            playing.set_result(to_the_end)
        if self.outcome is None:
            self._set_timer(self._loop.time() + _PULSE_S / 2, self._pulse)

    def _send(self, frame: bytes) -> None:
        if self._transport.get_write_buffer_size() > _UNSENT_LIMIT:
            self.cut(Outcome.STUCK)
        else:
            self._transport.write(frame)

    # Ending.

    def cut(self, outcome: Outcome) -> None:
        """End the connection now, whatever is still to be sent."""
        if self.outcome is None:
            self._conclude(outcome)
        self._transport.abort()

    def _conclude(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self._timer is not None:
            self._timer.cancel()
        self._buffer.clear()
        self._finish_playing(to_the_end=False)
        self._desk.left(self, outcome)
        session = self._session
        if session is not None:
            self._desk.told(lambda: session.ended(outcome))

    def _set_timer(self, at: float, call: Callable[[], object]) -> None:
        """A stream has one timer: for its UUID, its next frame or pulse, or the peer's closing."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, call)
