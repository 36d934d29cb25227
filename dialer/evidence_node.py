"""Wiring of the evidence: what seals, proves, exports and erases, opened on a database.

A part of the wiring, like `dialer.app`.
"""

from __future__ import annotations

from db.log_store import PostgresLogStore
from dialer.app import Database
from dialer.proofs import Proofs


def open_proofs(database: Database) -> Proofs:
    """Proofs from the database's log."""
    return Proofs(PostgresLogStore(database.pool))
