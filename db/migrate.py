"""Brings a database to the newest schema, by Alembic. Safe to run from several processes at once, and again."""

from __future__ import annotations

from importlib import resources

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

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


async def migrate(dsn: str) -> None:
    """Upgrade the database at `dsn` (owner's rights) in one transaction.

    Raises `asyncpg.PostgresError` or `OSError` when the database cannot be reached or changed; nothing is half done.
    """

    def upgrade(connection: Connection) -> None:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
