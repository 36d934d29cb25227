"""A small AMI client: enough to boot a switch of our own, run its command line and place test calls.

The product's own AMI connection, which reconnects and follows attempts, is not this.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping

from dialer.errors import HeedlineError

Packet = dict[str, str]
Predicate = Callable[[Packet], bool]


class ManagerError(HeedlineError):
    """The switch refused an action, or the connection ended."""


class Manager:
    """One AMI connection. All events are kept in `events`, oldest first; `expect` awaits one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[Packet] = []
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._responses: dict[str, asyncio.Future[Packet]] = {}
        self._waiters: list[tuple[Predicate, asyncio.Future[Packet]]] = []
        self._task = asyncio.ensure_future(self._read())

    @classmethod
    async def connect(cls, address: str, port: int, user: str, secret: str, events: str = "on") -> Manager:
        """Log in. OSError when nobody listens, ManagerError when the login is refused."""
        manager = cls(*await asyncio.open_connection(address, port, limit=2**22))
        try:
            await manager.action("Login", {"Username": user, "Secret": secret, "Events": events})
        except BaseException:
            await manager.close()
            raise
        return manager

    async def action(self, name: str, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Packet:
        """Send one action and return its response; ManagerError when it says `Error`."""
        ident = f"heedline-{next(self._ids)}"
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        lines = [f"Action: {name}", f"ActionID: {ident}", *(f"{key}: {value}" for key, value in pairs)]
        if any("\r" in line or "\n" in line or "\0" in line for line in lines):
            raise ManagerError("a field of an AMI action holds a line break")
        if self._task.done():
            raise ManagerError("the AMI connection is closed")
        answer: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self._responses[ident] = answer
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        packet = await answer
        if packet["Response"] == "Error":
            raise ManagerError(packet.get("Message") or packet.get("Output", "refused"))
        return packet

    async def command(self, line: str) -> str:
        """Run one line of Asterisk's own command line; its output."""
        return (await self.action("Command", {"Command": line})).get("Output", "")

    async def expect(self, predicate: Predicate, within: float) -> Packet:
        """The first event, past or to come, that fits; TimeoutError after `within` seconds."""
        for packet in self.events:
            if predicate(packet):
                return packet
        waiter: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self._waiters.append((predicate, waiter))
        async with asyncio.timeout(within):
            return await waiter

    async def originate(self, fields: Iterable[tuple[str, str]], within: float) -> Packet:
        """Place a call (`Async: true` among the fields) and return its OriginateResponse event."""
        answer = await self.action("Originate", fields)
        ident = answer["ActionID"]
        return await self.expect(
            lambda event: event.get("Event") == "OriginateResponse" and event.get("ActionID") == ident, within
        )

    async def close(self) -> None:
        """End the connection; idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    async def _read(self) -> None:
        try:
            await self._reader.readline()  # the banner
            while True:
                self._dispatch(_parse(await self._reader.readuntil(b"\r\n\r\n")))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            waiters = [waiter for _, waiter in self._waiters]
            for future in [*self._responses.values(), *waiters]:
                if not future.done():
                    future.set_exception(ManagerError("the AMI connection ended"))

    def _dispatch(self, packet: Packet) -> None:
        if "Event" not in packet:  # the event OriginateResponse has a `Response` too
            answer = self._responses.pop(packet.get("ActionID", ""), None)
            if answer and not answer.done():
                answer.set_result(packet)
            return
        self.events.append(packet)
        for entry in list(self._waiters):
            predicate, waiter = entry
            if waiter.done() or predicate(packet):
                self._waiters.remove(entry)
                if not waiter.done():
                    waiter.set_result(packet)


def _parse(raw: bytes) -> Packet:
    """One packet; keys that repeat (`Output`) are joined by a line break."""
    packet: Packet = {}
    for line in raw.decode("utf-8", "replace").split("\r\n"):
        key, separator, value = line.partition(":")
        if separator:
            value = value.removeprefix(" ")
            packet[key] = f"{packet[key]}\n{value}" if key in packet else value
    return packet
