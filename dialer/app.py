"""The only place that wires adapters to use cases."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from agi.ami import Address
from db.bulk_store import PostgresBulkStore
from db.embedded import EmbeddedServer, ensure_database
from db.gate_store import PostgresGateStore
from db.migrate import migrate
from db.pool import open_pool
from db.register_store import PostgresRegisterStore
from db.scrub_store import PostgresScrubStore
from dialer.bulk import Imports, Validator, validate_here
from dialer.config import Ami, Settings
from dialer.consents import Consents
from dialer.errors import ConfigError, DatabaseError
from dialer.gate import Gate
from dialer.imports import RowFault
from dialer.policy.admin import load_admin
from dialer.policy.facts import CallRequest
from dialer.policy.pack import PackSet, load_packs
from dialer.refusals import Refusals
from dialer.registers import Lists, Routes, Sellers, Trunks
from dialer.scrub import Scrubber


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database: `pool` for the registers (bounded by patience of people), `dsn` for further pools."""

    dsn: str
    pool: asyncpg.Pool
    embedded: EmbeddedServer | None


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Start or join the embedded server (or reach the configured one), migrate, and open the pool.

    Raises `DatabaseError` with the cure.
    """
    embedded = None
    try:
        if settings.database.url:
            dsn = settings.database.url
        else:
            settings.home.mkdir(parents=True, exist_ok=True)
            embedded = EmbeddedServer(settings.postgres_folder)
            dsn = await ensure_database(embedded.maintenance_dsn, settings.database.name)
        try:
            await migrate(dsn)
            pool = await open_pool(dsn, max_size=settings.database.pool_size)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise DatabaseError(
                f"the database cannot be reached or migrated: {error}",
                "check HEEDLINE_DATABASE_URL; the server must be PostgreSQL 16 or newer and the user may create roles",
            ) from error
        try:
            yield Database(dsn, pool, embedded)
        finally:
            await pool.close()
    finally:
        if embedded is not None:
            embedded.stop()


def load_policy(settings: Settings) -> PackSet:
    """The packaged packs with the administrator's changes. Raises `PackError`."""
    packs = load_packs()
    if settings.policy_file.exists():
        packs = packs.with_admin(load_admin(settings.policy_file.read_text("utf-8"), str(settings.policy_file)))
    return packs


@contextlib.asynccontextmanager
async def open_gate(settings: Settings, database: Database) -> AsyncIterator[Gate]:
    """The gate on a pool of its own, whose connections are few and never reset between batches."""

    async def keep(_: asyncpg.Connection) -> None:
        """Every path of the store ends its own transaction."""

    patience = settings.gate.patience_ms / 1000
    pool = await open_pool(
        database.dsn, min_size=1, max_size=settings.gate.workers + 4, statement_timeout_s=max(patience, 1.0), reset=keep
    )
    store = PostgresGateStore(pool)
    gate = Gate(
        store,
        load_policy(settings),
        clock,
        patience_s=patience,
        max_batch=settings.gate.max_batch,
        workers=settings.gate.workers,
        latest=await PostgresGateStore(database.pool).latest_decision(),  # it may look far back
    )
    try:
        yield gate
    finally:
        await gate.close()
        pool.terminate()


def ami_address(switch: Ami) -> Address:
    """Where a switch's manager interface is, its secret read from the file. Raises `ConfigError`."""
    try:
        secret = switch.secret_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"`{switch.secret_file}` cannot be read: {error}"
        raise ConfigError(problem, "`heedline pbx install` writes it") from error
    return Address(switch.name, switch.host, switch.port, switch.username, secret)


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers' use cases on one store."""

    store: PostgresRegisterStore
    sellers: Sellers
    trunks: Trunks
    routes: Routes
    lists: Lists
    consents: Consents
    refusals: Refusals


def open_registers(database: Database, by: str) -> Registers:
    """The registers; `by` is who changes them, for evidence."""
    store = PostgresRegisterStore(database.pool)
    return Registers(
        store,
        Sellers(store, clock, by),
        Trunks(store, clock, by),
        Routes(store, clock, by),
        Lists(store, clock, by),
        Consents(store, clock, by),
        Refusals(store, clock, by),
    )


def open_imports(
    database: Database,
    by: str,
    *,
    validator: Validator = validate_here,
    on_fault: Callable[[RowFault], None] = lambda fault: None,
    on_progress: Callable[[int], None] = lambda read: None,
) -> Imports:
    """Imports of files into the registers; `on_progress` is told the bytes that were read."""
    return Imports(
        PostgresRegisterStore(database.pool),
        PostgresBulkStore(database.pool),
        clock,
        by,
        validator=validator,
        on_fault=on_fault,
        on_progress=on_progress,
    )


@contextlib.asynccontextmanager
async def open_scrubber(settings: Settings, dsn: str, pattern: CallRequest, at: datetime) -> AsyncIterator[Scrubber]:
    """A dry run over many numbers, on a connection of its own: `pattern` is the request with any callee."""
    pool = await open_pool(dsn, min_size=1, max_size=1, statement_timeout_s=600.0)
    try:
        async with pool.acquire() as connection:
            yield Scrubber(PostgresScrubStore(connection), load_policy(settings), pattern, at)
    finally:
        pool.terminate()
