"""The FastAGI server: one request a connection, one command an answer, and a refusal in every other case.

`FastAgi` is panoramisk's `Application` with its routes, on connections that are bounded in size, time and number
(`agi.wire`). A route returns channel variables; the server alone writes them, and only before the deadline. Whatever
goes wrong, the route's fallback variables are set instead, and the connection closes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import Self, cast

from panoramisk.fast_agi import Application, Request

from agi.dialplan.variables import GATE_REASONS, GATE_VERDICT
from agi.journal import Journal, ServerStats, peer_name
from agi.wire import Failure, HeaderFault, Limits, Phase, Wire, parse_header, set_command
from dialer.verdict import Outcome, Reason

__all__ = [
    "REFUSAL",
    "AgiCall",
    "Entry",
    "Exchange",
    "Failure",
    "FastAgi",
    "Limits",
    "Route",
    "RunningServer",
    "ServerStats",
    "serve",
]

_log = logging.getLogger("heedline.agi")

#: What a channel is told when the route could not answer.
REFUSAL: Mapping[str, str] = MappingProxyType(
    {GATE_VERDICT: Outcome.REFUSE.value, GATE_REASONS: Reason.GATE_UNAVAILABLE.value}
)


class AgiCall(Request):  # type: ignore[misc] # panoramisk ships no types
    """One request, as its route sees it. Every text in it is hostile.

    `headers` are the `agi_` lines; `deadline` is in the loop's time. A route answers with variables and may `ask`:
    `send_command` is the server's, and raises `RuntimeError` before the route has returned.
    """

    headers: Mapping[str, str]
    reader: Wire
    answer: Mapping[str, str] | None = None
    endpoint: _Endpoint

    @property
    def deadline(self) -> float:
        """Loop time by which the answer must be written."""
        return self.reader.deadline

    @property
    def route(self) -> str:
        """The path of the URL, without its first slash."""
        return self.headers["agi_network_script"]

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments after the URL, up to the first number that is missing."""
        found: list[str] = []
        while (value := self.headers.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value)
        return tuple(found)

    @property
    def channel(self) -> str:
        """Name of the channel, empty when absent."""
        return self.headers.get("agi_channel", "")

    @property
    def uniqueid(self) -> str:
        """The channel's unique id, empty when absent."""
        return self.headers.get("agi_uniqueid", "")

    @property
    def callerid(self) -> str:
        """The caller ID number; empty when absent, for which Asterisk writes `unknown`."""
        text = self.headers.get("agi_callerid", "")
        return "" if text == "unknown" else text

    @property
    def peer(self) -> str:
        """Address of the switch that asks, `host:port`."""
        return peer_name(self.reader)

    async def ask(self, expressions: Sequence[str], patience_s: float) -> list[bytes] | None:
        """See `Wire.ask`."""
        return await self.reader.ask(expressions, patience_s)


