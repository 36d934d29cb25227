"""The Merkle tree of RFC 6962, section 2.1 (the same in RFC 9162): hashes, proofs and what they prove. Pure.

Hashes are SHA-256, 32 bytes. A tree of `size` leaves has the indexes 0 to `size` - 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from .words import Fault

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

_CHUNK = 4096  # a power of two

Subtree = Callable[[int, int], bytes]
"""The hash over the leaves from the first index to before the second."""


class ProofFault(Fault):
    """A proof does not have the shape that its place in the tree demands, or does not lead to the root."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """How many of `count` > 1 leaves stand to the left: the greatest power of two that is smaller."""
    return 1 << ((count - 1).bit_length() - 1)


class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, greatest first. Appending costs one hash of
    a node on average, and memory of the logarithm of the size."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count():
            raise ProofFault(
                f"a tree of {size} leaves has {size.bit_count()} perfect subtrees, not {len(self.hashes)}",
                f"{size} 片叶的树有 {size.bit_count()} 棵完整子树，而不是 {len(self.hashes)} 棵",
            )

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        hashes, rest = self.hashes, self.size
        while rest & 1:
            leaf = node_hash(hashes.pop(), leaf)
            rest >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root at the present size."""
        return _folded(self.hashes) if self.hashes else EMPTY_ROOT


class Stretch:
    """Consecutive leaves of a log from `start` on, which may be in its midst: the roots of the perfect subtrees that
    lie whole in it, from left to right. Memory of the logarithm of its length."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self._hashes: list[bytes] = []
        self._lows: list[int] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        hashes, lows, low, width = self._hashes, self._lows, self.end, 1
        while low & width and lows and lows[-1] == low - width:
            leaf = node_hash(hashes.pop(), leaf)
            low = lows.pop()
            width <<= 1
        hashes.append(leaf)
        lows.append(low)
        self.end += 1

    def root(self, size: int, path: Sequence[bytes]) -> bytes:
        """The root of the log of `size` leaves that the stretch and its `range_path` lead to. Raises `ProofFault`."""
        _stretch(self.start, self.end, size)
        rest = iter(_whole(path))
        own = dict(zip(self._lows, self._hashes, strict=True))

        def walk(low: int, high: int) -> bytes:
            if high <= self.start or low >= self.end:
                return next(rest)
            if self.start <= low and high <= self.end:
                return _folded([own[at] for at in self._lows if low <= at < high])
            middle = low + split(high - low)
            left = walk(low, middle)
            return node_hash(left, walk(middle, high))

        try:
            root = walk(0, size)
        except StopIteration:
            raise ProofFault("the proof of the stretch is too short", "该段的证明太短") from None
        if next(rest, None) is not None:
            raise ProofFault("the proof of the stretch is too long", "该段的证明太长")
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over the hashes of leaves: level by level, which is faster than leaf by leaf, within subtrees of one
    height, which bounds the memory; the tree over their roots has the shape that RFC 6962 wants."""
    rest, frontier = iter(leaves), Frontier()
    while level := list(islice(rest, _CHUNK)):
        frontier.append(_levelled(level))
    return frontier.root()


def _levelled(level: list[bytes]) -> bytes:
    sha256 = hashlib.sha256
    while len(level) > 1:
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


