"""The log's keys, the entries that introduce them, and the checkpoints that they sign. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dialer.fsck.faults import FaultKind, Findings
from dialer.hostile import printable
from dialer.verifier.note import (
    Checkpoint,
    Note,
    NoteFault,
    VerifierKey,
    read_checkpoint,
    read_key,
    read_note,
    verify,
)
from dialer.verifier.words import Words

KINDS = ("log.key_added", "log.key_rotated", "log.restored")


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """An entry that introduces a key. `index` None: it waits to be sealed; `payload` None: it is missing."""

    entry: int
    index: int | None
    kind: str
    payload: str | None


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A row of the table of checkpoints; `key` is the id of the one that signed."""

    size: int
    root: bytes
    key: int
    note: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The log's name and keys by id; `since`, in order: from which index on which key signs. `waiting`: keys whose
    entry is not sealed yet; `restored`: keys that were made when the log went on after a loss; `former`: names that it
    then gave up."""

    name: str
    by_id: dict[int, VerifierKey] = field(default_factory=dict)
    since: tuple[tuple[int, VerifierKey], ...] = ()
    waiting: frozenset[VerifierKey] = frozenset()
    restored: frozenset[VerifierKey] = frozenset()
    former: frozenset[str] = frozenset()

    def at(self, size: int) -> VerifierKey | None:
        """The key that signs the checkpoint of this size: the newest one that a leaf within it introduces."""
        place = bisect_left(self.since, size, key=lambda each: each[0])
        return self.since[place - 1][1] if place else None

    def may_sign(self, key: VerifierKey, note: Note, size: int) -> bool:
        """Whether the key could sign this checkpoint: it is the newest that the log then had; or its own entry was
        sealed later, and the newest has signed too (which is none when a log begins or goes on from an old state)."""
        newest = self.at(size)
        if key == newest:
            return True
        if key not in self.waiting and not any(index >= size and each == key for index, each in self.since):
            return False
        if newest is None or key in self.restored:
            return True
        try:
            verify(note, newest)
        except NoteFault:
            return False
        return True


def link_keys(name: str, rows: dict[int, VerifierKey], entries: Sequence[KeyEntry], findings: Findings) -> Keys:
    """The keys in the order in which entries (in the log's order) introduce them; a break of the chain is a fault."""
    known = {str(key): key for key in rows.values()}
    since: list[tuple[int, VerifierKey]] = []
    waiting: set[VerifierKey] = set()
    restored: set[VerifierKey] = set()
    former: set[VerifierKey] = set()
    for entry in entries:
        payload = _object(entry.payload)
        text = payload.get("key" if entry.kind == "log.key_added" else "new")
        key = known.get(text) if isinstance(text, str) else None
        if key is None:
            if entry.payload is not None:  # a missing payload is told with the leaves
                findings.add(FaultKind.KEY_MISSING, entry.entry, entry.index, key=printable(str(text), 120))
            continue
        if entry.kind == "log.key_rotated":
            _check_rotation(payload, entry, known, findings)
        if entry.kind == "log.restored":
            restored.add(key)
            former.update(old for old in (known.get(str(payload.get("old"))),) if old and old.name != key.name)
        if entry.index is not None:
            since.append((entry.index, key))
        else:
            waiting.add(key)
    introduced = waiting.union((key for _, key in since), former)
    former_names = {key.name for key in former}
    for key in rows.values():
        if key not in introduced:
            findings.add(FaultKind.KEY_UNLINKED, None, None, key=printable(key.id, 120))
    return Keys(name, rows, tuple(since), frozenset(waiting), frozenset(restored), frozenset(former_names))


def _check_rotation(
    payload: dict[str, Any], entry: KeyEntry, known: dict[str, VerifierKey], findings: Findings
) -> None:
    old, new = str(payload.get("old")), str(payload.get("new"))
    message = f"heedline key rotation v1\n{old}\n{new}\n".encode()
    for text, by in ((old, "by_old"), (new, "by_new")):
        key = known.get(text)
        try:
            if key is None:
                raise NoteFault(
                    f"`{printable(text, 120)}` is no key of this log", f"`{printable(text, 120)}` 不是本日志的密钥"
                )
            signature = base64.b64decode(str(payload.get(by)), validate=True)
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
        except NoteFault as fault:
            findings.add(FaultKind.KEY_ROTATION, entry.entry, entry.index, why=fault.said)
        except (InvalidSignature, binascii.Error, ValueError):
            why = Words(f"`{by}` is no signature of it", f"`{by}` 不是其签名")
            findings.add(FaultKind.KEY_ROTATION, entry.entry, entry.index, why=why)


def check_checkpoint(row: CheckpointRow, keys: Keys, findings: Findings) -> Checkpoint | None:
    """Hold a row against its note, and the note against the key that signs at its size. What the note says, when the
    signature is good; whether its root is right is to be seen."""
    try:
        note = read_note(row.note)
        said = read_checkpoint(note.text)
    except NoteFault as fault:
        findings.add(FaultKind.CHECKPOINT_SIGNATURE, None, None, size=row.size, why=fault.said)
        return None
    wrong = [
        name
        for name, there, noted in (
            ("size", row.size, said.size),
            ("root", row.root, said.root),
        )
        if there != noted
    ]
    key = keys.by_id.get(row.key)
    if key is not None and key.name != said.origin:
        wrong.append("name")
    if wrong:
        findings.add(FaultKind.CHECKPOINT_ROW, None, None, size=row.size, why=", ".join(wrong))
    if key is None or not keys.may_sign(key, note, said.size):
        findings.add(
            FaultKind.CHECKPOINT_KEY, None, None, size=row.size, key=printable(key.id, 120) if key else str(row.key)
        )
    if key is None:
        return None
    try:
        verify(note, key)
    except NoteFault as fault:
        findings.add(FaultKind.CHECKPOINT_SIGNATURE, None, None, size=row.size, why=fault.said)
        return None
    return None if wrong else said


def signed_by(note: Note, keys: Sequence[VerifierKey]) -> VerifierKey:
    """Which of the keys has signed. Raises `NoteFault`."""
    for key in keys:
        try:
            verify(note, key)
        except NoteFault:
            continue
        return key
    signers = ", ".join(printable(f"{each.name}+{each.key_hash.hex()}", 120) for each in note.signatures[:3])
    raise NoteFault(
        f"`{signers}` is no key of this log, or its signature is wrong", f"`{signers}` 不是本日志的密钥，或其签名有误"
    )


def read_verifier_key(name: str, public: bytes) -> VerifierKey:
    """A key of Ed25519 from its row. Raises `NoteFault`."""
    return read_key(str(VerifierKey(name, 1, public)))


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
