"""Tiles against the tree's own definition: any size, grown by any steps."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.evidence.tiles import WIDTH, Growth, TileKey, Tiles, edge, needed
from dialer.verifier.tree import (
    EMPTY_ROOT,
    HASH_SIZE,
    ProofFault,
    Subtree,
    consistency_path,
    inclusion_path,
    leaf_hash,
    range_path,
    root_of,
)

# Enough for a third level: its first hash stands for 65,536 leaves.
LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(66_500)]
sizes = st.one_of(st.integers(0, 1200), st.sampled_from([255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_500]))


def grown(*sizes: int) -> dict[TileKey, bytes]:
    """The tiles of a log that grew to each size in turn, from no more than its edge each time."""
    tiles: dict[TileKey, bytes] = {}
    before = 0
    for size in sizes:
        growth = Growth(before, {key: tiles[key] for key in edge(before)})
        growth.extend(LEAVES[before:size])
        root = growth.finish()
        tiles |= growth.changed
        assert root == roots(size)
        before = size
    return tiles


_roots: dict[int, bytes] = {}


def roots(size: int) -> bytes:
    """The root by definition."""
    if size not in _roots:
        _roots[size] = root_of(LEAVES[:size])
    return _roots[size]


WHOLE = grown(len(LEAVES))


def by_definition(low: int, high: int) -> bytes:
    """A subtree's hash, from leaves alone."""
    return root_of(LEAVES[low:high])


@settings(deadline=None, max_examples=20)
@given(st.lists(sizes, max_size=6))
def test_a_log_grown_by_any_steps_has_the_tiles_of_one_grown_at_once(steps: list[int]) -> None:
    """The root is right after each step, and the tiles are the same in the end, the partial ones too."""
    steps.sort()
    assert grown(*steps) == grown(*steps[-1:])


@settings(deadline=None, max_examples=60)
@given(sizes, st.data())
def test_proofs_from_tiles_are_the_definition_s(size: int, data: st.DataObject) -> None:
    """Inclusion, consistency and stretches at any size up to the present one, from the tiles that `needed` names."""
    old = data.draw(st.integers(0, size))
    proofs: list[Callable[[Subtree], list[bytes]]] = [
        lambda subtree: consistency_path(old, size, subtree),
        *([lambda subtree: inclusion_path(old, size, subtree)] if old < size else []),
        *([lambda subtree: range_path(old, size, size, subtree)] if old < size else []),
    ]
    for prove in proofs:
        tiles = Tiles({key: WHOLE[key] for key in needed(prove)})
        assert prove(tiles.subtree) == prove(by_definition)


@given(st.integers(0, len(LEAVES)))
def test_tiles_have_the_numbers_and_contents_of_c2sp(size: int) -> None:
    """Level 0 holds the leaves' hashes in order; each hash of level 1 is the root over 256 of them."""
    position = min(size, len(LEAVES) - 1)
    at = position % WIDTH * HASH_SIZE
    assert WHOLE[0, position // WIDTH][at : at + HASH_SIZE] == LEAVES[position]
    first = position // WIDTH
    if (first + 1) * WIDTH <= len(LEAVES):
        at = first % WIDTH * HASH_SIZE
        assert WHOLE[1, first // WIDTH][at : at + HASH_SIZE] == by_definition(first * WIDTH, (first + 1) * WIDTH)


@given(st.integers(0, 2**60))
def test_the_edge_of_any_log_is_a_few_tiles(size: int) -> None:
    """One tile a level at most, and every one is partial: a step reads and rewrites no more."""
    levels = [level for level, _ in edge(size)]
    assert len(levels) == len(set(levels)) <= (size.bit_length() + 7) // 8
    assert all(index == (size >> 8 * level) // WIDTH for level, index in edge(size))


def test_a_changed_or_missing_tile_is_seen() -> None:
    """A flipped bit leads to another root; a tile that is cut or gone is a fault, not a wrong hash."""
    size = 700
    tiles = {key: WHOLE[key] for key in edge(size)}
    assert Tiles(tiles).root(size) == roots(size)
    key = (0, 2)
    flipped = bytes([tiles[key][0] ^ 1]) + tiles[key][1:]
    assert Tiles({**tiles, key: flipped}).root(size) != roots(size)
    for damaged in ({**tiles, key: tiles[key][: 100 * HASH_SIZE]}, {(1, 0): tiles[1, 0]}):
        with pytest.raises(ProofFault):
            Tiles(damaged).root(size)
        with pytest.raises(ProofFault):
            Growth(size, damaged)
    assert Tiles({}).root(0) == EMPTY_ROOT == sha256(b"").digest()
