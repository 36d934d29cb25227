"""Hearing the database's NOTIFY, on a connection of its own that is kept up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import asyncpg

from db.faults import DRIVER_FAULTS
from db.pool import SERVICE_ROLE
from dialer.hostile import printable

log = logging.getLogger(__name__)

Hearer = Callable[[str | None], None]
"""Is told each notification's payload, and None after each (re)connect: what was said before then was not heard and
must be looked up. It must not block."""


@dataclass(slots=True)
class ListenStats:
    """Health. `connections` and `heard` count from the start; `problem` says why it is not connected, for people."""

    connected: bool = False
    connections: int = 0
    heard: int = 0
    problem: str = "not connected yet"


class Listener:
    """Listens from entering the context until leaving it, whatever becomes of the database.

    `channels` says who hears what. A connection that does not answer within `patience_s` is given up; it is asked
    every `ping_s`. Waits between attempts to connect double from `first_wait_s` to `longest_wait_s`. All in seconds.
    `role` is taken on at once.
    """

    def __init__(
        self,
        dsn: str,
        channels: Mapping[str, Hearer],
        *,
        patience_s: float = 2.0,
        ping_s: float = 3.0,
        first_wait_s: float = 0.1,
        longest_wait_s: float = 5.0,
        role: str | None = SERVICE_ROLE,
    ) -> None:
        self.stats = ListenStats()
        self._dsn, self._channels, self._role = dsn, dict(channels), role
        self._patience_s, self._ping_s = patience_s, ping_s
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="listener")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self) -> None:
        wait = self._first_wait_s
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connect()
                wait = self._first_wait_s
                await self._hold(connection)
            except DRIVER_FAULTS as error:
                self._report(f"{type(error).__name__}: {printable(str(error)) or 'no answer in time'}")
            except Exception:  # a fault of ours must not end the listening
                log.exception("notifications of the database")
                self._report("internal error, see the log")
            finally:
                self.stats.connected = False
                if connection is not None:
                    connection.terminate()  # a server that hangs is not waited for
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._longest_wait_s)

    async def _connect(self) -> asyncpg.Connection:
        settings = {"application_name": "heedline listener"}
        if self._role is not None:
            settings["role"] = self._role
        patience = self._patience_s
        connection = await asyncpg.connect(
            self._dsn, timeout=patience, command_timeout=patience, server_settings=settings
        )
        try:
            for channel in self._channels:
                await connection.add_listener(channel, self._heard)
        except BaseException:
            connection.terminate()
            raise
        self.stats.connected, self.stats.problem = True, ""
        self.stats.connections += 1
        for channel in self._channels:
            self._tell(channel, None)
        return connection

    async def _hold(self, connection: asyncpg.Connection) -> None:
        """Until the connection is lost or a question stays unanswered."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        while not connection.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ping_s):
                    await lost.wait()
            if not lost.is_set():
                await connection.fetchval("select 1")
        raise ConnectionResetError("the connection was lost")

    def _heard(self, _connection: Any, _pid: int, channel: str, payload: Any) -> None:
        self.stats.heard += 1
        self._tell(channel, str(payload))

    def _tell(self, channel: str, payload: str | None) -> None:
        try:
            self._channels[channel](payload)
        except Exception:  # one hearer's fault must not cost the others their news
            log.exception("a hearer of `%s` failed", channel)

    def _report(self, problem: str) -> None:
        if problem != self.stats.problem:
            log.warning("notifications of the database are not heard: %s", problem)
        self.stats.problem = problem
