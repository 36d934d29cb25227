"""The gate: registers, consents, refusals, decisions, attempts, evidence."""

from db.migrations.run import sql

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    sql("0001_gate.sql", "0001_functions.sql", "0001_guards.sql")


def downgrade() -> None:
    raise NotImplementedError("evidence is never taken back")
