"""What entries about the log as a whole say: which entries were erased, what imports added. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dialer.fsck.stretch import Erased
from dialer.verifier.leaf import commitment


def erasures(rows: Sequence[Sequence[Any]]) -> Erased:
    """Entries that are named by erasures, from id, commitment, salt and payload of each; one that does not fit its
    commitment names none."""
    ranges: list[tuple[int, int]] = []
    for _, committed, salt, payload in rows:
        if commitment(salt, payload.encode()) == committed:
            ranges += _ranges(_entries(payload))
    return Erased.of(ranges)


def _ranges(entries: Any) -> list[tuple[int, int]]:
    if not isinstance(entries, list):
        return []
    pairs = [each for each in entries if isinstance(each, list) and len(each) == 2]
    return [
        (first, last) for first, last in pairs if isinstance(first, int) and isinstance(last, int) and first <= last
    ]


def _entries(payload: str) -> Any:
    return _field(payload, "entries")


def batchless(payloads: Sequence[str]) -> int:
    """How many rows imports added."""
    return sum(added for payload in payloads if isinstance(added := _field(payload, "added"), int))


def _field(payload: str, name: str) -> Any:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return found.get(name) if isinstance(found, dict) else None
