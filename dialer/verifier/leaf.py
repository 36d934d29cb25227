"""The canonical bytes of a leaf, and the commitment by which it stands for a payload. Pure.

A leaf is a JSON object as RFC 8785 writes it (keys sorted, no white space, UTF-8) with the members `at` (RFC 3339 in UTC
with `+00:00`, and with six digits of a fraction unless it is zero), `commitment` (64 hexadecimal digits), `entry` (the
entry's id), `kind`, `subject` (the id of the row that the entry speaks of, or null) and `v`, which is 1. It holds no
personal data.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SALT_SIZE = 16
_MEMBERS = {"at", "commitment", "entry", "kind", "subject", "v"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the log says of an entry in clear."""

    entry: int
    at: datetime
    kind: str
    subject: int | None
    commitment: bytes

    def data(self) -> bytes:
        """The canonical bytes, which the tree hashes."""
        return leaf_data(self.entry, self.at, self.kind, self.subject, self.commitment)


def leaf_data(entry: int, at: datetime, kind: str, subject: int | None, commitment: bytes) -> bytes:
    """The canonical bytes of a leaf. `at` is in UTC; `kind` is of lower-case letters, digits, `_` and `.`."""
    about = "null" if subject is None else subject
    return (
        f'{{"at":"{at.isoformat()}","commitment":"{commitment.hex()}","entry":{entry},"kind":"{kind}","subject":{about},"v":1}}'
    ).encode()


def commitment(salt: bytes, payload: bytes) -> bytes:
    """SHA-256 over the salt (16 bytes, of which 122 bits are random) and the canonical bytes of the payload."""
    return hashlib.sha256(salt + payload).digest()


def read_leaf(fields: Any) -> Leaf:
    """A leaf from its JSON object. Raises `ValueError` for anything whose canonical bytes would be others."""
    if not isinstance(fields, dict) or fields.keys() != _MEMBERS or fields["v"] != 1 or fields["v"] is True:
        raise ValueError("a leaf has the members `at`, `commitment`, `entry`, `kind`, `subject` and `v`, which is 1")
    entry, kind, subject = fields["entry"], fields["kind"], fields["subject"]
    if not _whole(entry) or not (subject is None or _whole(subject)) or not isinstance(kind, str):
        raise ValueError("a leaf's `entry` and `subject` are whole numbers, its `kind` is a text")
    at = datetime.fromisoformat(str(fields["at"]))
    if at.utcoffset() != timedelta(0):
        raise ValueError("a leaf's `at` is in UTC")
    leaf = Leaf(entry, at.astimezone(UTC), kind, subject, bytes.fromhex(str(fields["commitment"])))
    if leaf.data() != canonical(fields):
        raise ValueError("the leaf is not in its canonical form")
    return leaf


def canonical(value: Any) -> bytes:
    """RFC 8785 for plain data without floats and with ASCII keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
