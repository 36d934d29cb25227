"""Named SQL: `db/queries/<topic>.sql` holds statements under `-- name: ...` lines; none is written in Python."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


@cache
def queries(topic: str) -> dict[str, str]:
    """The statements of one topic by name.

    Raises `KeyError` on use of an unknown name, `ValueError` when a name stands twice.
    """
    source = (resources.files("db") / "queries" / f"{topic}.sql").read_text("utf-8")
    parts = _NAME.split(source)[1:]
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"`{topic}.sql` names a statement twice")
    return dict(zip(names, (body.strip() for body in bodies), strict=True))
