"""The whole check: stretch after stretch, then what no stretch sees. Memory does not grow with the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dialer.fsck.faults import SHOWN, FaultKind, Findings
from dialer.fsck.keys import Keys, signed_by
from dialer.fsck.stretch import STRETCH, TILE, Difference, Erased, Stretch, StretchReport, check_tile, over, stretches
from dialer.hostile import printable
from dialer.verifier.note import Checkpoint, Note, NoteFault, VerifierKey, read_checkpoint, read_note, verify
from dialer.verifier.tree import EMPTY_ROOT, Frontier, node_hash
from dialer.verifier.words import Words


@dataclass(frozen=True, slots=True)
class Outline:
    """What there is: `leaves` rows up to before index `size`, `said` what the log says its size is (None: it has not
    begun), `waiting` entries in the queue."""

    size: int
    leaves: int
    said: int | None
    waiting: int
    checkpoints: int
    keys: Keys
    erased: Erased


@dataclass(frozen=True, slots=True)
class CosignatureRow:
    """A witness's signature line, and the note that it is for (None: there is none of that size)."""

    size: int
    witness: str
    line: str
    note: str | None


class Snapshot(Protocol):
    """One state of the database, however long the check takes. Every method raises `StoreUnavailable`."""

    async def outline(self, findings: Findings) -> Outline: ...

    def stretches(self, works: Iterator[Stretch], outline: Outline) -> AsyncIterator[StretchReport]:
        """What is found in each, in order."""

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]: ...

    async def upper_tiles(self) -> dict[tuple[int, int], bytes]:
        """Those above level 1."""

    async def tiles_beyond(self, size: int) -> list[tuple[int, int]]:
        """Level and index of those that no leaf of a log of this size reaches."""

    async def published(self, sizes: Sequence[int]) -> set[int]:
        """Those at which a checkpoint is in the table."""

    async def newest_checkpoint(self, size: int) -> int | None:
        """The size of the newest one up to this size."""

    async def checkpoints_beyond(self, size: int) -> list[int]: ...

    async def cosignatures(self) -> list[CosignatureRow]: ...

    async def waiting(self, outline: Outline, findings: Findings) -> None:
        """The queue, and what waits in it."""

    async def leftovers(self, start: int, findings: Findings) -> None:
        """Entries that are neither sealed nor wait, payloads of no entry, rows without an entry; of the entries only
        those since the leaf `start`, and rows only when that is 0."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that was kept outside the database, and where."""

    where: str
    text: str


