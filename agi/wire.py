"""One FastAGI connection: a bounded header block, then lines; and what may be written, and when.

Asterisk connects, sends `agi_name: value` lines up to a blank line, then answers each command with a line. `Wire` is an
`asyncio.Protocol` in the shape of a stream reader and writer, so that panoramisk's `Request` works on it. A task begins
only when the header block is whole: silent and slow peers cost a buffer.

A wire goes through its phases in one direction. A verdict can be written in SENT alone, once; a refusal may follow any
phase, and after it nothing is written. That is what makes the server fail closed.

    HEADER -> ROUTE -> SENT -> CLOSED
       `--------`-------`----> REFUSED -> CLOSED
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from time import monotonic
from typing import Protocol, cast

from agi.question import Question

_BLANK_LINE = b"\n\n"
_HANGUP = b"HANGUP\n"
_ASSIGNMENT = r"_{0,2}[A-Z][A-Z0-9_]*=[A-Za-z0-9_:+.\-]*"
_ASSIGNMENTS = re.compile(f"{_ASSIGNMENT}(?:,{_ASSIGNMENT})*")

# Asterisk 22: MSet takes 24 pairs, and res_agi reads a command into 2048 bytes.
_MAX_VARIABLES = 24
_MAX_COMMAND = 2000
_MAX_LINE = 4096


class Failure(StrEnum):
    """Why a request got no acknowledged answer of its route; closed."""

    NO_ROOM = "no_room"  # more connections than `max_connections`
    OVERLOAD = "overload"  # more requests in progress than `max_concurrent`
    CLOSING = "closing"  # the server is being stopped
    SLOW = "slow"  # no blank line before the deadline
    OVERSIZE = "oversize"  # a header block over `max_header_bytes`
    MALFORMED = "malformed"  # a line that is no `agi_name: value`, or no agi_network_script
    DUPLICATE = "duplicate"  # a key twice: some value holds a line break
    ENCODING = "encoding"  # not UTF-8
    NO_ROUTE = "no_route"  # agi_network_script names none
    UNASKED = "unasked"  # text after the blank line that nobody asked for
    HANGUP = "hangup"  # the channel hung up before the answer
    CLOSED = "closed"  # the peer closed, or the connection broke
    DEADLINE = "deadline"  # the route had no answer in time
    FAULT = "fault"  # the route raised, or answered what cannot be set
    UNACKNOWLEDGED = "unacknowledged"  # no `200 result=0` to the answer


class HeaderFault(ValueError):
    """A header block that is none; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"header block is {failure.value}")
        self.failure = failure


