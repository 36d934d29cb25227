"""What an erasure leaves on the disk of the database's server, and doing away with it as far as that can be done here.

PostgreSQL only marks what is deleted. `vacuum full` writes a table anew, without it; statistics hold values of columns,
and are made anew too. The write-ahead log holds what was written until its segments are removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from db.sql import queries

_SQL = queries("erasure")

TABLES = (
    "evidence_payloads",
    "decisions",
    "attempts",
    "consents",
    "refusals",
    "refusal_receipts",
    "speech_reviews",
    "complaints",
    "webhook_deliveries",
    "suppressed_numbers",
    "alarms",
    "pending_erasures",
)
"""Tables that hold what is erased."""

_LONG_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done. `tables` were written anew, `failed` were not, and why; `bytes` is how large they all are. `log`:
    the write-ahead log's old segments were removed."""

    bytes: int
    tables: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    log: bool


async def rewrite(dsn: str, *, most_bytes: int | None, embedded: bool) -> Rewritten:
    """Write the tables anew with the rights of the login of `dsn`, unless they are larger than `most_bytes`: nobody can
    be called meanwhile, and each table needs room for a second copy of itself. Raises `asyncpg.PostgresError` or
    `OSError` when the database cannot be reached; what fails later is in the answer.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        size = int(await connection.fetchval(_SQL["tables_size"], list(TABLES)))
        may = await connection.fetchrow(_SQL["may_vacuum"], list(TABLES))
        if not (may["superuser"] or may["owner"]):
            return Rewritten(size, (), tuple((table, "the login does not own it") for table in TABLES), False)
        if most_bytes is not None and size > most_bytes:
            return Rewritten(size, (), tuple((table, "the tables are large") for table in TABLES), False)
        await connection.execute(_SQL["rewriting"])
        statements = [row[0] for row in await connection.fetch(_SQL["vacuum"], list(TABLES))]
        done: list[str] = []
        failed: list[tuple[str, str]] = []
        for table, statement in zip((*TABLES, "pg_statistic"), (*statements, _SQL["vacuum_statistics"]), strict=True):
            try:
                await connection.execute(statement, timeout=_LONG_S)
                done.append(table)
            except asyncpg.PostgresError as error:
                failed.append((table, str(error)))
        return Rewritten(size, tuple(done), tuple(failed), await _shorten_log(connection) if embedded else False)
    finally:
        await connection.close(timeout=5)


async def _shorten_log(connection: asyncpg.Connection) -> bool:
    """Old segments go at a checkpoint; they are not used again under another name, as they otherwise would be."""
    try:
        await connection.execute(_SQL["keep_no_log"])
        await connection.execute(_SQL["reload"])
        for _ in range(2):  # the checkpointer may read the setting after the first
            await connection.execute(_SQL["switch_log"])
            await connection.execute(_SQL["checkpoint"], timeout=_LONG_S)
        await connection.execute(_SQL["keep_log"])
        await connection.execute(_SQL["reload"])
    except asyncpg.PostgresError:
        return False
    return True
