"""The canonical bytes of a leaf, and the commitment by which it stands for a payload. Pure.

A leaf is a JSON object as RFC 8785 writes it (keys sorted, no white space, UTF-8) with the members `at` (RFC 3339 in
UTC with `+00:00`, and with six digits of a fraction unless it is zero), `commitment` (64 hexadecimal digits), `entry`
(the entry's id), `kind`, `subject` (the id of the row that the entry speaks of, or null) and `v`, which is 1. It holds
no personal data.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .words import Fault

SALT_SIZE = 16
_COMMITMENT_SIZE = 32
_GREATEST = 2**63 - 1
_KIND = re.compile(r"[a-z0-9_.]{1,64}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_MEMBERS = {"at", "commitment", "entry", "kind", "subject", "v"}


class LeafFault(Fault):
    """What should be a leaf is none, or not in its canonical form."""


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
    """A leaf from its JSON object. Raises `LeafFault` for anything whose canonical bytes would be others."""
    if not isinstance(fields, dict) or fields.keys() != _MEMBERS or not _whole(fields["v"]) or fields["v"] != 1:
        raise LeafFault(
            "a leaf has the members `at`, `commitment`, `entry`, `kind`, `subject` and `v`, which is 1",
            "叶应有 `at`、`commitment`、`entry`、`kind`、`subject` 和 `v`（值为 1）这些成员",
        )
    entry, kind, subject = fields["entry"], fields["kind"], fields["subject"]
    if not _whole(entry) or not (subject is None or _whole(subject)):
        raise LeafFault("a leaf's `entry` and `subject` are whole numbers", "叶的 `entry` 和 `subject` 应为整数")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise LeafFault(
            "a leaf's `kind` is of lower-case letters, digits, `_` and `.`",
            "叶的 `kind` 只含小写字母、数字、`_` 和 `.`",
        )
    leaf = Leaf(entry, _instant(fields["at"]), kind, subject, _digest(fields["commitment"]))
    if leaf.data() != canonical(fields):
        raise LeafFault("the leaf is not in its canonical form", "叶不是规范形式")
    return leaf


def _instant(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        at = None
    if at is None or at.utcoffset() != timedelta(0):
        raise LeafFault("a leaf's `at` is an instant in UTC", "叶的 `at` 应为 UTC 时刻")
    return at.astimezone(UTC)


def _digest(text: Any) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except (TypeError, ValueError):
        digest = b""
    if len(digest) != _COMMITMENT_SIZE:
        raise LeafFault("a leaf's `commitment` is of 64 hexadecimal digits", "叶的 `commitment` 应为 64 位十六进制数")
    return digest


def canonical(value: Any) -> bytes:
    """RFC 8785 for plain data without floats and with ASCII keys."""
    return _ENCODER.encode(value).encode("utf-8")


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _GREATEST
