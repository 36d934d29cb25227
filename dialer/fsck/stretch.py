"""One stretch of the log: its leaves' hashes from the raw rows, held against the stored tree. Pure.

A stretch is of 65,536 leaves, so that it has one tile of level 1 and gives one hash of level 2; the last one may be
shorter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dialer.fsck.faults import SHOWN, FaultKind, Findings
from dialer.verifier.leaf import commitment, leaf_data
from dialer.verifier.note import Checkpoint
from dialer.verifier.tree import HASH_SIZE, Frontier, leaf_hash, node_hash, root_of

TILE = 256
STRETCH = TILE * TILE
_UNKNOWN = b"\0" * HASH_SIZE
# An entry whose columns no writer could have made has the hash of no leaf.
_IMPOSSIBLE = leaf_hash(b"")

Row = Sequence[Any]
"""Index and entry of a leaf; id, at, kind, subject, commitment of its entry; salt, payload. What is missing is None."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Entries that erasures name: ranges of ids, both ends included, in order and apart."""

    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()

    @classmethod
    def of(cls, ranges: Sequence[tuple[int, int]]) -> Erased:
        """From ranges in any order."""
        joined: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        return cls(tuple(first for first, _ in joined), tuple(last for _, last in joined))

    def __contains__(self, entry: int) -> bool:
        place = bisect_right(self.first, entry) - 1
        return place >= 0 and entry <= self.last[place]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What to look at: the leaves from `low` to before `high`, and the roots at `sizes` (above `low`, up to `high`)."""

    low: int
    high: int
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A leaf that does not fit the stored tree. `sealed`: at which index of this stretch the tree has it."""

    index: int
    entry: int | None
    kind: str
    sealed: int | None


@dataclass(slots=True)
class Tree:
    """The hashes over a stretch: `whole` over all of it, `roots` over its beginnings by the log's size."""

    whole: bytes = _UNKNOWN
    roots: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class StretchReport:
    """What was found in a stretch. `by_leaves` is what its rows give, `by_tiles` what the stored tiles of level 0 say;
    `checkpoints` are those of its sizes whose signatures are good."""

    stretch: Stretch
    findings: Findings = field(default_factory=Findings)
    by_leaves: Tree = field(default_factory=Tree)
    by_tiles: Tree = field(default_factory=Tree)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    differing: int = 0
    erased: int = 0


def stretches(start: int, size: int, sizes: Sequence[int]) -> Iterator[Stretch]:
    """The stretches of a log of `size` leaves from the one that holds `start`, each with its own of `sizes`."""
    for low in range(start - start % STRETCH, size, STRETCH):
        high = min(low + STRETCH, size)
        own = tuple(sorted({each for each in sizes if low < each <= high}))
        yield Stretch(low, high, own)


