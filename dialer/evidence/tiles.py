"""The Merkle tree kept as tiles, as C2SP tlog-tiles numbers them, with a height of 8. Pure.

A tile is a row of at most 256 hashes. On level 0 they are those of leaves; a hash on level L is that of a perfect
subtree over 256**L leaves. Tile N of level L holds the hashes from N * 256 on; the last of each level is partial and
grows. Every subtree's hash follows from few tiles, so a proof needs some hundred kilobytes of a log of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dialer.verifier.tree import EMPTY_ROOT, HASH_SIZE, ProofFault, Subtree, node_hash, split

HEIGHT = 8
WIDTH = 1 << HEIGHT

TileKey = tuple[int, int]
"""Level and index of a tile."""


class Tiles:
    """Hashes of subtrees, from the tiles that are at hand. What is computed is kept: one of these is for a moment."""

    def __init__(self, tiles: Mapping[TileKey, bytes]) -> None:
        self._tiles = tiles
        self._known: dict[tuple[int, int], bytes] = {}

    def subtree(self, low: int, high: int) -> bytes:
        """The hash over the leaves from `low` to before `high`, which are one node of the tree at some size.

        Raises `ProofFault` when a tile for it is missing or too short.
        """
        root = b""
        for start, height in reversed(list(_perfect(low, high))):
            left = self._perfect_root(start, height)
            root = node_hash(left, root) if root else left
        return root

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves. Raises `ProofFault`."""
        return self.subtree(0, size) if size else EMPTY_ROOT

    def _perfect_root(self, start: int, height: int) -> bytes:
        known = self._known.get((start, height))
        if known is None:
            known = self._known[start, height] = self._computed(start, height)
        return known

    def _computed(self, start: int, height: int) -> bytes:
        level, within = divmod(height, HEIGHT)
        if within == 0:
            return self._stored(level, start >> height)
        half = 1 << (height - 1)
        return node_hash(self._perfect_root(start, height - 1), self._perfect_root(start + half, height - 1))

    def _stored(self, level: int, position: int) -> bytes:
        index, offset = divmod(position, WIDTH)
        tile = self._tiles.get((level, index), b"")
        found = tile[offset * HASH_SIZE : (offset + 1) * HASH_SIZE]
        if len(found) != HASH_SIZE:
            raise ProofFault(f"tile {index} of level {level} has no hash {offset}")
        return found


def needed(prove: Callable[[Subtree], object]) -> set[TileKey]:
    """The tiles that `prove` needs: it is given a `Subtree` that answers anything, and told nothing else."""
    keys: set[TileKey] = set()

    def record(low: int, high: int) -> bytes:
        keys.update(
            (height // HEIGHT, start >> (height // HEIGHT + 1) * HEIGHT) for start, height in _perfect(low, high)
        )
        return EMPTY_ROOT

    prove(record)
    return keys


def edge(size: int) -> set[TileKey]:
    """The tiles that the root of a log of this size needs: the partial ones, and one at most of each level besides."""
    return needed(lambda subtree: subtree(0, size)) if size else set()


class Growth:
    """A log that grows from `size` leaves. `tiles` are those of `edge(size)`; what changes is in `changed`, as whole
    tiles. Appending costs one hash of a node on average."""

    def __init__(self, size: int, tiles: Mapping[TileKey, bytes]) -> None:
        self.size = size
        self.changed: dict[TileKey, bytes] = {}
        self._at_hand = dict(tiles)
        self._last: list[list[bytes]] = []
        for level in range(_levels(size)):
            index, count = divmod(size >> level * HEIGHT, WIDTH)
            tile = tiles.get((level, index), b"") if count else b""
            if len(tile) < count * HASH_SIZE:
                raise ProofFault(f"tile {index} of level {level} has fewer than {count} hashes")
            self._last.append([tile[at : at + HASH_SIZE] for at in range(0, count * HASH_SIZE, HASH_SIZE)])

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add hashes of leaves."""
        for leaf in leaves:
            self._add(0, leaf)
            self.size += 1

    def _add(self, level: int, entry: bytes) -> None:
        if level == len(self._last):
            self._last.append([])
        tile = self._last[level]
        tile.append(entry)
        if len(tile) == WIDTH:
            index = (self.size >> level * HEIGHT) // WIDTH
            self.changed[level, index] = b"".join(tile)
            self._last[level] = []
            self._add(level + 1, _root(tile))

    def finish(self) -> bytes:
        """Put the partial tiles among what changed; the root at the present size."""
        for level, tile in enumerate(self._last):
            index = (self.size >> level * HEIGHT) // WIDTH
            grown = b"".join(tile)
            if tile and self._at_hand.get((level, index)) != grown:
                self.changed[level, index] = grown
        return Tiles({**self._at_hand, **self.changed}).root(self.size)


def _root(hashes: Sequence[bytes]) -> bytes:
    """The root over a full tile."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _levels(size: int) -> int:
    return (size.bit_length() + HEIGHT - 1) // HEIGHT


def _perfect(low: int, high: int) -> Iterator[tuple[int, int]]:
    """First leaf and height of the perfect subtrees that make up a node, from left to right."""
    while (count := high - low) > 0:
        left = count if count & (count - 1) == 0 else split(count)
        yield low, left.bit_length() - 1
        low += left
