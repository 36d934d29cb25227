"""Consents on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import transaction
from dialer.policy.facts import Basis, CallKind
from dialer.ports_registers import Artefact, ConsentRecord, NewConsent

_SQL = queries("consents")


class ConsentStatements:
    """The consents' part of a transaction."""

    _connection: asyncpg.Connection

    async def add_consent(self, consent: NewConsent, by: str) -> int:
        """The consent's id."""
        artefact = consent.artefact
        id: int = await self._connection.fetchval(
            _SQL["add"],
            consent.callee,
            consent.seller,
            consent.purpose,
            consent.basis.value,
            [kind.value for kind in consent.kinds],
            consent.granted_at,
            consent.expires_at,
            consent.lifts,
            artefact and artefact.sha256,
            artefact and artefact.media_type,
            artefact and artefact.location,
            consent.region,
            list(consent.zones),
            consent.verified,
            by,
        )
        return id

    async def withdraw_consents(self, callee: int, seller: str, purpose: str | None, at: datetime) -> Sequence[int]:
        """Ends consents under the callee's lock; their ids."""
        await self._connection.execute(_SQL["lock"], callee)
        return [row[0] for row in await self._connection.fetch(_SQL["withdraw"], callee, seller, purpose, at)]


async def consents_of(pool: asyncpg.Pool, callee: int) -> list[ConsentRecord]:
    """All consents of a callee, oldest first."""
    return [_consent(row) for row in await pool.fetch(_SQL["of_callee"], callee)]


async def all_consents(pool: asyncpg.Pool) -> AsyncIterator[ConsentRecord]:
    """Every consent in the order of recording."""
    async with transaction(pool) as connection:
        async for row in connection.cursor(_SQL["all"], prefetch=2_000):
            yield _consent(row)


def _consent(row: Any) -> ConsentRecord:
    sha256 = row["artefact_sha256"]
    artefact = Artefact(sha256, row["artefact_media_type"] or "", row["artefact_location"] or "") if sha256 else None
    consent = NewConsent(
        callee=row["callee"],
        seller=row["seller"],
        purpose=row["purpose"],
        basis=Basis(row["basis"]),
        kinds=tuple(CallKind(kind) for kind in row["kinds"]),
        granted_at=row["granted_at"],
        expires_at=row["expires_at"],
        artefact=artefact,
        region=row["address_region"],
        zones=tuple(row["address_zones"]),
        verified=row["address_verified"],
        lifts=row["lifts"],
    )
    return ConsentRecord(row["id"], consent, row["withdrawn_at"], row["recorded_at"], row["recorded_by"])