class Phase(Enum):
    """How far a connection has come."""

    HEADER = 0  # the header block is being read
    ROUTE = 1  # the route is at work; nothing may be written
    SENT = 2  # the route's answer is written, its result awaited
    REFUSED = 3  # the fallback is written, its result awaited
    CLOSED = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server.

    `deadline_s` is counted from the accept to the answer. `grace_s` is how long the PBX's result line is awaited after
    the deadline, or after a refusal. Both are seconds.
    """

    deadline_s: float = 0.8
    grace_s: float = 0.2
    max_header_bytes: int = 16 * 1024
    max_concurrent: int = 512
    max_connections: int = 2048


def parse_header(block: bytes) -> dict[str, str]:
    """The header block, without its blank line -> names and values; the values are hostile text.

    Raises `HeaderFault`. A key that occurs twice, or a line that is no header, shows that some value holds a line
    break: which lines are the PBX's own cannot be known then, so the block is refused as a whole.
    """
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        raise HeaderFault(Failure.ENCODING) from None
    lines = text.split("\n")
    try:
        headers = {name: value for name, value in [line.split(": ", 1) for line in lines]}  # noqa: C416 - types
    except ValueError:
        raise HeaderFault(Failure.MALFORMED) from None
    if text.count("\nagi_") != len(lines) - 1 or not text.startswith("agi_"):
        raise HeaderFault(Failure.MALFORMED)
    if len(headers) != len(lines):
        raise HeaderFault(Failure.DUPLICATE)
    return headers


def set_command(variables: Mapping[str, str]) -> str:
    """The one command that sets every variable.

    Raises `ValueError` unless there is at least one, every name is a channel variable's, every value holds
    `[A-Za-z0-9_:+.-]` alone, and Asterisk takes the command whole: a programming error in a route, never a caller's.
    """
    assignments = ",".join([f"{name}={value}" for name, value in variables.items()])
    # as many `=` as variables: no name or value brings another assignment with it
    alone = assignments.count("=") == len(variables) <= _MAX_VARIABLES
    if not alone or len(assignments) > _MAX_COMMAND or not _ASSIGNMENTS.fullmatch(assignments):
        raise ValueError(f"these cannot be set on a channel: `{assignments[:200]!a}`")
    return f"EXEC MSet {assignments}"


class Desk(Protocol):
    """What a wire needs of its server. Every method returns at once."""

    loop: asyncio.AbstractEventLoop
    limits: Limits

    def joined(self, wire: Wire) -> Failure | None:
        """A connection was accepted; a failure refuses it. At its deadline the desk calls `expired`."""

    def requested(self, wire: Wire, block: bytes) -> None:
        """The header block is whole: begin the route, or refuse."""

    def refused(self, wire: Wire, failure: Failure) -> None:
        """The request failed; told once for each wire."""

    def left(self, wire: Wire) -> None:
        """The connection is closed and the route has ended; told once, last."""


class Wire(asyncio.Protocol):
    """One connection.

    `deadline` is in the loop's time. `fallback` is the command that refuses. `outlives_hangup`: the route is not
    cancelled when the channel hangs up or the peer closes. `acknowledged`: the last command had its `200 result=0`.
    """

    transport: asyncio.Transport
    deadline: float

    def __init__(self, desk: Desk, fallback: str) -> None:
        self._desk = desk
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._question: Question | None = None
        self._ignored = 0
        self._lost = False
        self.phase = Phase.HEADER
        self.fallback = fallback
        self.outlives_hangup = False
        self.hung_up = False
        self.acknowledged = False
        self.failure: Failure | None = None
        self.task: asyncio.Task[None] | None = None
        self.cancellable = False

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.deadline = self._desk.loop.time() + self._desk.limits.deadline_s
        failure = self._desk.joined(self)
        if failure is not None:
            self.refuse(failure)
            self._close()

    def data_received(self, data: bytes) -> None:
        if self._question is not None:
            data = self._question.feed(data)
            if self._question.over:
                self._question = None
            if not data:
                return
        if self.phase is Phase.HEADER:
            self._read_header(data)
        elif self.phase is Phase.SENT:
            self._read_result(data)
        elif self.phase is Phase.ROUTE:
            self._read_unasked(data)
        elif self.phase is Phase.REFUSED:
            self._read_after_refusal(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self.phase in (Phase.HEADER, Phase.ROUTE, Phase.SENT):
            self._fail(Failure.CLOSED, Phase.CLOSED)
        self.phase = Phase.CLOSED
        if self.task is None:
            self._leave()

    # What panoramisk's Request calls.

    def write(self, data: bytes) -> None:
        """Write a command; only the server writes, and only between `open` and the result."""
        if self.phase is not Phase.SENT:
            raise RuntimeError("a route answers with variables and writes nothing itself")
        self.transport.write(data)

    async def drain(self) -> None:
        """Nothing to wait for: one short command fits in any socket's buffer."""

    async def readline(self) -> bytes:
        """The next line that is not HANGUP. Raises `ConnectionError` when none can come."""
        while True:
            while (end := self._buffer.find(b"\n") + 1) == 0:
                await self._more()
            line = bytes(self._buffer[:end])
            del self._buffer[:end]
            if line != _HANGUP:
                return line
            self.hung_up = True

    # What a route calls.

    async def ask(self, expressions: Sequence[str], patience_s: float) -> list[bytes] | None:
        """What the channel says of these dialplan functions or variables (see `Question`), hostile bytes each; None
        when it does not say so in time.

        An answer that comes late is dropped: it never counts as the result of another command.
        """
        if self.phase is not Phase.ROUTE or self._question is not None:
            return None
        question = self._question = Question(expressions)
        self.transport.write(question.command)
        try:
            async with asyncio.timeout(patience_s):
                return await question.told
        except TimeoutError:
            return None

    # What the server calls.

    def open(self) -> bool:
        """Let the route's answer through, or refuse because it is late. False: it must be dropped."""
        if self.phase is not Phase.ROUTE:
            return False
        # not loop.time(): uvloop's stands still while a process is stopped or a callback blocks
        if monotonic() >= self.deadline:
            self.refuse(Failure.DEADLINE)
            return False
        self.phase = Phase.SENT
        return True

    def finish(self) -> None:
        """The answer was acknowledged: close."""
        self.acknowledged = True
        self._close()

    def refuse(self, failure: Failure) -> None:
        """Set the fallback variables in place of any answer, and stop the route."""
        if self.phase in (Phase.REFUSED, Phase.CLOSED):
            return
        self._buffer.clear()
        self.transport.write(self.fallback.encode() + b"\n")
        self._allow_grace(self.cut)
        self._fail(failure, Phase.REFUSED)

    def cut(self) -> None:
        """End the connection now, whatever is still to be written."""
        self.transport.abort()
        self._stop_route()

    def ended(self) -> None:
        """The route's task has ended."""
        self.task = None
        if self._lost:
            self._leave()

    def expired(self) -> None:
        """The deadline has come."""
        if self.phase is Phase.HEADER:
            self.refuse(Failure.SLOW)
        elif self.phase is Phase.ROUTE:
            self.refuse(Failure.DEADLINE)
        elif self.phase is Phase.SENT:
            self._allow_grace(lambda: self.refuse(Failure.UNACKNOWLEDGED))
        else:
            self._stop_route()

    def _close(self) -> None:
        self.phase = Phase.CLOSED
        self.transport.close()

    def _leave(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        self._desk.left(self)

    def _allow_grace(self, then: Callable[[], None]) -> None:
        if self._grace is not None:
            self._grace.cancel()
        self._grace = self._desk.loop.call_later(self._desk.limits.grace_s, then)

    def _fail(self, failure: Failure, phase: Phase) -> None:
        self.failure = failure
        self.phase = phase
        if self._question is not None and not self._question.told.done():
            self._question.told.set_result(None)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError(failure.value))
        if failure not in (Failure.HANGUP, Failure.CLOSED) or not self.outlives_hangup:
            self._stop_route()
        self._desk.refused(self, failure)

    def _stop_route(self) -> None:
        # a task that has not begun must not be cancelled: its own clean-up would not run
        if self.cancellable and self.task is not None:
            self.task.cancel()

    # Reading, by phase.

    def _read_header(self, data: bytes) -> None:
        buffer = self._buffer
        end = data.find(_BLANK_LINE) if not buffer else -1
        if end < 0:
            searched = max(0, len(buffer) - 1)
            buffer += data
            end = buffer.find(_BLANK_LINE, searched)
            data = bytes(buffer) if end >= 0 else b""
        limit = self._desk.limits.max_header_bytes
        if end > limit or (end < 0 and len(buffer) > limit + len(_BLANK_LINE)):
            self.refuse(Failure.OVERSIZE)
        elif end >= 0:
            self._begin(data[:end], data[end + len(_BLANK_LINE) :])

    def _begin(self, block: bytes, rest: bytes) -> None:
        self._buffer.clear()
        self.phase = Phase.ROUTE
        self._desk.requested(self, block)
        if rest:
            self.data_received(rest)

    def _read_unasked(self, data: bytes) -> None:
        """Before the answer, Asterisk says at most HANGUP; anything else is text that a caller slipped in."""
        self._buffer += data
        while self._buffer.startswith(_HANGUP):
            del self._buffer[: len(_HANGUP)]
            self.hung_up = True
        if not _HANGUP.startswith(self._buffer):
            self.refuse(Failure.UNASKED)
        elif self.hung_up and not self.outlives_hangup:
            self.refuse(Failure.HANGUP)

    def _read_result(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _MAX_LINE:
            self.refuse(Failure.UNACKNOWLEDGED)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read_after_refusal(self, data: bytes) -> None:
        """Drop what the PBX was still saying, up to the result of the refusal."""
        self._ignored += len(data)
        *lines, rest = (self._buffer + data).split(b"\n")
        self._buffer = rest
        if any(line.startswith(b"200 result=0") for line in lines):
            self.finish()
        elif self._ignored > self._desk.limits.max_header_bytes:
            self.cut()

    async def _more(self) -> None:
        if self.phase is not Phase.SENT:
            raise ConnectionResetError("no result can come")
        self._waiter = self._desk.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
