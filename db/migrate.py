"""Brings a database to the newest schema, by Alembic. Safe to run from several processes at once, and again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import resources

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from db.faults import DRIVER_FAULTS

# Any constant of our own; holders of it are migrating.
_MIGRATION_LOCK = 5_284_167_702


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("db.migrations")))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str:
    """The revision that this code was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migration is packaged")
    return head


def knows(revision: str) -> bool:
    """Whether this code's history has the revision; a database of another was migrated by a newer Heedline."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


async def present_revision(dsn: str) -> str | None:
    """The revision of the database at `dsn`, None when it was never migrated. Any login may ask.

    Raises `asyncpg.PostgresError` or `OSError` when it cannot be reached or read.
    """

    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with _engine(dsn) as engine, engine.connect() as connection:
        return await connection.run_sync(read)


async def migrate(dsn: str) -> None:
    """Upgrade the database at `dsn` (owner's rights) in one transaction.

    Raises `asyncpg.PostgresError` or `OSError` when the database cannot be reached or changed; nothing is half done.
    """

    def upgrade(connection: Connection) -> None:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with _engine(dsn) as engine, engine.begin() as connection:
        await connection.run_sync(upgrade)


@contextlib.asynccontextmanager
async def _engine(dsn: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn, timeout=10), poolclass=NullPool
    )
    try:
        yield engine
    except DBAPIError as error:
        if isinstance(error.driver_exception, DRIVER_FAULTS):
            raise error.driver_exception from None
        raise
    finally:
        await engine.dispose()
