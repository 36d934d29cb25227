"""The way out to addresses that people name: a connection is made only to one that may be reached.

An address is judged twice: when a name is resolved, and when a socket is made for the very address that it is
connected to, so that a name which resolves otherwise the second time (DNS rebinding), and an address in the URL, go
through the same test. No redirect is followed, no proxy, cookie or password is taken from the environment.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from dialer.hostile import printable
from dialer.webhook_urls import Network, objection

SHOWN_LIMIT = 120
"""Characters of what a peer says that are shown."""

LookUp = Callable[[str, int], Sequence[tuple[Any, ...]]]
"""As `socket.getaddrinfo(host, port)`; runs in a thread. Raises `OSError`."""


def look_up(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """Ask the system's resolver."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class AddressRefused(OSError):
    """No connection is made to this address."""


class Lookups:
    """Names being resolved, in threads of their own: a name server that hangs holds up nothing else of this process,
    and at most one thread for each name."""

    def __init__(self, look_up: LookUp, threads: int) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(threads, "names")
        self._running: dict[tuple[str, int], asyncio.Future[Sequence[tuple[Any, ...]]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        """What the look-up finds. Raises `OSError`."""
        key = host, port
        if key not in self._running:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
            running.add_done_callback(lambda done: self._done(key, done))
            self._running[key] = running
        return await asyncio.shield(self._running[key])

    def close(self) -> None:
        """Wait for no look-up that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _done(self, key: tuple[str, int], done: asyncio.Future[Any]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # whoever asked may have gone


class Guard(AbstractResolver):
    """Lets through addresses that may be reached; without TLS (`plain`) only those in allowed networks."""

    def __init__(self, lookups: Lookups, networks: Sequence[Network], *, plain: bool) -> None:
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


def guarded_session(guard: Guard, tls: ssl.SSLContext | None, read_bufsize: int) -> aiohttp.ClientSession:
    """A session of which every connection goes through the guard. Whoever uses it bounds time and size."""
    connector = aiohttp.TCPConnector(
        resolver=guard,
        socket_factory=guard.socket,
        use_dns_cache=False,
        force_close=True,  # each request is judged by the address of its own connection
        limit=0,  # whoever sends bounds how many are sent at once
        ssl=tls or True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=read_bufsize,
    )


def redirect(response: aiohttp.ClientResponse) -> str:
    """What is said of an answer that is a redirect."""
    target = printable(response.headers.get("Location", ""), SHOWN_LIMIT)
    return f", a redirect to `{target}`, and redirects are not followed"


def what_went_wrong(error: Exception) -> str:
    """Why no answer came, for people; `error` is of aiohttp or the system."""
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
    return printable(" ".join(text.split()), SHOWN_LIMIT) or type(error).__name__
