"""What goes wrong between this process and the database, by the driver's own types."""

from __future__ import annotations

import asyncpg

# `InternalClientError` is none of the others: the driver raises it when a server that dies cuts a connection off in the
# middle of a message.
DRIVER_FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
