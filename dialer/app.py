"""The only place that wires adapters to use cases."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from agi.ami import Address
from db.bulk_store import PostgresBulkStore
from db.embedded import EmbeddedServer, ensure_database
from db.faults import DRIVER_FAULTS
from db.gate_store import PostgresGateStore, read_erasure_key
from db.migrate import knows, migrate, newest_revision, present_revision
from db.pool import open_pool
from db.refusal_store import PostgresRefusalStore
from db.register_store import PostgresRegisterStore
from db.roles import Login, describe, ensure_service_login
from db.scrub_store import PostgresScrubStore
from db.token_store import PostgresTokenStore
from dialer.bulk import Imports, Validator, validate_here
from dialer.config import Ami, Settings
from dialer.consents import Consents
from dialer.erasure_key import ErasureKey
from dialer.errors import ConfigError, DatabaseError
from dialer.gate import Gate, nobody
from dialer.imports import RowFault
from dialer.policy.admin import load_admin
from dialer.policy.facts import CallRequest
from dialer.policy.pack import PackSet, load_packs
from dialer.refusals import Refusals
from dialer.registers import Lists, Routes, Sellers, Trunks
from dialer.scrub import Scrubber
from dialer.tokens import Tokens


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database: `pool` for the registers (bounded by patience of people), `dsn` for further pools. `erasure`
    is this node's key to refusals of erased people."""

    dsn: str
    pool: asyncpg.Pool
    embedded: EmbeddedServer | None
    erasure: ErasureKey


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Start or join the embedded server (or reach the configured one), migrate (or check that it is), open the pool.

    Raises `DatabaseError` with the cure.
    """
    async with _reached(settings) as (dsn, embedded):
        with _told():
            await _prepare(dsn, may_migrate=settings.database.migrate)
            pool = await open_pool(dsn, max_size=settings.database.pool_size)
        try:
            yield Database(dsn, pool, embedded, ErasureKey(settings.keys_folder))
        finally:
            await pool.close()


@contextlib.asynccontextmanager
async def _reached(settings: Settings) -> AsyncIterator[tuple[str, EmbeddedServer | None]]:
    """The DSN of the configured server, or of the embedded one, which runs meanwhile."""
    if settings.database.url:
        yield settings.database.dsn(), None
        return
    settings.make_home()
    embedded = EmbeddedServer(settings.postgres_folder)
    try:
        yield await ensure_database(embedded.maintenance_dsn, settings.database.name), embedded
    finally:
        embedded.stop()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """A driver's error, as one that a person can do something about."""
    try:
        yield
    except (*DRIVER_FAULTS, OverflowError) as error:
        raise DatabaseError(
            f"the database cannot be reached or migrated: {error}",
            "check HEEDLINE_DATABASE_URL; the server must be PostgreSQL 16 or newer and the user may create roles",
        ) from error


async def migrate_database(settings: Settings, service_login: str = "", service_password: str = "") -> str:
    """Bring the database to the newest revision, which is returned, and make the service's own login if one is named.

    The login of the settings must own the database and may create roles. Raises `DatabaseError`.
    """
    async with _reached(settings) as (dsn, _):
        with _told():
            await migrate(dsn)
            if service_login:
                await ensure_service_login(dsn, service_login, service_password)
    return newest_revision()


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What a database is, seen from the login of the settings: `present` its revision (None: no schema, or none that
    the login may read), `newest` this code's."""

    login: Login
    present: str | None
    newest: str


async def database_state(settings: Settings) -> DatabaseState:
    """Look at the database; nothing is changed. Raises `DatabaseError` when it cannot be reached."""
    async with _reached(settings) as (dsn, _):
        with _told():
            login = await describe(dsn)
            present = await present_revision(dsn) if login.may_read or not login.service_exists else None
            return DatabaseState(login, present, newest_revision())


async def _prepare(dsn: str, *, may_migrate: bool) -> None:
    """Bring the schema to the newest revision, or demand that it is."""
    if may_migrate:
        await migrate(dsn)
        return
    present, newest = await present_revision(dsn), newest_revision()
    if present == newest:
        return
    if present is not None and not knows(present):
        raise DatabaseError(
            f"the database has schema `{present}`, which a newer Heedline made; this one knows `{newest}`",
            "run the newer Heedline on it",
        )
    raise DatabaseError(
        f"the database has schema `{present}`, not `{newest}`" if present else "the database has no Heedline schema",
        "run `heedline db migrate` with the owner's login, or set `database.migrate`",
    )


def load_policy(settings: Settings) -> PackSet:
    """The packaged packs with the administrator's changes. Raises `PackError`."""
    packs = load_packs()
    if settings.policy_file.exists():
        packs = packs.with_admin(load_admin(settings.policy_file.read_text("utf-8"), str(settings.policy_file)))
    return packs


@contextlib.asynccontextmanager
async def open_gate(
    settings: Settings, database: Database, packs: PackSet | None = None, withheld: Callable[[int], bool] = nobody
) -> AsyncIterator[Gate]:
    """The gate on a pool of its own, whose connections are few and never reset between batches. `packs` None: those of
    the settings; `withheld` as in `Gate`.

    The server gives a statement up before the gate does: a redemption that went through later would use a permit up for
    a call that was refused. Raises `ConfigError` when refusals of erased people exist and their key is not here.
    """
    if mark := await read_erasure_key(database.pool):
        database.erasure.demand(mark)

    async def keep(_: asyncpg.Connection) -> None:
        """Every path of the store ends its own transaction."""

    patience = settings.gate.patience_ms / 1000
    pool = await open_pool(
        database.dsn, min_size=1, max_size=settings.gate.workers + 4, statement_timeout_s=0.9 * patience, reset=keep
    )
    store = PostgresGateStore(pool)
    gate = Gate(
        store,
        packs or load_policy(settings),
        clock,
        patience_s=patience,
        max_batch=settings.gate.max_batch,
        workers=settings.gate.workers,
        latest=await PostgresGateStore(database.pool).latest_decision(),  # it may look far back
        withheld=withheld,
        erasure=database.erasure,
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


def open_registers(database: Database, by: str, packs: PackSet | None = None) -> Registers:
    """The registers; `by` is who changes them, for evidence. `packs` say by which rule a refusal binds."""
    store = PostgresRegisterStore(database.pool)
    return Registers(
        store,
        Sellers(store, clock, by),
        Trunks(store, clock, by),
        Routes(store, clock, by),
        Lists(store, clock, by),
        Consents(store, clock, by, erasure=database.erasure),
        Refusals(store, clock, by, packs=packs, calls=PostgresRefusalStore(database.pool)),
    )


def open_refusal_store(database: Database) -> PostgresRefusalStore:
    """Near misses, pages of a callee's refusals, calls that a refusal concerns."""
    return PostgresRefusalStore(database.pool)


def open_tokens(database: Database, by: str) -> Tokens:
    """The HTTP API's tokens; `by` is who changes them, for evidence."""
    return Tokens(PostgresTokenStore(database.pool), clock, by)


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
            store = PostgresScrubStore(connection, ErasureKey(settings.keys_folder))
            yield Scrubber(store, load_policy(settings), pattern, at)
    finally:
        pool.terminate()
