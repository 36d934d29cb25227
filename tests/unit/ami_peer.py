"""A manager interface that does what a test tells it: over real TCP, with every frame that it got kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from agi.ami import Address, Ami

Frame = dict[str, str]
Answer = Callable[["Peer", Frame], bytes | None]

BANNER = b"Asterisk Call Manager/9.0.0\r\n"


def packet(**headers: str) -> bytes:
    """One frame on the wire."""
    return "".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode() + b"\r\n"


def success(_: Peer, frame: Frame) -> bytes:
    """Say yes to everything."""
    return packet(Response="Success", ActionID=frame["ActionID"], Message="so be it")


class Peer:
    """Listens on loopback; `answer` makes the reply to each frame (None: stay silent)."""

    def __init__(self, answer: Answer = success, banner: bytes = BANNER) -> None:
        self.answer, self.banner = answer, banner
        self.frames: list[Frame] = []
        self.logins = 0
        self._came = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.vanish()

    async def listen(self) -> None:
        """Open the port; the same one as before when it was open already."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """Close every connection; the port stays open."""
        for writer in list(self._writers):
            writer.transport.abort()

    def send(self, data: bytes) -> None:
        """Write to every connection."""
        for writer in self._writers:
            writer.write(data)

    async def got(self, action: str, times: int = 1) -> Frame:
        """Wait until so many frames with this action have come; the last of them."""
        async with self._came, asyncio.timeout(10):
            await self._came.wait_for(lambda: len(self.of(action)) >= times)
        return self.of(action)[-1]

    def of(self, action: str) -> list[Frame]:
        """The frames with this action."""
        return [frame for frame in self.frames if frame.get("Action") == action]

    def ami(self, **timing: float) -> Ami:
        """A connection to this peer, with waits that suit a test."""
        address = Address("pbx", "127.0.0.1", self.port, "heedline", "s3cret")
        return Ami(address, **{"first_wait_s": 0.01, "longest_wait_s": 0.05, "patience_s": 5.0, **timing})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            writer.write(self.banner)
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                lines = [line.partition(": ") for line in raw.decode().split("\r\n") if line]
                frame = {key: value for key, _, value in lines}
                reply = self.answer(self, frame)
                async with self._came:
                    self.frames.append(frame)
                    self._came.notify_all()
                if reply is not None:
                    writer.write(reply)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
