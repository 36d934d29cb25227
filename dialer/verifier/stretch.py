"""A stretch of the log that is there without a gap: what proves that something did not happen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .documents import DocumentFault, read_hashes, whole
from .leaf import Leaf
from .note import Checkpoint
from .report import Check, Place, Report
from .tree import ProofFault, Stretch
from .words import Words

_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_MENTIONS = 1000
_MEMBERS = {"start", "end", "kinds", "subject", "path"}


@dataclass(frozen=True, slots=True)
class StretchClaim:
    """All leaves from `start` to before `end` are in the bundle; those of `kinds` with what they say."""

    start: int
    end: int
    kinds: tuple[str, ...]
    subject: Any
    path: list[bytes]


def read_claim(value: Any, size: int) -> StretchClaim | None:
    """The member `stretch` of a bundle. Raises `DocumentFault`."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != _MEMBERS:
        raise DocumentFault("`stretch` is not written as it should be", "`stretch` 的写法不对")
    start, end, kinds = whole(value["start"]), whole(value["end"]), value["kinds"]
    if start is None or end is None or not start < end <= size:
        raise DocumentFault("`stretch` is no stretch of a log of this size", "`stretch` 不是此大小的日志中的一段")
    if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) for kind in kinds):
        raise DocumentFault("`stretch` names no kinds of entries", "`stretch` 没有列出条目的种类")
    return StretchClaim(start, end, tuple(kinds), value["subject"], read_hashes(value["path"]))


class StretchReader:
    """Follows the leaves of a stretch, in their order."""

    def __init__(self, claim: StretchClaim) -> None:
        self._claim = claim
        self._stretch = Stretch(claim.start)
        self._is_broken = False
        self._numbers = frozenset(t for t in _texts(claim.subject) if _NUMBER.fullmatch(t))
        self._mentions: list[int] = []
        self._told = self._untold = self._mentioned = 0
        self._first: datetime | None = None
        self._last: datetime | None = None

    def covers(self, index: int) -> bool:
        """Whether the stretch should hold that leaf."""
        return self._claim.start <= index < self._claim.end

    def hides(self, index: int, leaf: Leaf) -> bool:
        """Whether a leaf may be there without what it says."""
        if not self.covers(index):
            return False
        if leaf.kind in self._claim.kinds:
            self._untold += 1
            return False
        return True

    def leaf(self, report: Report, place: Place, leaf: Leaf, hash: bytes, proof: list[bytes]) -> None:
        """The next leaf of the stretch; reports those that are missing before it."""
        if proof:
            said = Words("an entry within the stretch has no proof of its own", "段内的条目没有自己的证明")
            report.false(Check.PROOF, place, said)
        index = place.index or 0
        if index != self._stretch.end:
            self._is_broken = True
            if index > self._stretch.end:
                report.false(Check.STRETCH, place, _missing(self._stretch.end, index))
                self._stretch.end = index
            else:
                return
        self._stretch.append(hash)
        self._first = min(self._first or leaf.at, leaf.at)
        self._last = max(self._last or leaf.at, leaf.at)

    def said(self, index: int, leaf: Leaf, payload: dict[str, Any]) -> None:
        """What a leaf of the stretch says."""
        if not self.covers(index) or leaf.kind not in self._claim.kinds:
            return
        self._told += 1
        if self._numbers and any(text in self._numbers for text in _texts(payload)):
            self._mentioned += 1
            if len(self._mentions) < _MENTIONS:
                self._mentions.append(leaf.entry)

    def finish(self, report: Report, checkpoint: Checkpoint) -> bool:
        """Whether all leaves are there, and lead to the root."""
        claim, place = self._claim, Place("bundle.json")
        if self._stretch.end < claim.end:
            report.false(Check.STRETCH, place, _missing(self._stretch.end, claim.end))
            return False
        if self._is_broken:
            return False
        try:
            is_right = self._stretch.root(checkpoint.size, claim.path) == checkpoint.root
        except ProofFault as fault:
            report.false(Check.STRETCH, place, fault.said)
            return False
        if not is_right:
            said = Words(
                f"the leaves from index {claim.start} to {claim.end - 1} do not lead to the checkpoint's root: one of "
                "them or the path was changed",
                f"索引 {claim.start} 至 {claim.end - 1} 的叶得不到检查点的根散列：其中有叶或路径被改动过",
            )
            report.false(Check.STRETCH, place, said)
            return False
        self._conclude(report, place)
        return True

    def _conclude(self, report: Report, place: Place) -> None:
        claim = self._claim
        kinds = ", ".join(claim.kinds)
        report.facts["stretch"] = {
            "start": claim.start,
            "end": claim.end,
            "kinds": list(claim.kinds),
            "first_at": self._first and self._first.isoformat(),
            "last_at": self._last and self._last.isoformat(),
            "told": self._told,
            "untold": self._untold,
            "numbers": sorted(self._numbers),
            "mentioned": self._mentioned,
            "mentions": self._mentions,
        }
        report.right(
            Check.STRETCH,
            place,
            Words(
                f"the log has no other from index {claim.start} to {claim.end - 1} ({self._first} to {self._last}), "
                f"and of {kinds} there are {self._told + self._untold}",
                f"索引 {claim.start} 至 {claim.end - 1}（{self._first} 至 {self._last}）之间日志没有其他叶；"
                f"其中 {kinds} 有 {self._told + self._untold} 条",
            ),
        )
        if self._untold:
            said = Words(
                f"what {self._untold} of them said was erased, so that nothing follows from these",
                f"其中 {self._untold} 条的内容已删除，由此得不出结论",
            )
            report.warn(Check.STRETCH, place, said)
        if self._numbers:
            numbers, entries = ", ".join(sorted(self._numbers)), ", ".join(map(str, self._mentions[:20]))
            said = Words(
                f"{self._mentioned} of them speak of {numbers}" + (f": entries {entries}" if entries else ""),
                f"其中 {self._mentioned} 条提到 {numbers}" + (f"：条目 {entries}" if entries else ""),
            )
            report.right(Check.STRETCH, place, said)


def _missing(low: int, high: int) -> Words:
    if high - low == 1:
        return Words(f"the leaf of index {low} is missing from the stretch", f"该段缺少索引为 {low} 的叶")
    return Words(
        f"the leaves of the indexes {low} to {high - 1} are missing from the stretch",
        f"该段缺少索引 {low} 至 {high - 1} 的叶",
    )


def _texts(value: Any) -> Iterator[str]:
    """All texts in plain data; its depth is bounded by the reading of JSON."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as object:
                waiting.extend(object.values())
            case list() as items:
                waiting.extend(items)
