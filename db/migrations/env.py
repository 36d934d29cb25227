"""Alembic's entry point; `db.migrate` hands over an open connection."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
context.run_migrations()
