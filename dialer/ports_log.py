"""What the log of evidence asks of its store, and the data that crosses. Every method raises `StoreUnavailable` when
the store cannot answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from dialer.evidence.tiles import TileKey
from dialer.verifier.note import ED25519, VerifierKey


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A public key of the log. `name` is the log's name that it signs under; `entry` the entry that announced it."""

    id: int
    name: str
    public: bytes
    added_at: datetime
    added_by: str
    entry: int | None

    @property
    def verifier(self) -> VerifierKey:
        """The key, as verifiers take it."""
        return VerifierKey(self.name, ED25519, self.public)


@dataclass(frozen=True, slots=True)
class LogState:
    """The log: its name, the id of the key that signs now, how many leaves it has."""

    name: str
    key: int
    size: int


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """A checkpoint as it was published: `note` is its signed text, `cosignatures` the lines of witnesses since."""

    size: int
    root: bytes
    at: datetime
    key: int
    note: str
    cosignatures: tuple[str, ...] = ()


class Waiting(NamedTuple):
    """An entry that waits for its leaf, as the leaf will say it. There are many."""

    entry: int
    at: datetime
    kind: str
    subject: int | None
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: how many entries (of many, at least so many), and of when the first of them is."""

    count: int
    oldest: datetime | None


class LogTransaction(Protocol):
    """One transaction on the log. It commits on a clean exit, and otherwise leaves nothing."""

    async def make_alone(self) -> None:
        """Until the end of the transaction nobody else makes a log, a key or a name for it."""

    async def state(self) -> LogState | None:
        """The log, locked until the end of the transaction; None when there is none."""

    async def keys(self) -> list[KeyRecord]:
        """All keys, oldest first."""

    async def announced(self) -> frozenset[int]:
        """Ids of the keys whose entry has its leaf."""

    async def last_checkpoint(self) -> CheckpointRecord | None:
        """The newest checkpoint, without cosignatures."""

    async def leaves(self) -> int:
        """How many leaves there are by their greatest index."""

    async def tiles(self, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
        """Those of the tiles that there are."""

    async def take(self, most: int, *, present: bool = False) -> Sequence[Waiting]:
        """Take entries off the queue, the lowest ids first; in order. What waits and is no entry comes with nulls, or
        stays where it is with `present` (which is slower)."""

    async def take_these(self, entries: Sequence[int]) -> Sequence[Waiting]:
        """Take exactly these, of which some may not wait; in order."""

    async def append(self, first: int, entries: Sequence[int]) -> None:
        """Give entries their leaves from the index `first` on."""

    async def put_tiles(self, tiles: Mapping[TileKey, bytes]) -> None:
        """Write whole tiles over those that are there."""

    async def publish(self, checkpoint: CheckpointRecord) -> None:
        """Write a checkpoint, and its size as the log's."""

    async def witness(self, at: datetime, kind: str, payload: str) -> int:
        """Write an entry; its id."""

    async def make(self, name: str, key: int) -> None:
        """Make the log."""

    async def add_key(self, name: str, public: bytes, at: datetime, by: str, entry: int | None) -> int:
        """Add a key, unless it is there; its id."""

    async def use_key(self, name: str, key: int) -> None:
        """From now on this key signs, and the log has this name."""


class LogStore(Protocol):
    """Where the log is kept."""

    def transaction(self) -> AbstractAsyncContextManager[LogTransaction]: ...

    async def state(self) -> LogState | None:
        """The log, None when there is none."""

    async def keys(self) -> list[KeyRecord]:
        """All keys, oldest first."""

    async def latest(self) -> CheckpointRecord | None:
        """The newest checkpoint."""

    async def at_least(self, size: int) -> CheckpointRecord | None:
        """The oldest checkpoint of at least this size."""

    async def indexes(self, entries: Sequence[int]) -> dict[int, int]:
        """Leaf indexes by entry, of those that have one."""

    async def tiles(self, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
        """Those of the tiles that there are."""

    async def queue(self) -> Queue:
        """What waits for its leaf."""
