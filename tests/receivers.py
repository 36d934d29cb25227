"""Receivers of webhooks on loopback: real HTTP servers, well-behaved and other."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Received:
    """One request; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]
"""What a receiver does when it has read a request; the connection is closed afterwards."""


@dataclass
class Receiver:
    """What came, and what is done about it; `behave` may be changed at any time."""

    port: int
    behave: Behaviour
    received: list[Received] = field(default_factory=list)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Where it is."""
        return f"{scheme}://{host}:{self.port}{path}"


def answering(status: int, body: bytes = b"", *headers: str) -> Behaviour:
    """A whole answer."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", "Connection: close", *headers]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)

    return behave


def saying(data: bytes) -> Behaviour:
    """These bytes, and the connection is closed."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other; the last for good."""
    left = list(behaviours)

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(received, writer)

    return behave


def dripping(head: bytes, pause_s: float = 0.02) -> Behaviour:
    """A byte now and then, for ever: no wait between two bytes is long."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        for byte in head:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_s)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(pause_s)

    return behave


def endless(receiver: Receiver, head: bytes, chunk: bytes) -> Behaviour:
    """As many bytes as are taken, counted in `receiver.sent`."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()
            receiver.sent += len(chunk)

    return behave


def holding(until: asyncio.Event, then: Behaviour) -> Behaviour:
    """No answer before an event."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        await until.wait()
        await then(received, writer)

    return behave


@contextlib.asynccontextmanager
async def receiver(behave: Behaviour | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that is up; by default it answers 200 to everything."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            received = await _read(reader)
            found.received.append(received)
            found.arrival.set()
            await found.behave(received, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client has gone, or the test has ended
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    found = Receiver(server.sockets[0].getsockname()[1], behave or answering(200))
    try:
        yield found
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
    return Received(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
