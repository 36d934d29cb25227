"""The entries of a bundle, one line each: every leaf leads to the root, every payload fits its leaf. Pure.

One pass in constant memory for each entry but for its id, so that a stretch of a long log can be verified too.
"""

from __future__ import annotations

import hashlib
import heapq
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .documents import DocumentFault, read_hashes, read_object, whole
from .leaf import SALT_SIZE, Leaf, LeafFault, commitment, read_leaf
from .note import Checkpoint, NoteFault
from .report import Check, Place, Report
from .stretch import StretchReader
from .tree import ProofFault, leaf_hash, root_by_inclusion
from .trust import RESTORED, ROTATED, Succession, SuccessionFault, read_succession
from .words import Words

NAME = "entries.jsonl"
EXPORTED, ERASED = "evidence.exported", "evidence.erased"
_UNEXPLAINED = Words(
    "its payload is missing, and no later entry of an erasure in this bundle names it",
    "其内容缺失，而包中没有提及它的、后来的删除条目",
)
_MEMBERS = {"index", "leaf", "payload", "proof", "salt"}


def is_listed(entry: int, kind: str, exported: int | None) -> bool:
    """Whether the entry of the export speaks for that entry: not for itself, nor for what the log says of itself, which
    may be added later."""
    return entry != exported and not kind.startswith("log.")