@dataclass(slots=True)
class Checked:
    """What the check came to."""

    size: int = 0
    start: int = 0
    waiting: int = 0
    checkpoints: int = 0
    erased: int = 0
    files: int = 0
    keys: list[VerifierKey] = field(default_factory=list)
    newest: Checkpoint | None = None
    findings: Findings = field(default_factory=Findings)
    notes: list[Words] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no fault was found."""
        return not self.findings.total


async def check(
    snapshot: Snapshot,
    start: int = 0,
    kept: Sequence[Kept] = (),
    witnesses: Sequence[VerifierKey] = (),
    on_progress: Callable[[int, int], None] = lambda done, size: None,
) -> Checked:
    """Derive the log again from the leaf `start` on, and hold it against itself and what was kept outside.

    What lies before `start` is taken from the stored tree; the signed roots after it still bind it.
    """
    checked = Checked(start=start)
    outline = await snapshot.outline(checked.findings)
    checked.size, checked.waiting, checked.checkpoints = outline.size, outline.waiting, outline.checkpoints
    checked.keys = list(outline.keys.by_id.values())
    anchors = _Anchors(kept, outline, checked)
    walk = _Walk(checked, anchors)
    await walk.begin(snapshot, min(start, outline.size))
    works = stretches(start, outline.size, anchors.sizes)
    async for report in snapshot.stretches(works, outline):
        walk.take(report)
        on_progress(report.stretch.high, outline.size)
    walk.judge()
    await walk.upper(snapshot, start)
    await _size(snapshot, outline, checked)
    await anchors.unknown(snapshot)
    _cosigned(await snapshot.cosignatures(), witnesses, checked)
    await snapshot.waiting(outline, checked.findings)
    await snapshot.leftovers(start - start % STRETCH, checked.findings)
    return checked


class _Walk:
    """The tree over the stretches, by the leaves and by the stored tiles."""

    def __init__(self, checked: Checked, anchors: _Anchors) -> None:
        self._checked, self._anchors = checked, anchors
        self._leaves, self._tiles = Frontier(), Frontier()
        self._level_2: tuple[list[bytes], list[bytes]] = ([], [])
        self._differences: list[Difference] = []
        self._differing = 0
        self._right: str | None = None

    async def begin(self, snapshot: Snapshot, start: int) -> None:
        """Take what lies before from the stored tree."""
        tiles = await snapshot.tiles(2, 0, start // STRETCH // TILE + 1) if start >= STRETCH else {}
        hashes = b"".join(tiles[each] for each in sorted(tiles))
        for place in range(start // STRETCH):
            self._append(hashes[32 * place : 32 * place + 32], hashes[32 * place : 32 * place + 32])
        if start == 0 and 0 in self._anchors.sizes:
            self._anchors.meet(0, EMPTY_ROOT, EMPTY_ROOT)

    def _append(self, leaves: bytes, tiles: bytes) -> None:
        self._leaves.append(leaves)
        self._tiles.append(tiles)
        self._level_2[0].append(leaves)
        self._level_2[1].append(tiles)

    def take(self, report: StretchReport) -> None:
        """The next stretch."""
        checked = self._checked
        checked.findings.merge(report.findings)
        checked.erased += report.erased
        self._differing += report.differing
        self._differences += report.differences[: max(0, SHOWN - len(self._differences))]
        for said in report.checkpoints:
            ours, theirs = self._roots(report, said.size)
            if said.root not in (ours, theirs):
                checked.findings.add(FaultKind.CHECKPOINT_ROOT, None, None, size=said.size)
                self._right = None
                continue
            checked.newest = said
            if ours != theirs:
                self._right = "leaves" if said.root == ours else "tiles"
        for size in report.stretch.sizes:
            self._anchors.meet(size, *self._roots(report, size))
        if report.stretch.high - report.stretch.low == STRETCH:
            self._append(report.by_leaves.whole, report.by_tiles.whole)

    def _roots(self, report: StretchReport, size: int) -> tuple[bytes, bytes]:
        return over(self._leaves, report.by_leaves.roots[size]), over(self._tiles, report.by_tiles.roots[size])

    def judge(self) -> None:
        """Which is right where entries and tree differ: what was signed says it."""
        findings = self._checked.findings
        told: set[int] = set()
        for each in self._differences:
            if self._right == "leaves":
                if each.index // TILE not in told:
                    told.add(each.index // TILE)
                    findings.add(FaultKind.TILE_CHANGED, None, None, level=0, tile=each.index // TILE)
            elif each.sealed is not None:
                findings.add(FaultKind.ENTRY_MOVED, each.entry, each.index, sealed=each.sealed)
            elif self._right == "tiles":
                findings.add(FaultKind.ENTRY_CHANGED, each.entry, each.index, kind=printable(each.kind, 64))
            else:
                findings.add(FaultKind.TREE_DOUBTFUL, each.entry, each.index, kind=printable(each.kind, 64))
        if (more := self._differing - len(self._differences)) > 0:
            kind = FaultKind.TILE_CHANGED if self._right == "leaves" else FaultKind.ENTRY_CHANGED
            findings.counts[kind] += more

    async def upper(self, snapshot: Snapshot, start: int) -> None:
        """The tiles above level 1, and those that no leaf reaches."""
        stored, findings = await snapshot.upper_tiles(), self._checked.findings
        level, (ours, theirs) = 2, self._level_2
        while ours:
            for low in range(0, len(ours), TILE):
                tile = stored.get((level, low // TILE))
                check_tile(level, low // TILE, ours[low : low + TILE], theirs[low : low + TILE], tile, findings)
            ours, theirs = _parents(ours), _parents(theirs)
            level += 1
        for high, index in await snapshot.tiles_beyond(self._checked.size):
            findings.add(FaultKind.TILE_BEYOND, None, None, level=high, tile=index)


def _parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes over whole tiles, eight levels up."""
    whole = list(hashes[: len(hashes) - len(hashes) % TILE])
    for _ in range(8):
        whole = [node_hash(left, right) for left, right in zip(whole[::2], whole[1::2], strict=True)]
    return whole


