"""Refusals with artefacts and receipts, near misses for review, API tokens, webhooks."""

from db.migrations.run import sql

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    sql("0002_refusals.sql", "0002_api.sql")


def downgrade() -> None:
    raise NotImplementedError("evidence is never taken back")
