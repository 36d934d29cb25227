"""Logs and stores in memory, for what asks witnesses and what is a witness."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dialer.ports_attempts import Alarm
from dialer.ports_witness import Reply, Signed
from dialer.proofs import Proofs, Published
from dialer.verifier.note import Checkpoint, Note, VerifierKey, read_note, sign, verifier_key
from dialer.verifier.tree import consistency_path, leaf_hash, root_of

NAME = "heedline/5eed0001"
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def now() -> datetime:
    """The clock of these tests."""
    return NOW


def key_of(seed: str) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


class MemoryLog(Proofs):
    """A log in memory; it publishes whatever it is told to, true or not."""

    def __init__(self, name: str = NAME, seed: str = "log", leaves: Sequence[str] = ()) -> None:
        self.name, self.key = name, key_of(seed)
        self.leaves = [leaf_hash(leaf.encode()) for leaf in leaves]
        self.cosignatures: list[str] = []

    @property
    def verifier(self) -> VerifierKey:
        """The log's key."""
        return verifier_key(self.name, self.key)

    def grow(self, *leaves: str) -> None:
        """Add leaves."""
        self.leaves += [leaf_hash(leaf.encode()) for leaf in leaves]

    def forked(self, size: int) -> MemoryLog:
        """A log of the same name and key that shares the first leaves."""
        other = MemoryLog(self.name)
        other.key, other.leaves = self.key, self.leaves[:size]
        return other

    def root(self, size: int) -> bytes:
        """The root, from the leaves alone."""
        return root_of(self.leaves[:size])

    def note(self, size: int | None = None, *keys: Ed25519PrivateKey) -> Note:
        """The checkpoint at a size, signed by the log's key or by others."""
        size = len(self.leaves) if size is None else size
        text = Checkpoint(self.name, size, self.root(size)).text()
        return Note(text, tuple(sign(text, self.name, key) for key in keys or (self.key,)))

    async def latest(self) -> Published | None:
        """The newest checkpoint, with what witnesses said."""
        if not self.leaves:
            return None
        size = len(self.leaves)
        note = read_note(str(self.note()) + "".join(f"{line}\n" for line in self.cosignatures))
        return Published(Checkpoint(self.name, size, self.root(size)), note, NOW)

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof."""
        return self.path(old, new)

    def path(self, old: int, new: int) -> list[bytes]:
        """The proof."""
        return consistency_path(old, new, lambda low, high: root_of(self.leaves[low:high]))

    async def keys(self) -> list[VerifierKey]:
        """The log's key."""
        return [self.verifier]

    def request(self, old: int, size: int | None = None) -> bytes:
        """A right `add-checkpoint`."""
        size = len(self.leaves) if size is None else size
        return request_of(old, self.path(old, size) if 0 < old <= size else [], self.note(size))


def request_of(old: int | str, path: Sequence[bytes], note: Note | str) -> bytes:
    """An `add-checkpoint`."""
    lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in path)
    return f"old {old}\n{lines}\n{note}".encode()


class MemoryStore:
    """Implements `dialer.ports_witness.WitnessStore` and `dialer.ports_attempts.AlarmStore`."""

    def __init__(self) -> None:
        self.lines: dict[tuple[int, str], str] = {}
        self.stamps: dict[tuple[int, str], bytes] = {}
        self.alarms: list[Alarm] = []

    async def cosigned(self, witness: str) -> Signed | None:
        """The greatest."""
        return _greatest([size for size, by in self.lines if by == witness])

    async def newest_cosigned(self) -> int | None:
        """The greatest of all."""
        return max((size for size, _ in self.lines), default=None)

    async def add_cosignature(self, size: int, witness: str, line: str, at: datetime) -> None:
        """Keep."""
        self.lines.setdefault((size, witness), line)

    async def stamped(self, authority: str) -> Signed | None:
        """The greatest."""
        return _greatest([size for size, by in self.stamps if by == authority])

    async def add_timestamp(self, size: int, authority: str, response: bytes, at: datetime) -> None:
        """Keep."""
        self.stamps.setdefault((size, authority), response)

    async def since(self, size: int) -> datetime | None:
        """Always."""
        return NOW

    async def raise_alarm(self, alarm: Alarm) -> None:
        """Keep."""
        self.alarms.append(alarm)


class Answers:
    """Implements `dialer.ports_witness.Asker`: these replies, one after the other."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[bytes] = []

    async def post(self, url: str, kind: str, body: bytes) -> Reply:
        """The next reply."""
        self.asked.append(body)
        return self.replies.pop(0)


def _greatest(sizes: Sequence[int]) -> Signed | None:
    return Signed(max(sizes), NOW) if sizes else None