class _Anchors:
    """Checkpoints that were kept outside the database."""

    def __init__(self, kept: Sequence[Kept], outline: Outline, checked: Checked) -> None:
        self._checked, self._outline = checked, outline
        self._known: list[tuple[Kept, Checkpoint]] = []
        for each in kept:
            self._read(each)
        self.sizes = sorted({said.size for _, said in self._known})

    def _read(self, kept: Kept) -> None:
        findings = self._checked.findings
        try:
            note = read_note(kept.text)
            said = read_checkpoint(note.text)
            key = signed_by(note, list(self._outline.keys.by_id.values()))
            if said.origin != key.name:
                origin = printable(said.origin, 80)
                raise NoteFault(f"it is of the log `{origin}`", f"它属于日志 `{origin}`")
        except NoteFault as fault:
            findings.add(FaultKind.KEPT_KEY, None, None, where=kept.where, why=fault.said)
            return
        if said.origin in self._outline.keys.former:
            self._checked.notes.append(
                Words(
                    f"the checkpoint in `{kept.where}` is of `{said.origin}`, a name that the log gave up after a loss",
                    f"`{kept.where}` 中的检查点属于 `{said.origin}`，日志在丢失之后已放弃该名称",
                )
            )
        elif said.size > self._outline.size:
            size, leaves = said.size, self._outline.size
            findings.add(FaultKind.KEPT_SHORTER, None, None, where=kept.where, size=size, leaves=leaves)
        elif said.size <= self._checked.start - self._checked.start % STRETCH and self._checked.start:
            self._checked.notes.append(
                Words(
                    f"the checkpoint in `{kept.where}` lies before where the check began",
                    f"`{kept.where}` 中的检查点位于检查起点之前",
                )
            )
        else:
            self._known.append((kept, said))

    def meet(self, size: int, by_leaves: bytes, by_tiles: bytes) -> None:
        """The root at a size was found."""
        for kept, said in self._known:
            if said.size == size and said.root not in (by_leaves, by_tiles):
                self._checked.findings.add(FaultKind.KEPT_DIFFERS, None, None, where=kept.where, size=size)

    async def unknown(self, snapshot: Snapshot) -> None:
        """Those that were published and are not in the table."""
        published = await snapshot.published(self.sizes)
        for kept, said in self._known:
            if said.size and said.size not in published:
                self._checked.findings.add(FaultKind.KEPT_UNKNOWN, None, None, where=kept.where, size=said.size)


async def _size(snapshot: Snapshot, outline: Outline, checked: Checked) -> None:
    """Leaves, the log's own word and its checkpoints say one size."""
    leaves, findings = outline.size, checked.findings
    if (outline.said or 0) != leaves:
        findings.add(FaultKind.STATE_SIZE, None, None, size=outline.said or 0, leaves=leaves)
    newest = await snapshot.newest_checkpoint(leaves) or 0
    if newest != leaves:
        findings.add(FaultKind.CHECKPOINT_MISSING, None, None, leaves=leaves, size=newest)
    for size in await snapshot.checkpoints_beyond(leaves):
        findings.add(FaultKind.CHECKPOINT_BEYOND, None, None, size=size, leaves=leaves)


def _cosigned(rows: Sequence[CosignatureRow], witnesses: Sequence[VerifierKey], checked: Checked) -> None:
    """Witnesses' signatures, by the keys that are known here."""
    unknown: set[str] = set()
    for row in rows:
        witness = printable(row.witness, 80)
        if row.note is None:
            checked.findings.add(FaultKind.COSIGNATURE_ALONE, None, None, size=row.size, witness=witness)
            continue
        try:
            text = read_note(row.note).text
            note = read_note(f"{text}\n{row.line.rstrip()}\n")
            keys = [key for key in witnesses if _names(note, key)]
            for key in keys:
                verify(note, key)
        except NoteFault as fault:
            wrong = {"size": row.size, "witness": witness, "why": fault.said}
            checked.findings.add(FaultKind.COSIGNATURE_WRONG, None, None, **wrong)
            continue
        if not keys:
            unknown.add(witness)
    if unknown:
        names = ", ".join(f"`{name}`" for name in sorted(unknown)[:10])
        checked.notes.append(
            Words(
                f"no key of the witnesses {names} is in the settings, so their signatures were not checked",
                f"设置中没有见证方 {names} 的密钥，因此未检查其签名",
            )
        )


def _names(note: Note, key: VerifierKey) -> bool:
    return any(each.name == key.name and each.key_hash == key.hash for each in note.signatures)
