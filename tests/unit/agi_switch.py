"""A switch as a test needs it: speaks AGI over real TCP, and keeps the channel variables that it was told to set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from agi.server import AgiCall, Entry, Exchange, Failure, Limits, Route, RunningServer, serve

ALLOWED = {"GATE_VERDICT": "ALLOW", "GATE_PERMIT": "0123456789abcdef0123456789abcdef", "GATE_REASONS": ""}
REFUSED = {"GATE_VERDICT": "REFUSE", "GATE_REASONS": "GATE_UNAVAILABLE"}
OK = b"200 result=0\n"

# Long enough that no machine reaches them in a test that is not about time, and short for those that are.
PATIENT = Limits(deadline_s=30, grace_s=30)
HASTY = Limits(deadline_s=0.2, grace_s=0.1)


def request(script: str = "outbound", *args: str, **more: str) -> bytes:
    """A header block as Asterisk 22 sends it."""
    headers = {
        "agi_network": "yes",
        "agi_network_script": script,
        "agi_request": f"agi://127.0.0.1/{script}",
        "agi_channel": "PJSIP/agent-00000012",
        "agi_language": "en",
        "agi_type": "PJSIP",
        "agi_uniqueid": "1790000000.123",
        "agi_version": "22.10.1",
        "agi_callerid": "+861012345678",
        "agi_calleridname": "Sales: North",
        "agi_callingpres": "0",
        "agi_dnid": "unknown",
        "agi_context": "heedline-gate",
        "agi_extension": "s",
        "agi_priority": "5",
        "agi_enhanced": "0.0",
        "agi_accountcode": "",
        "agi_threadid": "139871234567",
        **more,
        **{f"agi_arg_{index}": value for index, value in enumerate(args, 1)},
    }
    return "".join(f"{name}: {value}\n" for name, value in headers.items()).encode() + b"\n"


async def allow(_: AgiCall) -> Mapping[str, str]:
    """The route that lets everything through: what a failure must never look like."""
    return ALLOWED


@dataclass
class Switch:
    """One AGI connection, seen from Asterisk."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    variables: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    async def say(self, data: bytes) -> None:
        """Send; a server that has closed already is no error."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def command(self) -> str:
        """The next command, obeyed but not yet answered; empty when the server has closed."""
        try:
            line = (await self.reader.readline()).decode()
        except ConnectionError:
            return ""
        if line:
            assert line.startswith("EXEC MSet "), line
            assert line.endswith("\n"), line
            self.commands.append(line)
            for name, _, value in (pair.partition("=") for pair in line[10:-1].split(",")):
                self.variables[name] = value
        return line

    async def obey(self, result: bytes = OK) -> dict[str, str]:
        """Obey and answer every command until the server closes; the channel's variables then."""
        while await self.command():
            if result:
                await self.say(result)
        return self.variables

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@dataclass
class Lab:
    """A running server, and what its hook was told."""

    server: RunningServer
    outcomes: asyncio.Queue[Exchange] = field(default_factory=asyncio.Queue)

    @asynccontextmanager
    async def switch(self, data: bytes = b"") -> AsyncIterator[Switch]:
        """A connection that has sent these bytes."""
        switch = Switch(*await asyncio.open_connection("127.0.0.1", self.server.port))
        try:
            await switch.say(data)
            yield switch
        finally:
            await switch.close()

    async def call(self, data: bytes) -> dict[str, str]:
        """A whole AGI session: the channel's variables when it is over."""
        async with self.switch(data) as switch:
            return await switch.obey()

    async def failure(self) -> Failure | None:
        """How the next connection to end has ended."""
        return (await self.outcomes.get()).failure


@asynccontextmanager
async def lab(routes: Mapping[str, Entry | Route] | Entry = allow, limits: Limits = PATIENT) -> AsyncIterator[Lab]:
    """A server on loopback. At the end every connection is accounted for, and no route is left."""
    served = routes if isinstance(routes, Mapping) else {"outbound": routes}
    outcomes: asyncio.Queue[Exchange] = asyncio.Queue()
    server = await serve("127.0.0.1", 0, served, limits=limits, on_outcome=outcomes.put_nowait)
    async with server:
        yield Lab(server, outcomes)
    stats = server.stats
    assert stats.accepted == stats.answered + sum(stats.refused.values())
    assert (stats.connections, stats.in_progress) == (0, 0)


def on_both_loops(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test on asyncio's loop and on uvloop's, which the product uses: their transports differ at the ends of
    connections. No task may be left and nothing may have reached the loop's exception handler."""

    @pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    def run(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        strays: list[dict[str, Any]] = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(context))
            async with asyncio.timeout(120):  # what hangs should say where
                await test()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(watched())
        assert strays == []

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run
