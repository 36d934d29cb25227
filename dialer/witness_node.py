"""Wiring of witnesses and time stamps: this log's witnesses are asked, and other logs are witnessed.

A part of the wiring, like `dialer.app`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from aiohttp import web

from db.attempt_store import PostgresAttemptStore
from db.leader import PostgresLeader
from db.log_store import PostgresLogStore
from db.witness_store import PostgresWitnessStore
from dialer.app import Database, clock
from dialer.config import Settings
from dialer.cosigning import Cosigning, WitnessState, read_targets
from dialer.evidence_node import open_proofs
from dialer.jobs import Job, run_jobs
from dialer.timestamps import Stamping, StampState, read_authority
from dialer.web.asking import AskingClient
from dialer.web.log import Publication, log_app
from dialer.webhook_urls import AUTHORITY, WITNESS, allowed_networks
from dialer.witness import Witness, read_logs
from dialer.witness_key import witness_key

WITNESSING_LOCK = 5_284_167_708


@dataclass(frozen=True, slots=True)
class Witnessing:
    """Who is asked, and the witness that this node is, if it is one."""

    database: Database
    cosigning: tuple[Cosigning, ...]
    stamping: Stamping | None
    witness: Witness | None

    async def states(self) -> tuple[list[WitnessState], StampState | None]:
        """How the witnesses and the authority do. Raises `StoreUnavailable`."""
        stamps = await self.stamping.state() if self.stamping else None
        return [await each.state() for each in self.cosigning], stamps

    async def status(self) -> dict[str, Any]:
        """Figures for `/status`, fit for JSON. Raises `StoreUnavailable`."""
        witnesses, stamps = await self.states()
        logs = await self.witness.status() if self.witness else []
        return {
            "witnesses": [_plain(each) for each in witnesses],
            "timestamps": _plain(stamps) if stamps else None,
            "witness_for": [_plain(each) for each in logs],
        }

    def publication(self) -> web.Application:
        """The log over HTTP, for `dialer.web.log.mount_log`."""
        pool = self.database.pool
        leaves = PostgresWitnessStore(pool)
        return log_app(Publication(open_proofs(self.database), PostgresLogStore(pool), leaves, leaves, self.witness))


@contextlib.asynccontextmanager
async def open_witnesses(settings: Settings, database: Database) -> AsyncIterator[Witnessing]:
    """What the settings say of witnesses and time stamps; nobody is asked yet. Raises `ConfigError`, `FileError`."""
    evidence = settings.evidence
    networks = allowed_networks(evidence.allow_networks, WITNESS.setting)
    targets = read_targets([(each.url, each.key) for each in evidence.witnesses], networks)
    authority = read_authority(evidence.timestamp_url, networks) if evidence.timestamp_url else None
    logs = read_logs(evidence.witness_for)
    witness = (
        Witness(settings.keys_folder / "witness", witness_key(settings.keys_folder), logs, clock) if logs else None
    )
    proofs, store = open_proofs(database), PostgresWitnessStore(database.pool)
    agent = f"Heedline/{version('heedline')}"
    async with AskingClient(networks, WITNESS, agent) as asker, AskingClient(networks, AUTHORITY, agent) as clerk:
        alarms = PostgresAttemptStore(database.pool)
        yield Witnessing(
            database,
            tuple(Cosigning(target, proofs, store, asker, alarms, clock) for target in targets),
            Stamping(authority, proofs, store, clerk, clock) if authority else None,
            witness,
        )


@contextlib.asynccontextmanager
async def open_witnessing(settings: Settings, database: Database) -> AsyncIterator[Witnessing]:
    """As `open_witnesses`, and one of the nodes asks, each witness at its own pace, until the context ends."""
    evidence = settings.evidence
    async with open_witnesses(settings, database) as witnessing:
        jobs = [
            Job(f"witness {each.target.key.name}", each.ask, timedelta(seconds=evidence.witness_every_s))
            for each in witnessing.cosigning
        ]
        if witnessing.stamping:
            every = timedelta(seconds=evidence.timestamp_every_s)
            jobs.append(Job("time stamps", witnessing.stamping.stamp, every))
        if not jobs:
            yield witnessing
            return
        async with run_jobs(PostgresLeader(database.dsn, WITNESSING_LOCK), jobs):
            yield witnessing


def _plain(state: Any) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in asdict(state).items()}
