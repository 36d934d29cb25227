"""Wiring of the evidence: what seals, proves, exports and erases, opened on a database.

A part of the wiring, like `dialer.app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.metadata import version

import asyncpg

from db.attempt_store import PostgresAttemptStore
from db.bundle_store import PostgresBundleStore
from db.erasure_store import PostgresErasureStore
from db.leader import SEALING_LOCK, PostgresLeader
from db.log_store import PostgresLogStore
from db.pool import open_pool
from db.refusal_store import PostgresRefusalStore
from dialer.app import Database, clock, load_policy
from dialer.bundle_files import Folders
from dialer.bundles import Bundles, Tools
from dialer.complaint_node import open_lookups
from dialer.config import Settings
from dialer.erasure import Erasures
from dialer.errors import HeedlineError
from dialer.jobs import Job, run_jobs
from dialer.last_signed import LastSigned
from dialer.log_keys import KeyRing, LogKeys
from dialer.policy.pack import PackSet
from dialer.proofs import Proofs
from dialer.retention import Folders as FileFolders
from dialer.retention import Retention
from dialer.sealing import Sealer

log = logging.getLogger(__name__)

# A queue of a hundred million entries is looked through in less.
_STATEMENT_S = 60.0
_CLOSING_S = 2.0
_VOUCHING_S = 15.0


def open_proofs(database: Database) -> Proofs:
    """Proofs from the database's log."""
    return Proofs(PostgresLogStore(database.pool))


def open_log_keys(settings: Settings, database: Database, by: str) -> LogKeys:
    """The log's keys; `by` is who changes them, for evidence."""
    return LogKeys(PostgresLogStore(database.pool), KeyRing(settings.keys_folder), clock, by)


def open_sealer(settings: Settings, pool: asyncpg.Pool, by: str = "service") -> Sealer:
    """What seals the log in the database of `pool` with the keys of these settings."""
    store = PostgresLogStore(pool)
    keys = LogKeys(store, KeyRing(settings.keys_folder), clock, by)
    return Sealer(store, keys, LastSigned(settings.keys_folder), PostgresAttemptStore(pool), clock)


async def seal(settings: Settings, database: Database) -> int:
    """Seal what waits now, when this home holds the log's key; how many entries. Raises `HeedlineError`."""
    sealer = open_sealer(settings, database.pool)
    return await sealer.seal() if await sealer.ready() else 0


@contextlib.asynccontextmanager
async def open_sealing(settings: Settings, database: Database) -> AsyncIterator[Sealer]:
    """What is committed is sealed until the context ends, by one of the nodes that hold the log's key; what waits then
    is sealed once more. `status()` says how it does."""
    pool = await open_pool(database.dsn, min_size=1, max_size=2, statement_timeout_s=_STATEMENT_S)
    sealer = open_sealer(settings, pool)
    leader = _KeyHolders(sealer, PostgresLeader(database.dsn, SEALING_LOCK))
    every = timedelta(milliseconds=settings.evidence.seal_ms)
    try:
        async with run_jobs(leader, [Job("sealing", sealer.run, every)]):
            yield sealer
        with contextlib.suppress(HeedlineError, TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                if await sealer.ready():
                    await sealer.seal()
    finally:
        pool.terminate()


class _KeyHolders:
    """Implements `dialer.jobs.Leader`: of the nodes that hold the log's key one leads, and the others look on."""

    def __init__(self, sealer: Sealer, leader: PostgresLeader) -> None:
        self._sealer, self._leader = sealer, leader

    async def leads(self) -> bool:
        self._sealer.stats.leads = False
        if not await self._sealer.attend():
            await self._leader.close()
            return False
        self._sealer.stats.leads = await self._leader.leads()
        if not self._sealer.stats.leads:
            await self._sealer.follow()
        return self._sealer.stats.leads

    async def close(self) -> None:
        self._sealer.stats.leads = False
        await self._leader.close()


async def is_sealed_elsewhere(database: Database) -> bool:
    """Whether a process that holds the log's key is running."""
    probe = PostgresLeader(database.dsn, SEALING_LOCK)
    try:
        return not await probe.leads()
    finally:
        await probe.close()


def open_bundles(settings: Settings, database: Database, by: str) -> Bundles:
    """What makes bundles; `by` is who does, for evidence."""
    from dialer.report import render, render_stretch  # noqa: PLC0415 - fonts and templates load where they are used

    async def sealed() -> None:
        await seal(settings, database)

    async def vouched() -> None:
        await _vouch(settings, database)

    tools = Tools(
        render=render,
        render_stretch=render_stretch,
        seal=sealed,
        vouch=vouched,
        lookups=open_lookups(database, by),
        folders=Folders(settings.artefacts_folder, settings.clips_folder),
        version=version("heedline"),
    )
    return Bundles(PostgresBundleStore(database.pool), open_proofs(database), load_policy(settings), clock, by, tools)


def open_erasures(settings: Settings, database: Database, by: str, packs: PackSet | None = None) -> Erasures:
    """What erases people; `by` is who does, for evidence. `packs` None: those of the settings."""
    store, calls = PostgresErasureStore(database.pool), PostgresRefusalStore(database.pool)
    return Erasures(store, packs or load_policy(settings), database.erasure, clock, by, calls)


def open_retention(settings: Settings, database: Database, by: str, packs: PackSet | None = None) -> Retention:
    """What erases personal data at the end of its time: `check()` at the start of a node, `run()` once a day on the one
    that leads, `remove_files()` as often on every node."""
    known = packs or load_policy(settings)
    return Retention(
        PostgresErasureStore(database.pool),
        open_erasures(settings, database, by, known),
        known,
        database.erasure,
        clock,
        by,
        {str(kind): days for kind, days in settings.evidence.keep_days.items()},
        FileFolders(settings.artefacts_folder, settings.clips_folder),
    )


async def _vouch(settings: Settings, database: Database) -> None:
    """Have the newest checkpoint cosigned and stamped now. Whoever does not answer costs a bundle his word alone."""
    from dialer.witness_node import open_witnesses  # noqa: PLC0415 - it is built on this module

    if not settings.evidence.witnesses and not settings.evidence.timestamp_url:
        return
    try:
        async with asyncio.timeout(_VOUCHING_S), open_witnesses(settings, database) as asked:
            stamps = [asked.stamping.stamp()] if asked.stamping else []
            await asyncio.gather(*(each.ask() for each in asked.cosigning), *stamps)
    except (HeedlineError, TimeoutError) as error:
        log.warning("nobody vouched for the newest checkpoint: %s", error or "no answer in time")
