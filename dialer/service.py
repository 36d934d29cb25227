"""A running node: the gate behind FastAGI, refusals by every way, the switches' events, jobs, health and API.
`heedline serve` runs it.

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

from aiohttp import web

from agi.ami import Ami
from agi.egress import egress
from agi.outbound import outbound
from agi.refusal import KeyedRefusals, refusal
from agi.server import Entry, Limits, Route, RunningServer, serve
from db.faults import DRIVER_FAULTS
from db.pool import lent
from dialer.app import (
    Database,
    Registers,
    clock,
    load_policy,
    open_database,
    open_gate,
    open_refusal_store,
    open_registers,
    open_tokens,
)
from dialer.complaint_node import open_lookups
from dialer.config import Settings
from dialer.deliverer import Deliverer
from dialer.ears import Ears, open_ears
from dialer.errors import ConfigError
from dialer.evidence_node import open_sealing
from dialer.fsck_node import last_verification
from dialer.gate import Gate
from dialer.lookups import Lookups
from dialer.loosenings import record_loosenings
from dialer.node_jobs import open_jobs
from dialer.policy.pack import PackSet
from dialer.recording import Recorder
from dialer.refusals import Refusals
from dialer.sealing import Sealer
from dialer.switches import Switches, open_switches
from dialer.web.api import Api, api_app, mount
from dialer.web.health import health_app
from dialer.web.log import mount_log
from dialer.webhook_node import open_deliverer
from dialer.witness_node import Witnessing, open_witnessing

log = logging.getLogger(__name__)

_BY = "service"


@dataclass(frozen=True, slots=True)
class Service:
    """What runs, for tests and for `/status`."""

    gate: Gate
    agi: RunningServer
    amis: tuple[Ami, ...]
    http_port: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a node is made of."""

    settings: Settings
    database: Database
    sealer: Sealer
    witnessing: Witnessing
    registers: Registers
    recorder: Recorder
    gate: Gate
    ears: Ears
    switches: Switches
    deliverer: Deliverer
    agi: RunningServer


@contextlib.asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start everything and stop it again. Raises `HeedlineError` when a part cannot start."""
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        packs = load_policy(settings)
        database = await enter(open_database(settings))
        # Opened first, it ends last, and seals what the others wrote while they ended.
        sealer = await enter(open_sealing(settings, database))
        registers = open_registers(database, _BY, packs)
        refusals, calls = registers.refusals, open_refusal_store(database)
        recorder = await enter(Recorder(refusals, settings.spool_folder))
        gate = await enter(open_gate(settings, database, packs, recorder.withholds))
        await record_loosenings(packs.loosenings, registers.store, clock, _BY)
        ears = await enter(open_ears(settings, recorder=recorder, refusals=refusals, calls=calls, clock=clock))
        keyed = KeyedRefusals(recorder, calls, refusals.conduct, clock, lambda: _countries(registers))
        switches = await enter(open_switches(settings, database, refusals.conduct, keyed, ears))
        deliverer = await enter(open_deliverer(settings, database))
        witnessing = await enter(open_witnessing(settings, database))
        await enter(open_jobs(settings, packs, database, _BY))
        agi = await _listen(settings, gate, keyed, ears)
        stack.push_async_callback(agi.close)
        parts = _Parts(
            settings, database, sealer, witnessing, registers, recorder, gate, ears, switches, deliverer, agi
        )
        port = await _serve_http(parts, packs, stack)
        stack.enter_context(_announced(settings, agi.port, port))
        yield Service(gate, agi, switches.amis, port)


async def _countries(registers: Registers) -> list[str]:
    """Countries whose national form an inbound call's number may have."""
    return sorted({trunk.country for trunk in await registers.store.trunks()})


async def _listen(settings: Settings, gate: Gate, keyed: KeyedRefusals, ears: Ears) -> RunningServer:
    wanted = settings.agi
    limits = Limits(deadline_s=wanted.deadline_ms / 1000, max_concurrent=wanted.max_concurrent)
    routes: dict[str, Entry | Route] = {
        "outbound": outbound(gate),
        "egress": egress(gate, settings.egress.trunk),
        "refusal": refusal(keyed),
        "stream": ears.route,
    }
    try:
        return await serve(wanted.host, wanted.port, routes, limits=limits, reuse_port=wanted.reuse_port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on `{wanted.host}:{wanted.port}`: {error.strerror}",
            "stop what uses the port, or set another `agi.port` in heedline.toml",
        ) from error


async def _serve_http(parts: _Parts, packs: PackSet, stack: contextlib.AsyncExitStack) -> int:
    settings, since = parts.settings, clock()

    async def status() -> dict[str, Any]:
        return await _status(parts, packs) | {"since": since.isoformat()}

    app = health_app(status)
    mount(app, api_app(_api(parts, packs)))
    mount_log(app, parts.witnessing.publication())
    runner = web.AppRunner(app, access_log=None)
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


def _api(parts: _Parts, packs: PackSet) -> Api:
    database = parts.database

    def refusals(by: str) -> Refusals:
        return open_registers(database, by, packs).refusals

    def lookups(by: str) -> Lookups:
        return open_lookups(database, by)

    return Api(refusals, open_refusal_store(database), open_tokens(database, _BY), parts.gate.check, clock, lookups)


async def _status(parts: _Parts, packs: PackSet) -> dict[str, Any]:
    reachable = await _answers(parts.database)
    return {
        "ready": reachable,
        "version": metadata.version("heedline"),
        "pid": os.getpid(),
        "database": reachable,
        "gate": asdict(parts.gate.stats),
        "agi": asdict(parts.agi.stats),
        "recorder": asdict(parts.recorder.stats),
        "speech": parts.ears.status(),
        "evidence": parts.sealer.status() | (await _of_the_log(parts) if reachable else {}),
        "webhooks": asdict(await parts.deliverer.status() if reachable else parts.deliverer.stats),
        **parts.switches.status(),
        "packs": {pack.id: pack.version for pack in packs.packs},
        "loosenings": len(packs.loosenings),
    }


async def _of_the_log(parts: _Parts) -> dict[str, Any]:
    """Who vouches for the log, and when it was last derived anew."""
    last = await last_verification(parts.database)
    checked = last and {**asdict(last), "at": last.at.isoformat()}
    return {**await parts.witnessing.status(), "verified": checked}


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(1), lent(database.pool) as connection:
            return bool(await connection.fetchval("select true"))
    except DRIVER_FAULTS:
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
