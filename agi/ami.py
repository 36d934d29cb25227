"""The manager interface (AMI) of one switch: actions, events, and a connection that is kept up.

A thin layer over panoramisk, which knows the protocol. What it adds:

- Nothing is ever sent again: each connection has a manager of its own, so an action that was under way when the
  connection broke fails with `AmiUnavailable` and an originate cannot be replayed (rule 1).
- Every wait is bounded, and a peer that went silent is noticed by pings.
- A value that could end its line, and so begin an action of its own, is refused before anything is sent.
- What the peer sends is bounded too, and a frame that makes no sense costs that frame alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from dialer.errors import AmiRefused, AmiUnavailable, HeedlineError, UnsafeText
from dialer.hostile import printable

log = logging.getLogger(__name__)

_FRAME_END = b"\r\n\r\n"
_FRAME_LIMIT = 16 * 1024 * 1024  # bytes; `dialplan show` of a large switch is one frame
_UNSENT_LIMIT = 1024 * 1024  # bytes that the switch has not taken yet
_VALUE_LIMIT = 1024  # characters; Asterisk cuts a header at 1025
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_VALUE = re.compile(r"[ -~]*")
# What panoramisk must not keep for a later connection. A manager lives no longer than its connection, so this is the
# second lock on that door.
_FORGETTABLE = ("ping", "login", "logoff", "originate", "hangup", "redirect", "atxfer", "command")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a switch's manager interface is, and as whom to log in. `events` are the classes of events to receive."""

    name: str
    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    events: str = "call,user,system"


@dataclass(frozen=True, slots=True)
class Event:
    """One event or response. `get` takes a header's name in any case; a header that came twice has its values joined by
    line breaks, and one that did not come is empty."""

    name: str
    headers: Mapping[str, str]

    def get(self, header: str) -> str:
        """The header's value, or the empty text."""
        return self.headers.get(header.lower(), "")


Handler = Callable[[Event], None]
Hook = Callable[[], Awaitable[None]]
Fields = Mapping[str, str] | Iterable[tuple[str, str]]


def checked(fields: Fields) -> dict[str, list[str]]:
    """The fields of an action, each fit to stand on a line of its own: printable ASCII of at most 1,024 characters.

    Raises `UnsafeText` that names the field.
    """
    ready: dict[str, list[str]] = {}
    for key, value in fields.items() if isinstance(fields, Mapping) else fields:
        if not _KEY.fullmatch(key):
            raise UnsafeText(f"`{printable(key, 64)}` cannot be a field of an AMI action")
        if len(value) > _VALUE_LIMIT or not _VALUE.fullmatch(value):
            raise UnsafeText(f"`{key}` of an AMI action cannot be `{printable(value, 64)}`")
        ready.setdefault(key, []).append(value)
    return ready


def event_of(message: Message) -> Event:
    """panoramisk's message as plain data."""
    headers = {
        str(key).lower(): "\n".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in message.items()
        if key != "content"
    }
    return Event(headers.get("event", ""), MappingProxyType(headers))