class LeafCheck:
    """Takes the rows of a stretch in the order of their indexes, a batch at a time; then holds their hashes against the
    tree. Of what the entries say nothing is kept."""

    def __init__(self, stretch: Stretch, erased: Erased) -> None:
        self.report = StretchReport(stretch)
        self._stretch, self._erased = stretch, erased
        self._hashes: list[bytes] = []  # empty where the leaf or its entry is missing
        self._names: list[tuple[int | None, str]] = []

    def take(self, rows: Sequence[Row]) -> None:
        """The next rows."""
        findings, hashes, names, erased = self.report.findings, self._hashes, self._names, self._erased
        expected = self._stretch.low + len(hashes)
        for index, entry, id, at, kind, subject, committed, salt, payload in rows:
            if index != expected:
                if index < expected:
                    findings.add(FaultKind.LEAF_TWICE, entry, index)
                    continue
                self._gap(expected, index)
                expected = index
            expected += 1
            names.append((entry, kind))
            if id is None:
                findings.add(FaultKind.ENTRY_MISSING, entry, index)
                hashes.append(b"")
                continue
            if at is None or committed is None:
                hashes.append(_IMPOSSIBLE)
                continue
            hashes.append(leaf_hash(leaf_data(id, at, kind, subject, committed)))
            if payload is None or salt is None:
                if entry in erased:
                    self.report.erased += 1
                else:
                    findings.add(FaultKind.PAYLOAD_MISSING, entry, index)
            elif commitment(salt, payload.encode()) != committed:
                findings.add(FaultKind.PAYLOAD_CHANGED, entry, index)
            elif erased.first and entry in erased:
                findings.add(FaultKind.PAYLOAD_ERASED_YET_THERE, entry, index)

    def finish(self, tiles: Mapping[int, bytes], parent: bytes | None, sizes: Sequence[int] = ()) -> StretchReport:
        """Hold the leaves against the tiles of level 0 by index and the one of level 1; note the roots at `sizes`."""
        stretch, report = self._stretch, self.report
        self._gap(stretch.low + len(self._hashes), stretch.high)
        wanted = sorted({*stretch.sizes, *sizes})
        stored = _stored(stretch, tiles, report.findings)
        if self._hashes == stored and all(stored):
            parents = _into(report.by_leaves, stretch.low, wanted, stored)
            report.by_tiles, other = report.by_leaves, parents
        else:
            # What is missing on one side is not the other's fault.
            ours = [one or other or _UNKNOWN for one, other in zip(self._hashes, stored, strict=True)]
            theirs = [other or one for other, one in zip(stored, ours, strict=True)]
            self._compare(ours, theirs)
            parents = _into(report.by_leaves, stretch.low, wanted, ours)
            other = _into(report.by_tiles, stretch.low, wanted, theirs)
        check_tile(1, stretch.low // STRETCH, parents, other, parent, report.findings)
        return report

    def _gap(self, start: int, end: int) -> None:
        if start < end:
            self.report.findings.add(FaultKind.LEAF_MISSING, None, start, end=end)
            self._hashes += [b""] * (end - start)
            self._names += [(None, "")] * (end - start)

    def _compare(self, ours: Sequence[bytes], theirs: Sequence[bytes]) -> None:
        """Note which leaves differ from the stored tree."""
        low, report = self._stretch.low, self.report
        sealed = {stored: low + place for place, stored in enumerate(theirs)}
        for place, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            if our == their:
                continue
            report.differing += 1
            if len(report.differences) < SHOWN:
                entry, kind = self._names[place]
                report.differences.append(Difference(low + place, entry, kind, sealed.get(our)))


def _stored(stretch: Stretch, tiles: Mapping[int, bytes], findings: Findings) -> list[bytes]:
    """The hashes of level 0 as they are stored; empty where there is none."""
    hashes: list[bytes] = []
    for low in range(stretch.low, stretch.high, TILE):
        wanted = min(TILE, stretch.high - low)
        tile = tiles.get(low // TILE)
        if tile is None:
            findings.add(FaultKind.TILE_MISSING, None, None, level=0, tile=low // TILE)
            hashes += [b""] * wanted
            continue
        if len(tile) > wanted * HASH_SIZE:
            findings.add(FaultKind.TILE_BEYOND, None, None, level=0, tile=low // TILE)
        elif len(tile) < wanted * HASH_SIZE:
            findings.add(FaultKind.TILE_CHANGED, None, None, level=0, tile=low // TILE)
        parts = [tile[place : place + HASH_SIZE] for place in range(0, wanted * HASH_SIZE, HASH_SIZE)]
        hashes += [part if len(part) == HASH_SIZE else b"" for part in parts]
    return hashes


def _into(tree: Tree, start: int, sizes: Sequence[int], hashes: Sequence[bytes]) -> list[bytes]:
    """Fill in the tree over these hashes, whose first is of index `start`; the hashes of whole tiles."""
    frontier, parents = Frontier(), []
    wanted = deque(sizes)
    for low in range(0, len(hashes), TILE):
        tile = hashes[low : low + TILE]
        at = start + low
        while wanted and wanted[0] <= at + len(tile):
            size = wanted.popleft()
            tree.roots[size] = over(frontier, root_of(tile[: size - at]))
        if len(tile) == TILE:
            parent = _subtree(tile)
            parents.append(parent)
            frontier.append(parent)
            tree.whole = frontier.root()
        else:
            tree.whole = over(frontier, root_of(tile))
    return parents


def over(frontier: Frontier, last: bytes) -> bytes:
    """The root over the subtrees of a frontier and one that is not greater than its unit."""
    for left in reversed(frontier.hashes):
        last = node_hash(left, last)
    return last


def _subtree(hashes: Sequence[bytes]) -> bytes:
    """The hash over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def check_tile(
    level: int,
    tile: int,
    by_leaves: Sequence[bytes],
    by_tiles: Sequence[bytes],
    stored: bytes | None,
    findings: Findings,
) -> None:
    """Hold a stored tile against what the level below gives: by the leaves, or where those differ by their tiles."""
    if stored is None:
        if by_leaves:
            findings.add(FaultKind.TILE_MISSING, None, None, level=level, tile=tile)
        return
    if len(stored) > len(by_leaves) * HASH_SIZE:
        findings.add(FaultKind.TILE_BEYOND, None, None, level=level, tile=tile)
        return
    parts = [stored[place : place + HASH_SIZE] for place in range(0, len(stored), HASH_SIZE)]
    if len(parts) != len(by_leaves) or any(
        part not in allowed for part, *allowed in zip(parts, by_leaves, by_tiles, strict=True)
    ):
        findings.add(FaultKind.TILE_CHANGED, None, None, level=level, tile=tile)
