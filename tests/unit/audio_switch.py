"""A switch's AudioSocket, over real TCP, and a session that remembers."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agi.audio import AudioLimits, AudioServer, AudioStream, Outcome

FRAME = bytes(range(1, 161)) * 2
PATIENT = AudioLimits(arrival_s=60, identify_s=60)


def frame(kind: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """One frame; `length` lies about its payload."""
    return bytes([kind]) + (len(payload) if length is None else length).to_bytes(2, "big") + payload


def audio(pcm: bytes = FRAME) -> bytes:
    """A frame of audio."""
    return frame(0x10, pcm)


@dataclass
class Memory:
    """A session that keeps what it was told."""

    pcm: bytearray = field(default_factory=bytearray)
    keys: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    stream: AudioStream | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    keyed: asyncio.Event = field(default_factory=asyncio.Event)

    def begun(self, stream: AudioStream) -> None:
        self.stream = stream
        self.came.set()

    def audio(self, pcm: bytes) -> None:
        self.pcm += pcm

    def key(self, digit: str) -> None:
        self.keys.append(digit)
        self.keyed.set()

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.over.set()


class Broken(Memory):
    """A session that raises on audio."""

    def audio(self, pcm: bytes) -> None:
        raise ValueError("no\nline")


@dataclass
class Line:
    """One connection, seen from the switch."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *frames: bytes) -> None:
        """Send; a server that has closed already is no error."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(b"".join(frames))
            await self.writer.drain()

    async def hear(self) -> tuple[int, bytes] | None:
        """The next frame from the service; None when it has closed."""
        try:
            head = await self.reader.readexactly(3)
            return head[0], await self.reader.readexactly(int.from_bytes(head[1:], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def ended(self) -> None:
        """Wait until the service has closed."""
        while await self.hear() is not None:
            pass


@asynccontextmanager
async def connected(server: AudioServer, ident: uuid.UUID | None = None) -> AsyncIterator[Line]:
    """A connection, which has said its UUID if one is given."""
    line = Line(*await asyncio.open_connection("127.0.0.1", server.port))
    try:
        if ident is not None:
            await line.say(frame(0x01, ident.bytes))
        yield line
    finally:
        line.writer.close()
        with contextlib.suppress(ConnectionError):
            await line.writer.wait_closed()


@asynccontextmanager
async def streaming(server: AudioServer, session: Memory) -> AsyncIterator[Line]:
    """A connection whose stream was announced and has begun."""
    ident = server.announce(session)
    assert ident is not None
    async with connected(server, ident) as line:
        await session.came.wait()
        yield line


def books(server: AudioServer) -> Iterator[Outcome]:
    """The outcomes that were counted, each as often as it was."""
    for outcome, count in server.stats.ended.items():
        yield from [outcome] * count
