"""The evidence as a log: leaves apart from payloads, a Merkle tree, checkpoints; erasure; complaints."""

from db.migrations.run import sql

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    sql("0003_log.sql", "0003_erasure.sql", "0003_complaints.sql")


def downgrade() -> None:
    raise NotImplementedError("evidence is never taken back")
