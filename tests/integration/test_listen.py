"""The listener on a real PostgreSQL that goes away, comes back, and hangs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.listen import Listener
from tests.servers import own_server

CHANNEL, OTHER = "heedline_refusal", "heedline_webhook"


class Ear:
    """What was told, in order."""

    def __init__(self) -> None:
        self.told: list[str | None] = []
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, payload: str | None) -> None:
        self.told.append(payload)
        task = asyncio.create_task(self._announce())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _announce(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def until(self, *wanted: str | None) -> None:
        """Wait until exactly this was told."""
        async with self._came, asyncio.timeout(20):
            await self._came.wait_for(lambda: self.told == list(wanted))


@pytest.fixture
async def ear() -> Ear:
    """One that heard nothing yet."""
    return Ear()


@pytest.fixture
async def listener(dsn: str, ear: Ear) -> AsyncIterator[Listener]:
    """A listener on the test's database that is impatient."""
    async with Listener(dsn, {CHANNEL: ear}, ping_s=0.1, patience_s=2.0, first_wait_s=0.02) as listener:
        yield listener


async def test_a_notification_is_heard_and_a_connection_announced(
    listener: Listener, ear: Ear, owner: asyncpg.Connection
) -> None:
    """First comes None, for what was missed; then each payload, of this channel alone."""
    await ear.until(None)
    await owner.execute(f"notify {OTHER}, '7'; notify {CHANNEL}, '447700900123'; notify {CHANNEL}, '*'")
    await ear.until(None, "447700900123", "*")
    assert (listener.stats.connected, listener.stats.heard, listener.stats.problem) == (True, 2, "")


async def test_a_lost_connection_is_made_anew_and_said(listener: Listener, ear: Ear, owner: asyncpg.Connection) -> None:
    """After the server ended it, None is told again, and later notifications are heard."""
    await ear.until(None)
    ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'heedline listener'"
    await owner.execute(ended + " and datname = current_database()")
    await ear.until(None, None)
    await owner.execute(f"notify {CHANNEL}, '1'")
    await ear.until(None, None, "1")
    assert listener.stats.connections == 2


async def test_a_hearer_that_fails_is_told_the_next_time(dsn: str, ear: Ear, owner: asyncpg.Connection) -> None:
    """An error in one hearer neither ends the listening nor keeps the news from another."""
    calls: list[str | None] = []

    def faulty(payload: str | None) -> None:
        calls.append(payload)
        raise RuntimeError("a hearer's fault")

    async with Listener(dsn, {OTHER: faulty, CHANNEL: ear}):
        await ear.until(None)
        await owner.execute(f"notify {OTHER}, 'a'; notify {CHANNEL}, 'b'; notify {OTHER}, 'c'; notify {CHANNEL}, 'd'")
        await ear.until(None, "b", "d")
    assert calls == [None, "a", "c"]


async def test_a_listener_starts_before_its_database_does(ear: Ear) -> None:
    """Without a server it says why and tries on; when there is one, it hears."""
    with own_server() as server:
        await asyncio.to_thread(server.crash)
        async with Listener(server.maintenance_dsn, {CHANNEL: ear}, first_wait_s=0.02, role=None) as listener:
            async with asyncio.timeout(20):
                while listener.stats.problem == "not connected yet":  # noqa: ASYNC110 # health announces nothing
                    await asyncio.sleep(0.01)
            assert not listener.stats.connected
            await asyncio.to_thread(server.start)
            await ear.until(None)


async def test_a_server_that_hangs_is_noticed(ear: Ear) -> None:
    """A connection that is up and silent is given up; when the server goes on, None is told again."""
    with own_server() as server:
        timing = {"ping_s": 0.05, "patience_s": 0.5, "first_wait_s": 0.02}
        async with Listener(server.maintenance_dsn, {CHANNEL: ear}, role=None, **timing) as listener:
            await ear.until(None)
            server.send(signal.SIGSTOP)
            async with asyncio.timeout(20):
                while listener.stats.connected:  # noqa: ASYNC110 # health announces nothing
                    await asyncio.sleep(0.01)
            server.send(signal.SIGCONT)
            await ear.until(None, None)
