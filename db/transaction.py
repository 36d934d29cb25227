"""Transactions of the registers' stores, and the driver's errors in the product's words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg

from db.faults import DRIVER_FAULTS
from dialer.errors import StoreUnavailable


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Whatever the database does amiss is a `StoreUnavailable`."""
    try:
        yield
    except DRIVER_FAULTS as error:
        raise StoreUnavailable(
            f"the database did not answer: {type(error).__name__}: {str(error) or 'no word'}",
            "see `heedline status`, then try again",
        ) from error


@contextlib.asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that commits on a clean exit and otherwise rolls back."""
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            yield connection