def _folded(subtrees: Sequence[bytes]) -> bytes:
    rest = reversed(subtrees)
    root = next(rest)
    for left in rest:
        root = node_hash(left, root)
    return root


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The audit path (RFC 6962, section 2.1.1) of a leaf, lowest sibling first."""
    _within(index, size)
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    return path[::-1]


def root_by_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a leaf's hash and its audit path lead to. Raises `ProofFault` for a path of a wrong length."""
    _within(index, size)
    inner = (
        index ^ (size - 1)
    ).bit_length()  # up to where the leaf's way meets the right edge; above, all siblings are left
    needed = inner + (index >> inner).bit_count()
    if len(path) != needed:
        raise ProofFault(
            f"the path has {len(path)} hashes, and leaf {index} of {size} needs {needed}",
            f"路径有 {len(path)} 个散列，而 {size} 片叶中的第 {index} 片需要 {needed} 个",
        )
    root = leaf
    for level, sibling in enumerate(_whole(path)):
        is_right = level >= inner or index >> level & 1
        root = node_hash(sibling, root) if is_right else node_hash(root, sibling)
    return root


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """The proof (RFC 6962, section 2.1.2) that the tree of `old` leaves is a beginning of the one of `new`."""
    if not 0 <= old <= new:
        raise ProofFault(
            f"a tree of {old} leaves is no beginning of one of {new}", f"{old} 片叶的树不可能是 {new} 片叶的树的开头"
        )
    if old in (0, new):
        return []
    path: list[bytes] = []
    low, high, complete = 0, new, True
    while old != high:
        middle = low + split(high - low)
        if old <= middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low, complete = middle, False
    if not complete:
        path.append(subtree(low, high))
    return path[::-1]


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Raises `ProofFault` unless `path` proves that the tree of `new_root` begins with the one of `old_root`
    (RFC 9162, section 2.1.4.2)."""
    if not 0 <= old <= new:
        raise ProofFault(
            f"the log of {new} leaves is shorter than the one of {old}", f"{new} 片叶的日志比 {old} 片叶的还短"
        )
    if old in (0, new):
        if path:
            raise ProofFault("the proof holds hashes where none is needed", "证明含有不需要的散列")
        if old == new and old_root != new_root:
            raise ProofFault(f"two different roots for {old} leaves", f"同为 {old} 片叶，却有两个不同的根散列")
        if old == 0 and old_root != EMPTY_ROOT:
            raise ProofFault("the root of the empty log is wrong", "空日志的根散列有误")
        return
    hashes = iter([old_root, *_whole(path)] if old & (old - 1) == 0 else _whole(path))
    try:
        _walk_consistency(old, new, old_root, new_root, hashes)
    except StopIteration:
        raise ProofFault("the proof is too short", "证明太短") from None


def _walk_consistency(old: int, new: int, old_root: bytes, new_root: bytes, hashes: Iterator[bytes]) -> None:
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = next(hashes)
    for sibling in hashes:
        if last == 0:
            raise ProofFault("the proof is too long", "证明太长")
        if first & 1 or first == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise ProofFault("the proof is too short", "证明太短")
    if before != old_root:
        raise ProofFault("the proof does not lead to the old root", "证明得不到旧的根散列")
    if after != new_root:
        raise ProofFault(
            "the proof does not lead to the new root: the log was rewritten", "证明得不到新的根散列：日志被改写过"
        )


def range_path(start: int, end: int, size: int, subtree: Subtree) -> list[bytes]:
    """What, beside the leaves from `start` to before `end`, is needed for the root: the greatest subtrees on both
    sides, from left to right. It proves that a stretch of the log is complete."""
    _stretch(start, end, size)
    path: list[bytes] = []

    def walk(low: int, high: int) -> None:
        if high <= start or low >= end:
            path.append(subtree(low, high))
        elif low < start or high > end:
            middle = low + split(high - low)
            walk(low, middle)
            walk(middle, high)

    walk(0, size)
    return path


def root_by_range(start: int, end: int, size: int, leaves: Sequence[bytes], path: Sequence[bytes]) -> bytes:
    """The root that the hashes of all leaves from `start` to before `end` lead to. Raises `ProofFault`."""
    _stretch(start, end, size)
    if len(leaves) != end - start:
        raise ProofFault(
            f"the stretch has {end - start} leaves, and {len(leaves)} are given",
            f"该段有 {end - start} 片叶，给出的却是 {len(leaves)} 片",
        )
    stretch = Stretch(start)
    for leaf in leaves:
        stretch.append(leaf)
    return stretch.root(size, path)


def _within(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise ProofFault(f"there is no leaf {index} in a log of {size}", f"大小为 {size} 的日志没有第 {index} 片叶")


def _stretch(start: int, end: int, size: int) -> None:
    if not 0 <= start < end <= size:
        raise ProofFault(
            f"the stretch from {start} to {end} is not in a log of {size}",
            f"大小为 {size} 的日志没有从 {start} 到 {end} 的一段",
        )


def _whole(path: Sequence[bytes]) -> Sequence[bytes]:
    if any(len(hash) != HASH_SIZE for hash in path):
        raise ProofFault("a hash of the proof is not of 32 bytes", "证明中有散列不是 32 字节")
    return path
