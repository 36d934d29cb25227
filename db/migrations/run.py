"""Runs a migration's SQL files: several statements a file, on the connection and in the transaction of Alembic."""

from __future__ import annotations

from importlib import resources

from alembic import op
from sqlalchemy.util import await_only


def sql(*names: str) -> None:
    """Execute the named files of `db/migrations/versions`, in order."""
    folder = resources.files("db.migrations") / "versions"
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("a migration needs a live connection")
    for name in names:
        # The driver's own execute takes a whole script; SQLAlchemy would prepare it, which allows one statement only.
        await_only(driver.execute((folder / name).read_text("utf-8")))