class _Protocol(AMIProtocol):  # type: ignore[misc] # panoramisk has no types
    """panoramisk's protocol with bounded input, whole characters and errors that cost one frame."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = bytearray()
        self._searched = 0

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(_FRAME_END, self._searched)) >= 0:
            frame = bytes(self._received[:end])
            del self._received[: end + len(_FRAME_END)]
            self._searched = 0
            self._frame(frame)
        self._searched = max(0, len(self._received) - len(_FRAME_END) + 1)
        if len(self._received) > _FRAME_LIMIT:
            log.error("the switch sent a frame of more than %d bytes; the connection is dropped", _FRAME_LIMIT)
            self._received.clear()
            self.transport.abort()

    def _frame(self, frame: bytes) -> None:
        try:
            message = Message.from_line(frame.strip().decode("utf-8", "replace"))
            if message is not None:
                self.handle_message(message)
        except Exception:  # panoramisk trips over headers that come twice
            log.exception("a frame of the switch was not understood: `%s`", printable(frame[:200].decode("latin-1")))

    def connection_lost(self, exc: Any) -> None:
        """Also called by panoramisk itself on the event `Shutdown`, while the connection still stands."""
        self.close()
        if not self.lost.done() and not isinstance(exc, Message):
            self.lost.set_result(None)


class _Session(Manager):  # type: ignore[misc] # panoramisk has no types
    """One connection's manager; it never reconnects."""

    def __init__(self, dispatch: Callable[[Event], None]) -> None:
        super().__init__(
            loop=asyncio.get_running_loop(),
            encoding="utf8",
            protocol_factory=_Protocol,
            forgetable_actions=_FORGETTABLE,
            log=log.getChild("panoramisk"),
        )
        self.log.setLevel(logging.CRITICAL)  # what matters is logged here, once, and without secrets
        self._dispatch = dispatch
        self.waiting: set[asyncio.Future[Any]] = set()

    async def open(self, host: str, port: int) -> None:
        """Connect. Raises `OSError`."""
        opened: asyncio.Future[Any] = self.loop.create_future()
        opened.set_result(await self.loop.create_connection(_Protocol, host, port))
        self.connection_made(opened)
        self.protocol.lost.add_done_callback(lambda _: self._fail())

    def dispatch(self, message: Message) -> list[str]:
        """Hand an event on; panoramisk's own handlers would send old actions again."""
        self._dispatch(event_of(message))
        return []

    def ping(self) -> None:
        """The pings are the keeper's, which listens for their answers."""

    def connection_lost(self, exc: Any) -> None:
        """The keeper decides when to connect again."""

    async def shut(self) -> None:
        """Close the connection and fail what still waits for an answer."""
        self.close()
        self._fail()
        if self.protocol is None:
            return
        try:
            async with asyncio.timeout(1):
                await asyncio.shield(self.protocol.lost)
        except TimeoutError:
            self.protocol.transport.abort()  # the peer does not take what is still to be sent
            await self.protocol.lost

    def _fail(self) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_exception(AmiUnavailable("the connection to the switch was lost before it answered"))


