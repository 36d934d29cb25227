"""The AudioSocket server: streams that were announced, each a session's; every connection is one counted outcome.

A session announces a stream and gets a UUID, which goes to the switch; the switch then connects and says it. What a
connection may do is `agi.audio_wire`'s.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from agi.audio_wire import AudioLimits, AudioStream, Outcome, Session
from dialer.hostile import printable

__all__ = ["AudioLimits", "AudioServer", "AudioStats", "AudioStream", "Outcome", "Session"]

log = logging.getLogger(__name__)

_ORDINARY = frozenset({Outcome.HUNG_UP, Outcome.ENDED, Outcome.CLOSED, Outcome.CLOSING})
_LINES_A_SECOND = 5


@dataclass(slots=True)
class AudioStats:
    """Counters since the start. `accepted` = `open` + all `ended` but ABSENT. `dropped_s` is audio, in seconds."""

    accepted: int = 0
    open: int = 0
    announced: int = 0
    unannounced: int = 0
    ended: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    dropped_s: float = 0.0


class AudioServer:
    """Takes streams that were announced, between `start` and `close`. `port` 0 takes a free one.

    Use it within one running loop.
    """

    def __init__(self, host: str, port: int, limits: AudioLimits | None = None) -> None:
        self.host, self.port = host, port
        self.limits = limits or AudioLimits()
        self.stats = AudioStats()
        self.closing = False
        self._announced: dict[uuid.UUID, tuple[Session, asyncio.TimerHandle]] = {}
        self._streams: set[AudioStream] = set()
        self._listener: asyncio.Server | None = None
        self._lines: dict[Outcome, tuple[int, int]] = {}

    async def start(self) -> None:
        """Listen. Raises `OSError` when the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: AudioStream(self), self.host, self.port, backlog=256)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End every stream and stop listening; idempotent."""
        self.closing = True
        if self._listener is not None:
            self._listener.close()
        for ident in list(self._announced):
            self._forget(ident)
        for stream in list(self._streams):
            stream.cut(Outcome.CLOSING)
        if self._listener is not None:
            await self._listener.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def announce(self, session: Session) -> uuid.UUID | None:
        """Expect a stream of this session; its UUID, good for one connection within `arrival_s`.

        None, and the session is told nothing, when there are `max_streams` already, or the server is closing.
        """
        if self.closing or self.stats.open + len(self._announced) >= self.limits.max_streams:
            self.stats.unannounced += 1
            return None
        ident = uuid.uuid4()
        timer = asyncio.get_running_loop().call_later(self.limits.arrival_s, self._forget, ident)
        self._announced[ident] = (session, timer)
        self.stats.announced += 1
        return ident

    def withdraw(self, ident: uuid.UUID) -> None:
        """Expect this stream no more; its session is told that it is `ABSENT`, if it had not come."""
        if ident in self._announced:
            self._forget(ident)

    def _forget(self, ident: uuid.UUID) -> None:
        session, timer = self._announced.pop(ident)
        timer.cancel()
        self._count(Outcome.ABSENT, "")
        self.told(lambda: session.ended(Outcome.ABSENT))

    # What a stream calls.

    def joined(self, stream: AudioStream) -> Outcome | None:
        """A connection was accepted; an outcome refuses it."""
        self.stats.accepted += 1
        self._streams.add(stream)
        self.stats.open = len(self._streams)
        if self.closing:
            return Outcome.CLOSING
        # twice: those that have not said who they are must not keep out those who were announced
        return Outcome.NO_ROOM if len(self._streams) > 2 * self.limits.max_streams else None

    def claim(self, ident: uuid.UUID) -> Session | None:
        """Whom this UUID was announced for; it is good once."""
        session, timer = self._announced.pop(ident, (None, None))
        if timer is not None:
            timer.cancel()
        return session

    def dropped(self, seconds: float) -> None:
        """Audio was dropped."""
        self.stats.dropped_s += seconds

    def left(self, stream: AudioStream, outcome: Outcome) -> None:
        """The connection has come to its outcome."""
        self._streams.discard(stream)
        self.stats.open = len(self._streams)
        self._count(outcome, stream.peer)

    def _count(self, outcome: Outcome, peer: str) -> None:
        """Count an outcome; one that is not ordinary is worth a line in the log, a few a second at most."""
        self.stats.ended[outcome] += 1
        second = int(asyncio.get_running_loop().time())
        last, lines = self._lines.get(outcome, (second, 0))
        lines = lines + 1 if last == second else 1
        self._lines[outcome] = (second, lines)
        if outcome not in _ORDINARY and lines <= _LINES_A_SECOND:
            log.warning("audio stream ended outcome=%s peer=%s", outcome.value, peer)

    def told(self, call: Callable[[], None]) -> bool:
        """Call a session; False when it raised."""
        try:
            call()
        except Exception as error:  # a session's fault is its own stream's alone
            log.error("audio session failed error=%s", printable(repr(error)))
            return False
        return True
