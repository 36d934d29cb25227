"""A running node: the gate behind FastAGI, the switches' events, the scheduled jobs, health. `heedline serve` runs it.

Part of the wiring, like `dialer.app`, which opens what is used here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import asyncpg
from aiohttp import web

from agi.alarm import TrunkWatch
from agi.ami import Ami
from agi.effects import RefusalEffects
from agi.egress import egress
from agi.follow import Follower, close_orphans
from agi.outbound import outbound
from agi.server import Limits, RunningServer, serve
from db.attempt_store import PostgresAttemptStore
from db.gate_store import current_configuration
from db.leader import PostgresLeader
from db.listen import Listener
from db.pool import lent
from db.refusal_store import PostgresRefusalStore
from db.register_store import PostgresRegisterStore
from dialer.app import Database, ami_address, clock, open_database, open_gate, open_registers
from dialer.attempts import AttemptLog
from dialer.config import Settings
from dialer.errors import ConfigError, StoreUnavailable
from dialer.freshness import stale_lists
from dialer.gate import Gate
from dialer.jobs import Job, run_jobs
from dialer.loosenings import record_loosenings
from dialer.ports_attempts import Alarm
from dialer.web.health import health_app

log = logging.getLogger(__name__)

_ORPHANS_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """What runs, for tests and for `/status`."""

    gate: Gate
    agi: RunningServer
    amis: tuple[Ami, ...]
    http_port: int


@contextlib.asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start everything and stop it again. Raises `HeedlineError` when a part cannot start."""
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        gate = await stack.enter_async_context(open_gate(settings, database))
        await record_loosenings(gate.packs.loosenings, PostgresRegisterStore(database.pool), clock, "service")
        amis = await _follow_switches(settings, database, gate, stack)
        await stack.enter_async_context(run_jobs(PostgresLeader(database.dsn), _jobs(gate, database)))
        agi = await _listen(settings, gate)
        stack.push_async_callback(agi.close)
        port = await _serve_health(settings, gate, agi, amis, database, stack)
        stack.enter_context(_announced(settings, agi.port, port))
        yield Service(gate, agi, amis, port)


async def _listen(settings: Settings, gate: Gate) -> RunningServer:
    wanted = settings.agi
    limits = Limits(deadline_s=wanted.deadline_ms / 1000, max_concurrent=wanted.max_concurrent)
    routes = {"outbound": outbound(gate), "egress": egress(gate, settings.egress.trunk)}
    try:
        return await serve(wanted.host, wanted.port, routes, limits=limits, reuse_port=wanted.reuse_port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on `{wanted.host}:{wanted.port}`: {error.strerror}",
            "stop what uses the port, or set another `agi.port` in heedline.toml",
        ) from error


async def _follow_switches(
    settings: Settings, database: Database, gate: Gate, stack: contextlib.AsyncExitStack
) -> tuple[Ami, ...]:
    """Connect to every configured switch: attempts are followed, refused ones are cut, trunks are watched."""
    store = PostgresAttemptStore(database.pool)
    attempts = await stack.enter_async_context(AttemptLog(store, clock))
    amis: list[Ami] = []
    followers: list[Follower] = []
    for switch in settings.ami:
        ami = Ami(ami_address(switch))
        followers.append(Follower(ami, attempts, clock))
        watch = TrunkWatch(ami, switch.trunks, store, clock)
        stack.push_async_callback(watch.close)
        amis.append(ami)
    if followers:
        await stack.enter_async_context(_effects(followers, database, gate))
    for ami in amis:  # when all that listens to it is there
        await stack.enter_async_context(ami)
    if followers:
        sweep = asyncio.create_task(_sweep_orphans(followers, attempts))
        stack.push_async_callback(_cancelled, sweep)
    return tuple(amis)


@contextlib.asynccontextmanager
async def _effects(followers: list[Follower], database: Database, gate: Gate) -> AsyncIterator[None]:
    """Whoever records a refusal, on whichever node: the calls that it binds are cut on these switches."""
    conduct = open_registers(database, "service", gate.packs).refusals.conduct
    calls, alarms = PostgresRefusalStore(database.pool), PostgresAttemptStore(database.pool)
    async with (
        RefusalEffects(followers, calls, conduct, alarms, clock) as effects,
        Listener(database.dsn, {"heedline_refusal": effects.refused}),
    ):
        yield


async def _sweep_orphans(followers: list[Follower], attempts: AttemptLog) -> None:
    while True:
        try:
            await close_orphans(followers, attempts)
        except StoreUnavailable as error:
            log.warning("open attempts not looked at: %s", error)
        await asyncio.sleep(_ORPHANS_EVERY_S)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _jobs(gate: Gate, database: Database) -> list[Job]:
    alarms = PostgresAttemptStore(database.pool)

    async def freshness() -> None:
        lists = (await current_configuration(database.pool)).all_lists
        for stale in stale_lists(gate.packs.packs, lists, clock()):
            log.warning("%s", stale.text)
            await alarms.raise_alarm(Alarm(clock(), "list_stale", stale.list, stale.text))

    return [Job("list freshness", freshness, hours=12)]


async def _serve_health(
    settings: Settings,
    gate: Gate,
    agi: RunningServer,
    amis: tuple[Ami, ...],
    database: Database,
    stack: contextlib.AsyncExitStack,
) -> int:
    since = clock()

    async def status() -> dict[str, Any]:
        reachable = await _answers(database)
        return {
            "ready": reachable,
            "version": metadata.version("heedline"),
            "pid": os.getpid(),
            "since": since.isoformat(),
            "database": reachable,
            "gate": asdict(gate.stats),
            "agi": asdict(agi.stats),
            "switches": [{"name": ami.name, "connected": ami.connected.is_set()} for ami in amis],
            "packs": {pack.id: pack.version for pack in gate.packs.packs},
            "loosenings": len(gate.packs.loosenings),
        }

    runner = web.AppRunner(health_app(status), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.http.host, settings.http.port, reuse_port=settings.agi.reuse_port or None)
    try:
        await site.start()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on `{settings.http.host}:{settings.http.port}`: {error.strerror}",
            "stop what uses the port, or set another `http.port` in heedline.toml",
        ) from error
    return int(runner.addresses[0][1])


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(1), lent(database.pool) as connection:
            return bool(await connection.fetchval("select true"))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


@contextlib.contextmanager
def _announced(settings: Settings, agi_port: int, http_port: int) -> Iterator[None]:
    """While the service runs, `run/service.json` in the home folder says where."""
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"service-{os.getpid()}.json"
    file.write_text(json.dumps({"pid": os.getpid(), "agi_port": agi_port, "http_port": http_port}), "utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