class Ami:
    """One switch's manager interface, kept connected from `start` until `close`.

    `connected` is set while actions can be sent. `problem` says why it is not, for people. `patience_s` bounds each
    answer, `ping_s` is the time between pings; waits between attempts to connect double from `first_wait_s` to
    `longest_wait_s`. All in seconds.
    """

    def __init__(
        self,
        address: Address,
        *,
        patience_s: float = 5.0,
        ping_s: float = 10.0,
        first_wait_s: float = 0.25,
        longest_wait_s: float = 15.0,
    ) -> None:
        self.address = address
        self.connected = asyncio.Event()
        self.problem = "not connected yet"
        self._patience_s, self._ping_s = patience_s, ping_s
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._session: _Session | None = None
        self._handlers: dict[str, list[Handler]] = {}
        self._hooks: list[Hook] = []
        self._tried = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The switch's name in the settings."""
        return self.address.name

    def on(self, names: Iterable[str], handler: Handler) -> Callable[[], None]:
        """Call `handler` with each event of these names, in order; it must not block. Returns how to take it off."""
        wanted = [name.lower() for name in names]
        for name in wanted:
            self._handlers.setdefault(name, []).append(handler)

        def off() -> None:
            for name in wanted:
                with contextlib.suppress(ValueError):
                    self._handlers[name].remove(handler)

        return off

    def on_connected(self, hook: Hook) -> None:
        """Await `hook` after every login; it is cancelled when the connection is lost."""
        self._hooks.append(hook)

    def start(self) -> None:
        """Begin to connect, and keep at it."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name=f"ami {self.name}")

    async def ready(self) -> None:
        """Wait for the first attempt to connect. Raises `AmiUnavailable` when it did not succeed, with the reason."""
        self.start()
        await self._tried.wait()
        self._live()

    async def close(self) -> None:
        """End the connection and the keeper; idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def action(self, name: str, fields: Fields = (), *, within_s: float | None = None) -> Event:
        """Send one action; its response.

        Raises `UnsafeText`, `AmiUnavailable` (not connected, connection lost, no answer in time; whether the switch
        acted is then unknown) and `AmiRefused`.
        """
        return event_of((await self._send(self._live(), name, fields, False, within_s))[0])

    async def listing(self, name: str, fields: Fields = (), *, within_s: float | None = None) -> list[Event]:
        """Send an action that is answered by a list of events; those events, without the last, which says that it is
        complete. Raises what `action` raises."""
        messages = await self._send(self._live(), name, fields, None, within_s)
        return [event_of(message) for message in messages[1:-1]]

    def _live(self) -> _Session:
        if self._session is None:
            raise AmiUnavailable(
                f"the manager interface of `{self.name}` ({self.address.host}:{self.address.port}) is not connected: "
                f"{self.problem}",
                "check that Asterisk runs and what manager.conf allows",
            )
        return self._session

    async def _send(
        self, session: _Session, name: str, fields: Fields, as_list: bool | None, within_s: float | None = None
    ) -> list[Message]:
        if not _KEY.fullmatch(name):
            raise UnsafeText(f"`{printable(name, 64)}` cannot be an AMI action")
        action = Action({"Action": name, **checked(fields)})
        protocol = session.protocol
        if protocol.closed or protocol.transport.get_write_buffer_size() > _UNSENT_LIMIT:
            raise AmiUnavailable(f"the manager interface of `{self.name}` takes nothing at the moment")
        future: asyncio.Future[Any] = session.send_action(action, as_list=as_list)
        session.waiting.add(future)
        try:
            async with asyncio.timeout(within_s or self._patience_s):
                answer = await future
        except TimeoutError as error:
            raise AmiUnavailable(f"`{self.name}` did not answer the action `{name}` in time") from error
        finally:
            session.waiting.discard(future)
            protocol.responses.pop(action.id, None)
        messages = answer if isinstance(answer, list) else [answer]
        if not messages[0].success:
            raise AmiRefused(f"`{self.name}` refused the action `{name}`: {printable(str(messages[0].message))}")
        return messages

    async def _keep(self) -> None:
        wait = self._first_wait_s
        while True:
            session = _Session(self._dispatch)
            try:
                await self._enter(session)
                wait = self._first_wait_s
                await self._hold(session)
            except (OSError, HeedlineError, TimeoutError) as error:
                self._report(str(error) or "no answer in time")
            except Exception:  # a fault of ours must not end the keeping
                log.exception("manager interface of `%s`", self.name)
                self._report("internal error, see the log")
            finally:
                self._session = None
                self.connected.clear()
                await session.shut()
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._longest_wait_s)

    async def _enter(self, session: _Session) -> None:
        """Connect and log in."""
        address = self.address
        async with asyncio.timeout(self._patience_s):
            await session.open(address.host, address.port)
            credentials = {"Username": address.username, "Secret": address.secret, "Events": address.events}
            await self._send(session, "Login", credentials, False)
        self._session, self.problem = session, ""
        self.connected.set()
        self._tried.set()
        log.info("connected to the manager interface of `%s`", self.name)

    async def _hold(self, session: _Session) -> None:
        """Until the connection is lost or a ping stays unanswered."""
        hooks = [asyncio.ensure_future(self._run(hook)) for hook in self._hooks]
        try:
            while True:
                done, _ = await asyncio.wait({session.protocol.lost}, timeout=self._ping_s)
                if done or session.protocol.closed:
                    raise AmiUnavailable("the connection was lost")
                await self._send(session, "Ping", (), False)
        finally:
            for hook in hooks:
                hook.cancel()
            await asyncio.gather(*hooks, return_exceptions=True)

    async def _run(self, hook: Hook) -> None:
        try:
            await hook()
        except HeedlineError as error:
            log.warning("after connecting to `%s`: %s", self.name, error)
        except Exception:
            log.exception("after connecting to `%s`", self.name)

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("manager interface of `%s`: %s", self.name, problem)
        self.problem = problem
        self._tried.set()

    def _dispatch(self, event: Event) -> None:
        for handler in tuple(self._handlers.get(event.name.lower(), ())):
            try:
                handler(event)
            except Exception:  # one handler's fault must not cost the others their event
                log.exception("a handler of the event `%s` failed", printable(event.name))