def listed(entries: Iterable[int]) -> dict[str, Any]:
    """How the entry of the export says which entries the bundle holds: how many, and SHA-256 over their ids in
    ascending order, each in decimal digits with a line feed behind."""
    ids = sorted(entries)
    return {"count": len(ids), "sha256": hashlib.sha256(b"".join(b"%d\n" % entry for entry in ids)).hexdigest()}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a bundle, as it is given."""

    index: int
    leaf: Leaf
    proof: list[bytes]
    salt: bytes | None
    payload: bytes | None


@dataclass
class Found:
    """What the entries say that other checks need; only of entries that are proven."""

    exported: dict[str, Any] | None = None
    successions: list[Succession] = field(default_factory=list)
    files: dict[str, Place] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)


class EntryReader:
    """Reads the lines in their order, and reports what is false. `exported`: the id of the entry of the export."""

    def __init__(self, report: Report, checkpoint: Checkpoint, exported: int, stretch: StretchReader | None) -> None:
        self._report, self._checkpoint, self._exported, self._stretch = report, checkpoint, exported, stretch
        self._last = -1
        self._entries = array("q")
        self._listed = array("q")
        self._erased: list[Place] = []
        self._erasures: list[tuple[int, int, int]] = []
        self.found = Found()

    def line(self, number: int, data: bytes) -> None:
        """One line, without its end."""
        place = Place(NAME, number)
        try:
            line = _read_line(data)
        except (DocumentFault, LeafFault) as fault:
            self._report.false(Check.ENTRY, _hinted(place, data), fault.said)
            return
        place = Place(NAME, number, line.index, line.leaf.entry, line.leaf.kind)
        self._ordered(line, place)
        if self._proven(line, place):
            self._said(line, place)

    def finish(self) -> Found:
        """What needs all lines: erasures, and that no entry occurs twice."""
        if not self._entries:
            self._report.false(Check.ENTRY, Place(NAME), Words("it holds no entry", "其中没有条目"))
        ids = sorted(self._entries)
        for first, second in pairwise(ids):
            if first == second:
                said = Words(f"entry {first} occurs more than once", f"条目 {first} 出现不止一次")
                self._report.false(Check.ENTRY, Place(NAME), said)
        self._check_erased()
        self.found.entries = listed(self._listed)
        return self.found

    def _ordered(self, line: Line, place: Place) -> None:
        if line.index <= self._last:
            said = Words(
                "it stands behind an entry of a greater index, or twice", "它排在索引更大的条目之后，或重复出现"
            )
            self._report.false(Check.ENTRY, place, said)
        self._last = max(self._last, line.index)
        self._entries.append(line.leaf.entry)
        if is_listed(line.leaf.entry, line.leaf.kind, self._exported):
            self._listed.append(line.leaf.entry)

    def _proven(self, line: Line, place: Place) -> bool:
        data = leaf_hash(line.leaf.data())
        if self._stretch and self._stretch.covers(line.index):
            self._stretch.leaf(self._report, place, line.leaf, data, line.proof)
            return True
        try:
            root = root_by_inclusion(line.index, self._checkpoint.size, data, line.proof)
        except ProofFault as fault:
            self._report.false(Check.PROOF, place, fault.said)
            return False
        if root != self._checkpoint.root:
            said = Words(
                "its proof does not lead to the checkpoint's root: the leaf, its index or the proof was changed, or it "
                "is not of this log",
                "其证明得不到检查点的根散列：叶、索引或证明被改动过，或它不属于此日志",
            )
            self._report.false(Check.PROOF, place, said)
            return False
        return True

    def _said(self, line: Line, place: Place) -> None:
        if (line.salt is None) != (line.payload is None):
            said = Words("it has one of salt and payload without the other", "盐与内容只有其一")
            self._report.false(Check.PAYLOAD, place, said)
        elif line.salt is None or line.payload is None:
            if not (self._stretch and self._stretch.hides(line.index, line.leaf)):
                self._erased.append(place)
        elif commitment(line.salt, line.payload) != line.leaf.commitment:
            said = Words(
                "its payload and salt are not those that the log commits to: one of them was changed",
                "其内容和盐与日志所承诺的不符：其中之一被改动过",
            )
            self._report.false(Check.PAYLOAD, place, said)
        else:
            self._read(line, place, line.payload)

    def _read(self, line: Line, place: Place, text: bytes) -> None:
        try:
            payload = read_object(text)
        except DocumentFault as fault:
            self._report.warn(Check.PAYLOAD, place, fault.said)
            return
        if self._stretch:
            self._stretch.said(line.index, line.leaf, payload)
        for name in _files(payload):
            self.found.files.setdefault(name, place)
        match line.leaf.kind:
            case kind if kind in (ROTATED, RESTORED):
                self._succeeded(payload, place)
            case kind if kind == ERASED:
                self._erasure(line, payload, place)
            case kind if kind == EXPORTED and line.leaf.entry == self._exported:
                self.found.exported = payload

    def _succeeded(self, payload: dict[str, Any], place: Place) -> None:
        try:
            self.found.successions.append(read_succession(payload, place))
        except (NoteFault, SuccessionFault) as fault:
            self._report.false(Check.KEY, place, fault.said)

    def _erasure(self, line: Line, payload: dict[str, Any], place: Place) -> None:
        ranges = payload.get("entries")
        for pair in ranges if isinstance(ranges, list) else [None]:
            low, high = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
            first, last = whole(low), whole(high)
            if first is None or last is None or first > last:
                said = Words("`entries` is no list of [first id, last id]", "`entries` 不是 [首个, 末个] 编号的列表")
                self._report.false(Check.ERASURE, place, said)
                return
            self._erasures.append((first, last, line.index))

    def _check_erased(self) -> None:
        """Each entry without payload must be named by an erasure that stands behind it."""
        ranges = iter(sorted(self._erasures))
        waiting, open_ranges = next(ranges, None), list[tuple[int, int]]()
        right = 0
        for place in sorted(self._erased, key=lambda place: place.entry or 0):
            entry, index = place.entry or 0, place.index or 0
            while waiting and waiting[0] <= entry:
                heapq.heappush(open_ranges, (-waiting[2], waiting[1]))
                waiting = next(ranges, None)
            while open_ranges and open_ranges[0][1] < entry:
                heapq.heappop(open_ranges)
            if open_ranges and -open_ranges[0][0] > index:
                right += 1
            else:
                self._report.false(Check.ERASURE, place, _UNEXPLAINED)
        if right:
            said = Words(
                f"what {right} of them said was erased, as later entries say",
                f"其中 {right} 条的内容已删除，后来的条目对此有记载",
            )
            self._report.right(Check.ERASURE, Place(NAME), said)
        self._report.facts |= {"entries": len(self._entries), "erased": right}


def _read_line(data: bytes) -> Line:
    fields = read_object(data)
    if fields.keys() != _MEMBERS:
        raise DocumentFault(
            "an entry has the members `index`, `leaf`, `payload`, `proof` and `salt`",
            "条目应有 `index`、`leaf`、`payload`、`proof` 和 `salt` 这些成员",
        )
    leaf = read_leaf(fields["leaf"])
    index, payload = whole(fields["index"]), fields["payload"]
    if index is None or not (payload is None or isinstance(payload, str)):
        raise DocumentFault(
            "an entry's `index` is a whole number, its `payload` a text or null",
            "条目的 `index` 应为整数，`payload` 应为文本或 null",
        )
    encoded = payload.encode() if payload is not None else None
    return Line(index, leaf, read_hashes(fields["proof"]), _salt(fields["salt"]), encoded)


def _salt(text: Any) -> bytes | None:
    if text is None:
        return None
    try:
        salt = bytes.fromhex(text)
    except (TypeError, ValueError):
        salt = b""
    if len(salt) != SALT_SIZE or salt.hex() != text:
        raise DocumentFault("a salt is of 32 lower-case hexadecimal digits", "盐应为 32 位小写十六进制数")
    return salt


def _hinted(place: Place, data: bytes) -> Place:
    """The place with what the line says of itself, as far as it can be read."""
    try:
        fields = read_object(data)
        leaf = fields["leaf"]
        index, entry = whole(fields["index"]), whole(leaf["entry"])
        known = read_leaf({**leaf, "commitment": "00" * 32, "at": "2026-01-01T00:00:00+00:00", "v": 1})
    except (DocumentFault, LeafFault, KeyError, TypeError):
        return place
    return Place(place.file, place.line, index, entry, known.kind) if index is not None else place


def _files(payload: dict[str, Any]) -> list[str]:
    """The files that a payload names by their SHA-256: what a consent or a refusal rests on, and recordings."""
    artefact = payload.get("artefact")
    named: list[Any] = []
    if isinstance(artefact, dict):
        named = [] if artefact.get("kind") == "request" else [artefact.get("sha256"), artefact.get("clip")]
    elif isinstance(artefact, list):
        named = artefact[:1]
    return [name for name in [*named, payload.get("recording"), payload.get("clip")] if _is_digest(name)]


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
