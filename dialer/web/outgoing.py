"""The way out to webhooks: one POST to one address that may be reached, and whatever comes of it as an outcome.

An address is judged twice: when a name is resolved, and when a socket is made for the very address that it is
connected to, so that a name which resolves otherwise the second time (DNS rebinding), and an address in the URL, go
through the same test. No redirect is followed, no proxy, cookie or password is taken from the environment, and of an
answer no more than 4 KiB is read, for its text alone.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from dialer.errors import RegisterError
from dialer.hostile import printable
from dialer.ports_webhooks import Fate, Message, Outcome
from dialer.webhook_urls import Network, checked_url, objection

_ANSWER_LIMIT = 4096
_SHOWN_LIMIT = 120
_GONE = 410

LookUp = Callable[[str, int], Sequence[tuple[Any, ...]]]
"""As `socket.getaddrinfo(host, port)`; runs in a thread. Raises `OSError`."""


def look_up(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """Ask the system's resolver."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class AddressRefused(OSError):
    """No connection is made to this address."""


class _Lookups:
    """Names being resolved, in threads of their own: a name server that hangs holds up nothing else of this process,
    and at most one thread for each name."""

    def __init__(self, look_up: LookUp, threads: int) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(threads, "webhook names")
        self._running: dict[tuple[str, int], asyncio.Future[Sequence[tuple[Any, ...]]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        key = host, port
        if key not in self._running:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
            running.add_done_callback(lambda done: self._done(key, done))
            self._running[key] = running
        return await asyncio.shield(self._running[key])

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _done(self, key: tuple[str, int], done: asyncio.Future[Any]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # whoever asked may have gone


class _Guard(AbstractResolver):
    """Lets through addresses that may be reached; without TLS (`plain`) only those in allowed networks."""

    def __init__(self, lookups: _Lookups, networks: Sequence[Network], *, plain: bool) -> None:
        self._lookups, self._networks, self._plain = lookups, networks, plain

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name that may be reached. Raises `AddressRefused` when there are only others."""
        found = await self._lookups.resolve(host, port)
        refused = ""
        addresses: list[ResolveResult] = []
        for kind, _, protocol, _, (address, *_rest) in found:
            if why := self._objection(address):
                refused = why
                continue
            addresses.append(
                ResolveResult(
                    hostname=host, host=address, port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        if not addresses:
            raise AddressRefused(refused or "it has no address")
        return addresses

    def socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for the connection to this address. Raises `AddressRefused`."""
        family, kind, protocol, _, (host, *_) = address
        if why := self._objection(host):
            raise AddressRefused(why)
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Nothing is held."""

    def _objection(self, address: str) -> str | None:
        return objection(ip_address(address), self._networks, plain=self._plain)


class WebhookClient:
    """Implements `dialer.ports_webhooks.Sender`, from entering the context until leaving it.

    `timeout_s` bounds a message from resolving the name to the answer's end. `tls` is for certificates that the system
    does not know.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        timeout_s: float,
        *,
        look_up: LookUp = look_up,
        tls: ssl.SSLContext | None = None,
        threads: int = 8,
    ) -> None:
        self._networks, self._timeout_s, self._tls = networks, timeout_s, tls
        self._lookups = _Lookups(look_up, threads)
        self._sessions: Mapping[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._sessions = {scheme: self._session(plain=scheme == "http") for scheme in ("http", "https")}
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()
        self._lookups.close()

    async def send(self, message: Message) -> Outcome:
        """Send once; never raises but when it is cancelled."""
        try:
            url = checked_url(message.url, self._networks)  # as it was registered, by the settings of today
        except RegisterError as error:
            return Outcome(Fate.FAILED, None, error.problem)
        session = self._sessions[url.partition(":")[0]]
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(session, url, message)
        except TimeoutError:
            return Outcome(Fate.FAILED, None, f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(Fate.FAILED, None, _what_went_wrong(error))

    async def _exchange(self, session: aiohttp.ClientSession, url: str, message: Message) -> Outcome:
        response = await session.post(url, data=message.body, headers=message.headers, allow_redirects=False)
        try:
            if 200 <= response.status < 300:
                return Outcome(Fate.DELIVERED, response.status)
            said = f"it answered {response.status}{await self._said(response)}"
            return Outcome(Fate.GONE if response.status == _GONE else Fate.FAILED, response.status, said)
        finally:
            response.close()  # without reading what else it says

    async def _said(self, response: aiohttp.ClientResponse) -> str:
        """The beginning of an answer that is no success, for people."""
        if 300 <= response.status < 400:
            target = printable(response.headers.get("Location", ""), _SHOWN_LIMIT)
            return f", a redirect to `{target}`, and redirects are not followed"
        text = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s / 4):
                while len(text) < _ANSWER_LIMIT and (part := await response.content.read(_ANSWER_LIMIT - len(text))):
                    text += part
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            pass  # the status says enough
        shown = printable(" ".join(text.decode("utf-8", "replace").split()), _SHOWN_LIMIT)
        return f": {shown}" if shown else ""

    def _session(self, *, plain: bool) -> aiohttp.ClientSession:
        guard = _Guard(self._lookups, self._networks, plain=plain)
        connector = aiohttp.TCPConnector(
            resolver=guard,
            socket_factory=guard.socket,
            use_dns_cache=False,
            force_close=True,  # each message is judged by the address of its own connection
            limit=0,  # whoever sends bounds how many are sent at once
            ssl=self._tls or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=_ANSWER_LIMIT,
        )


def _what_went_wrong(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, AddressRefused):
            return f"it is not connected to: {error.os_error}"
        case aiohttp.ClientConnectorDNSError():
            return f"its name has no address: {_reason(error.os_error)}"
        case aiohttp.ClientConnectorCertificateError():
            return f"its TLS certificate is not accepted: {_reason(error.certificate_error)}"
        case aiohttp.ClientConnectorError():
            return f"no connection: {_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "it closed the connection before it had answered"
    return f"its answer cannot be read: {_reason(error)}"


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(" ".join(text.split()), _SHOWN_LIMIT) or type(error).__name__
