"""Reading the facts of many callees at once, for dry runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from db.gate_store import read_configuration, read_records
from db.sql import queries
from db.transaction import translated
from dialer.erasure_key import ErasureKey
from dialer.ports import CalleeRecord, Configuration

_SQL = queries("scrub")


class PostgresScrubStore:
    """Implements `dialer.scrub.ScrubStore` on a connection of its own."""

    def __init__(self, connection: asyncpg.Connection, erasure: ErasureKey) -> None:
        self._connection, self._erasure = connection, erasure
        self._configuration = Configuration(version=0)

    async def load(
        self, callees: Sequence[int], seller: str, since: datetime, now: datetime
    ) -> tuple[Configuration, dict[int, CalleeRecord]]:
        """What is known of the callees: configuration and records of one snapshot. Raises `ConfigError` when refusals
        of erased people exist and their key is not here."""
        with translated():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                version = await self._connection.fetchval(_SQL["version"])
                if version != self._configuration.version:
                    self._configuration = await read_configuration(self._connection, version)
                known = self._configuration
                seller_id = known.seller_ids.get(seller)
                hash_number = self._erasure.demand(known.erasure) if known.erasure else None
                hashes = hash_number and [hash_number(callee) for callee in callees]
                rows = await self._connection.fetch(
                    _SQL["load"], callees, since, now, seller_id, list(known.lists), hashes
                )
        return known, read_records(rows, known)
