"""Proofs from the log: checkpoints as they were published, and the paths that lead to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from dialer.errors import HeedlineError, LogFault
from dialer.evidence.tiles import Tiles, needed
from dialer.ports_log import CheckpointRecord, LogStore
from dialer.verifier.note import Checkpoint, Note, NoteFault, VerifierKey, read_checkpoint, read_note
from dialer.verifier.tree import ProofFault, Subtree, consistency_path, inclusion_path, range_path

_LOOK_S = 0.05
# Each leaf's path needs some six tiles of 8 KB, and 0.5 ms of computing.
_TOGETHER = 64

Proved = TypeVar("Proved")


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint as it was published at `at`. `note` has the log's signatures, then those of witnesses so far."""

    checkpoint: Checkpoint
    note: Note
    at: datetime


class Proofs:
    """Proofs from one log. Every method raises `StoreUnavailable`, and `LogFault` when what is kept is no log."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    async def latest(self) -> Published | None:
        """The newest checkpoint; None before the first."""
        return _published(await self._store.latest())

    async def at_least(self, size: int) -> Published | None:
        """The oldest checkpoint of at least this size."""
        return _published(await self._store.at_least(size))

    async def indexes(self, entries: Sequence[int]) -> dict[int, int]:
        """Leaf indexes by entry, of those that are sealed."""
        return await self._store.indexes(entries)

    async def inclusion(self, indexes: Sequence[int], size: int) -> list[list[bytes]]:
        """The audit path of each leaf in the log of `size`. Raises `ProofFault` for an index that is not in it."""
        paths: list[list[bytes]] = []
        for first in range(0, len(indexes), _TOGETHER):
            some = indexes[first : first + _TOGETHER]

            def prove(subtree: Subtree, some: Sequence[int] = some) -> list[list[bytes]]:
                return [inclusion_path(index, size, subtree) for index in some]

            paths += await self._prove(prove)
        return paths

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of `old` leaves is a beginning of the one of `new`. Raises `ProofFault` when it is
        longer."""
        return await self._prove(lambda subtree: consistency_path(old, new, subtree))

    async def stretch(self, start: int, end: int, size: int) -> list[bytes]:
        """What proves, with all leaves from `start` to before `end`, that they are all. Raises `ProofFault`."""
        return await self._prove(lambda subtree: range_path(start, end, size, subtree))

    async def sealed(self, entry: int, patience_s: float = 10.0) -> Published:
        """Wait until a checkpoint covers an entry. Raises `HeedlineError` when none does in `patience_s` seconds."""
        try:
            async with asyncio.timeout(patience_s):
                while not (index := await self._store.indexes([entry])):  # noqa: ASYNC110 - the database says, no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise HeedlineError(
                f"entry {entry} is in no checkpoint after {patience_s:g} seconds",
                "is `heedline serve` running? see `heedline evidence status`",
            ) from None
        published = await self.at_least(index[entry] + 1)
        if published is None:
            raise LogFault(f"no checkpoint covers entry {entry}, which has a leaf", "run `heedline evidence fsck`")
        return published

    async def keys(self) -> list[VerifierKey]:
        """All keys of the log, oldest first."""
        return [key.verifier for key in await self._store.keys()]

    async def _prove(self, prove: Callable[[Subtree], Proved]) -> Proved:
        tiles = Tiles(await self._store.tiles(needed(prove)))
        try:
            return await asyncio.to_thread(prove, tiles.subtree)
        except ProofFault as fault:
            raise LogFault(f"the log's tiles are not whole: {fault}", "run `heedline evidence fsck`") from fault


def _published(record: CheckpointRecord | None) -> Published | None:
    if record is None:
        return None
    try:
        note = read_note(record.note + "".join(f"{line}\n" for line in record.cosignatures))
        checkpoint = read_checkpoint(note.text)
    except NoteFault as fault:
        raise LogFault(
            f"the checkpoint of {record.size} cannot be read: {fault}", "run `heedline evidence fsck`"
        ) from fault
    return Published(checkpoint, note, record.at)
