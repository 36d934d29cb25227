"""The pool: connections that may do what the service may, and no more."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg

SERVICE_ROLE = "heedline_service"


async def open_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    statement_timeout_s: float = 30.0,
    role: str | None = SERVICE_ROLE,
    reset: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
) -> asyncpg.Pool:
    """A pool on `dsn` whose connections take on `role` at once: even the owner's DSN cannot change evidence by it.

    `statement_timeout_s` bounds each statement on the server; a transaction left open for as long is ended too, so a
    node that was stopped in mid-transaction does not hold callees' locks for ever. The client waits a second longer,
    for a server that hangs.
    """
    timeout_ms = str(int(statement_timeout_s * 1000))
    settings = {
        "application_name": "heedline",
        "statement_timeout": timeout_ms,
        "idle_in_transaction_session_timeout": timeout_ms,
        "jit": "off",
    }
    if role is not None:
        settings["role"] = role
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        server_settings=settings,
        reset=reset,
        timeout=5,
        command_timeout=statement_timeout_s + 1,
    )


@contextlib.asynccontextmanager
async def lent(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the pool that is dropped on any failure, cancellation included.

    The pool itself would wait, however short the caller's patience, until the server has confirmed that the statement
    was cancelled: a server that hangs never does.
    """
    connection = await pool.acquire()
    try:
        yield connection
    except BaseException:
        connection.terminate()
        raise
    finally:
        await pool.release(connection)
