"""What writes evidence entries by themselves: of what changes nothing else, such as a look-up."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class EntryStore(Protocol):
    """Where entries are written. Raises `StoreUnavailable`."""

    async def write(self, at: datetime, kind: str, subject: int | None, payload: str, callee: int | None = None) -> int:
        """Write one entry and commit; its id. `subject` is the id of the row that `kind` speaks of, `callee` (E.164
        digits) whom it is about where no such row knows that."""