Entry = Callable[[AgiCall], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Route:
    """An entry point, and what is set when it does not answer.

    `entry` is an `async def`; it is cancelled at the deadline. With `outlives_hangup` it is not cancelled when the
    channel hangs up or the switch goes away: for entries that record what must not be lost.
    """

    entry: Entry
    fallback: Mapping[str, str] = field(default_factory=lambda: REFUSAL)
    outlives_hangup: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """One connection when it is over.

    `call` None: there was no header block that could be read. `answer` is what the route returned, whether it was sent
    or not. Exactly when `failure` is None, the PBX acknowledged the answer; otherwise it did not count, and what it
    promised (a permit) can be taken back. `acknowledged`: the last command, answer or fallback, was acknowledged.
    """

    call: AgiCall | None
    answer: Mapping[str, str] | None
    failure: Failure | None
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class _Endpoint:
    entry: Entry
    fallback: str
    outlives_hangup: bool


class FastAgi(Application):  # type: ignore[misc] # panoramisk ships no types
    """panoramisk's application, hardened. Construct it inside a running loop.

    `on_outcome` is told of each connection when it is over; it must return at once.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, limits: Limits, on_outcome: Callable[[Exchange], None] | None = None) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.limits = limits
        self.stats = ServerStats()
        self.closing = False
        self.empty = asyncio.Event()
        self.empty.set()
        self.wires: dict[Wire, AgiCall | None] = {}
        self._on_outcome = on_outcome
        self._deadlines: dict[Wire, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._endpoints: dict[str, _Endpoint] = {}
        self._fallback = set_command(REFUSAL)
        self._journal = Journal(self.stats)

    def add_route(self, path: str, endpoint: Entry | Route) -> None:
        """Serve `agi://host/path`.

        Raises `ValueError` for a path that is taken or a fallback that allows or cannot be set, `TypeError` for an
        entry that is no `async def`.
        """
        route = endpoint if isinstance(endpoint, Route) else Route(endpoint)
        if not asyncio.iscoroutinefunction(route.entry):
            raise TypeError(f"the entry of route `{path}` is no coroutine function")
        if Outcome.ALLOW.value in route.fallback.values():
            raise ValueError(f"the fallback of route `{path}` allows")
        fallback = set_command(route.fallback)
        super().add_route(path, route.entry)
        self._endpoints[path] = _Endpoint(route.entry, fallback, route.outlives_hangup)

    def del_route(self, path: str) -> None:
        """Serve it no more. Raises `ValueError` for a path that is not served."""
        super().del_route(path)
        del self._endpoints[path]

    def wire(self) -> Wire:
        """A protocol for one connection: the factory for `create_server`."""
        return Wire(self, self._fallback)

    async def handler(self, reader: Wire, writer: Wire) -> None:
        """The life of a request whose header block is whole: run the route, send its answer."""
        call = cast("AgiCall", self.wires[reader])
        try:
            if await self._run_route(reader, call):
                await self._send_answer(reader, call)
        finally:
            self.stats.in_progress -= 1
            reader.ended()

    async def _run_route(self, wire: Wire, call: AgiCall) -> bool:
        """True when the route has left an answer in `call`."""
        if wire.phase is not Phase.ROUTE and not (wire.outlives_hangup and wire.failure is Failure.CLOSED):
            return False
        wire.cancellable = True
        try:
            call.answer = await call.endpoint.entry(call)
        except asyncio.CancelledError:
            if wire.phase is Phase.ROUTE:  # not the wire's doing: the loop is being stopped
                wire.refuse(Failure.CLOSING)
                raise
            return False
        except Exception as error:
            self._journal.fault(wire, call.headers, error)
            wire.refuse(Failure.FAULT)
            return False
        finally:
            wire.cancellable = False
        return True

    async def _send_answer(self, wire: Wire, call: AgiCall) -> None:
        try:
            command = set_command(call.answer or {})
        except (AttributeError, TypeError, ValueError) as error:
            self._journal.fault(wire, call.headers, error)
            wire.refuse(Failure.FAULT)
            return
        if not wire.open():
            return
        if await _acknowledged(call, command) and wire.phase is Phase.SENT:
            self.stats.answered += 1
            wire.finish()
        else:
            wire.refuse(Failure.UNACKNOWLEDGED)

    # What a wire calls: the methods of `agi.wire.Desk`.

    def joined(self, wire: Wire) -> Failure | None:
        """Count a connection; one too many is refused."""
        self.stats.accepted += 1
        full = len(self.wires) >= self.limits.max_connections
        self.wires[wire] = None
        self.stats.connections = len(self.wires)
        self.empty.clear()
        self._deadlines[wire] = wire.deadline
        if self._timer is None:
            self._timer = self.loop.call_at(wire.deadline, self._expire)
        if self.closing:
            return Failure.CLOSING
        return Failure.NO_ROOM if full else None

    def requested(self, wire: Wire, block: bytes) -> None:
        """Find the route of a header block and begin it, or refuse."""
        try:
            headers = parse_header(block)
            call = AgiCall(self, headers, wire, wire)
            endpoint = self._endpoints.get(headers["agi_network_script"])
        except HeaderFault as fault:
            wire.refuse(fault.failure)
            return
        except KeyError:
            wire.refuse(Failure.MALFORMED)
            return
        self.wires[wire] = call
        if endpoint is None:
            wire.refuse(Failure.NO_ROUTE)
            return
        call.endpoint = endpoint
        wire.fallback = endpoint.fallback
        wire.outlives_hangup = endpoint.outlives_hangup
        if self.stats.in_progress >= self.limits.max_concurrent:
            wire.refuse(Failure.OVERLOAD)
            return
        self.stats.in_progress += 1
        wire.task = self.loop.create_task(self.handler(wire, wire))

    def refused(self, wire: Wire, failure: Failure) -> None:
        """Count a failure and write of it in the log."""
        self.stats.refused[failure] += 1
        call = self.wires.get(wire)
        self._journal.refusal(wire, call.headers if call else None, failure)

    def left(self, wire: Wire) -> None:
        """The connection is over."""
        call = self.wires.pop(wire, None)
        self._deadlines.pop(wire, None)
        self.stats.connections = len(self.wires)
        if not self.wires:
            self.empty.set()
        if self._on_outcome is None:
            return
        try:
            self._on_outcome(Exchange(call, call.answer if call else None, wire.failure, wire.acknowledged))
        except Exception as error:
            self._journal.fault(wire, call.headers if call else None, error)

    def stop(self) -> None:
        """Forget the timer, when no connection is to come."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        """End what has reached its deadline.

        Deadlines come in the order of the accepts, so one timer, set to the oldest connection's, serves all; it seldom
        fires, for most connections are gone long before.
        """
        now = monotonic()
        while self._deadlines:
            wire, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                self._timer = self.loop.call_at(deadline, self._expire)
                return
            del self._deadlines[wire]
            wire.expired()
        self._timer = None


async def _acknowledged(call: AgiCall, command: str) -> bool:
    """Send the command; whether Asterisk then said `200 result=0`."""
    try:
        result = await call.send_command(command)
    except (OSError, ValueError):  # a lost connection; panoramisk raises ValueError for a line without a code
        return False
    return bool(result.get("status_code") == 200 and result["result"][0] == "0")


class RunningServer:
    """A server that listens; as an async context manager it is closed at the end."""

    def __init__(self, app: FastAgi, listener: asyncio.AbstractServer, port: int) -> None:
        self._app = app
        self._listener = listener
        self.port = port

    @property
    def stats(self) -> ServerStats:
        """Live counters."""
        return self._app.stats

    async def close(self) -> None:
        """Stop accepting, let the requests in progress end within their deadline, then cut what is left."""
        app = self._app
        app.closing = True
        self._listener.close()
        limits = app.limits
        try:
            # an answer just before the deadline has a grace for its result, and so has the refusal that follows
            await asyncio.wait_for(app.empty.wait(), limits.deadline_s + 3 * limits.grace_s)
        except TimeoutError:
            await self._cut()
        app.stop()
        await self._listener.wait_closed()

    async def _cut(self) -> None:
        tasks = [wire.task for wire in self._app.wires if wire.task is not None]
        for wire in list(self._app.wires):
            wire.cut()
        if tasks:
            await asyncio.wait(tasks, timeout=self._app.limits.grace_s)
        left = sum(not task.done() for task in tasks)
        if left:
            _log.error("agi stop routes_still_running=%d", left)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def serve(
    host: str,
    port: int,
    routes: Mapping[str, Entry | Route],
    *,
    limits: Limits | None = None,
    on_outcome: Callable[[Exchange], None] | None = None,
    reuse_port: bool = False,
    backlog: int = 1024,
) -> RunningServer:
    """Listen; `port` 0 takes a free one. `reuse_port` lets several processes share one port (SO_REUSEPORT).

    Raises `OSError` when the address cannot be had, and what `FastAgi.add_route` raises.
    """
    app = FastAgi(limits or Limits(), on_outcome)
    for path, route in routes.items():
        app.add_route(path, route)
    listener = await app.loop.create_server(app.wire, host, port, backlog=backlog, reuse_port=reuse_port or None)
    return RunningServer(app, listener, listener.sockets[0].getsockname()[1])
