"""Real PostgreSQL for integration tests: one server a session, one migrated template, one database a test."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from db.embedded import EmbeddedServer, database_dsn, ensure_database
from db.migrate import migrate
from dialer.app import Database, Registers, open_database, open_registers
from dialer.config import Settings, load
from tests.shell import Shell

_TEMPLATE = "heedline_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """A server of the session's own, with the migrated template database."""
    folder = Path(tempfile.mkdtemp(prefix="heedline-test-"))
    # As root the server runs under another user, who must reach its files.
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "postgres")
    try:
        asyncio.run(_make_template(server))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _make_template(server: EmbeddedServer) -> None:
    await migrate(await ensure_database(server.maintenance_dsn, _TEMPLATE))


@pytest.fixture
def dsn(server: EmbeddedServer) -> Iterator[str]:
    """A fresh, migrated database."""
    with fresh_database(server) as dsn:
        yield dsn


@contextmanager
def fresh_database(server: EmbeddedServer) -> Iterator[str]:
    """A migrated database, for as long as the context lasts; its DSN."""
    name = f"heedline_test_{next(_numbers)}"
    asyncio.run(_maintain(server, f'create database "{name}" template "{_TEMPLATE}"'))
    yield database_dsn(server.maintenance_dsn, name)
    asyncio.run(_maintain(server, f'drop database "{name}" with (force)'))


async def _maintain(server: EmbeddedServer, statement: str) -> None:
    connection = await asyncpg.connect(server.maintenance_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def settings(tmp_path: Path, dsn: str) -> Settings:
    """Settings of a home of its own on the test's database."""
    return load({"HEEDLINE_HOME": str(tmp_path / "home"), "HEEDLINE_DATABASE_URL": dsn})


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The test's database, open."""
    async with open_database(settings) as database:
        yield database


@pytest.fixture
def registers(database: Database) -> Registers:
    """The registers, changed by `test`."""
    return open_registers(database, "test")


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the owner's rights, to look behind the service's back."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def shell(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in a home of its own, with a seller `acme` there."""
    for name in ("HEEDLINE_LANGUAGE", "HEEDLINE_CONFIG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEEDLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEEDLINE_DATABASE_URL", dsn)
    monkeypatch.chdir(tmp_path)
    shell = Shell(capsys)
    assert shell("seller", "add", "acme", "--name", "Acme Ltd") == 0
    return shell
