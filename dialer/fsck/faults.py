"""What can be wrong with the log, in words: which entry, what is wrong, what it suggests. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dialer.verdict import Language
from dialer.verifier.words import Words

SHOWN = 200
"""How many faults are listed; all are counted."""


class FaultKind(StrEnum):
    """Closed. Every kind has a sentence and what it suggests, in English and Chinese."""

    PAYLOAD_CHANGED = "payload_changed"
    PAYLOAD_MISSING = "payload_missing"
    PAYLOAD_ALONE = "payload_alone"
    PAYLOAD_ERASED_YET_THERE = "payload_erased_yet_there"
    ENTRY_CHANGED = "entry_changed"
    ENTRY_MOVED = "entry_moved"
    ENTRY_MISSING = "entry_missing"
    ENTRY_TWICE = "entry_twice"
    ENTRY_UNSEALED = "entry_unsealed"
    LEAF_MISSING = "leaf_missing"
    LEAF_TWICE = "leaf_twice"
    TILE_CHANGED = "tile_changed"
    TILE_MISSING = "tile_missing"
    TILE_BEYOND = "tile_beyond"
    TREE_DOUBTFUL = "tree_doubtful"
    CHECKPOINT_ROOT = "checkpoint_root"
    CHECKPOINT_ROW = "checkpoint_row"
    CHECKPOINT_SIGNATURE = "checkpoint_signature"
    CHECKPOINT_KEY = "checkpoint_key"
    CHECKPOINT_BEYOND = "checkpoint_beyond"
    CHECKPOINT_MISSING = "checkpoint_missing"
    STATE_SIZE = "state_size"
    KEY_UNLINKED = "key_unlinked"
    KEY_MISSING = "key_missing"
    KEY_ROTATION = "key_rotation"
    WAITING_MISSING = "waiting_missing"
    WAITING_SEALED = "waiting_sealed"
    WAITING_TWICE = "waiting_twice"
    ORDER = "order"
    RECORD_CHANGED = "record_changed"
    RECORD_MISSING = "record_missing"
    RECORD_ALONE = "record_alone"
    IMPORT_COUNT = "import_count"
    FILE_CHANGED = "file_changed"
    KEPT_SHORTER = "kept_shorter"
    KEPT_DIFFERS = "kept_differs"
    KEPT_KEY = "kept_key"
    KEPT_UNKNOWN = "kept_unknown"
    COSIGNATURE_WRONG = "cosignature_wrong"
    COSIGNATURE_ALONE = "cosignature_alone"

    def text(self, language: Language, detail: dict[str, Any]) -> str:
        """What is wrong. Of the particulars, `Words` are in both languages."""
        said = {name: value.by(language) if isinstance(value, Words) else value for name, value in detail.items()}
        return _TEXTS[self][language == "zh"].format(**said)

    def suggests(self, language: Language) -> str:
        """What it suggests was done."""
        return _SUGGESTS[_TEXTS[self][2]][language == "zh"]


_SUGGESTS: dict[str, tuple[str, str]] = {
    "changed": ("a row was changed behind the log's back", "有人绕过日志修改了数据行"),
    "deleted": ("a row was deleted behind the log's back", "有人绕过日志删除了数据行"),
    "inserted": (
        "a row was inserted behind the log's back, or its leaf was deleted",
        "有人绕过日志插入了数据行，或删除了对应的叶",
    ),
    "reordered": ("entries were reordered, inserted or taken out", "条目被重新排序、插入或抽走"),
    "truncated": (
        "the newest part of the log was cut off, or an old copy of the database was restored: find the newer one, "
        "or see `heedline evidence accept-restore`",
        "日志最新部分被截断，或恢复了旧的数据库副本：请找回较新的副本，或参见 `heedline evidence accept-restore`",
    ),
    "rewritten": ("the log was rewritten after it was published", "日志在发布之后被改写"),
    "resigned": ("the log was signed anew with another key", "日志被换用其他密钥重新签名"),
    "tree": ("the stored tree was changed; the entries are as they were signed", "存储的树被改动；条目与签名时一致"),
    "queue": ("the queue of entries that wait was changed by hand", "等待封存的队列被人为改动"),
    "file": ("the file was changed or damaged: restore it from a copy", "文件被改动或损坏：请从副本恢复"),
    "erased": ("erased data was put back", "已抹除的数据被重新放回"),
}

# English, Chinese, what it suggests.
_TEXTS: dict[FaultKind, tuple[str, str, str]] = {
    FaultKind.PAYLOAD_CHANGED: (
        "what the entry says does not fit its commitment",
        "条目内容与其承诺值不符",
        "changed",
    ),
    FaultKind.PAYLOAD_MISSING: (
        "what the entry says is missing, and no erasure names it",
        "条目内容缺失，且没有任何抹除条目提及它",
        "deleted",
    ),
    FaultKind.PAYLOAD_ALONE: ("a payload belongs to no entry", "内容不属于任何条目", "deleted"),
    FaultKind.PAYLOAD_ERASED_YET_THERE: (
        "an erasure names the entry, yet what it says is there",
        "抹除条目提及该条目，但其内容仍在",
        "erased",
    ),
    FaultKind.ENTRY_CHANGED: (
        "the entry `{kind}` is not the one that was sealed at this index",
        "条目 `{kind}` 不是在此索引处封存的那一条",
        "changed",
    ),
    FaultKind.ENTRY_MOVED: (
        "the entry was sealed at index {sealed}, and stands at index {index}",
        "该条目封存于索引 {sealed}，现位于索引 {index}",
        "reordered",
    ),
    FaultKind.ENTRY_MISSING: ("the leaf's entry is missing", "叶所对应的条目缺失", "deleted"),
    FaultKind.ENTRY_TWICE: ("the entry has more than one leaf", "该条目有不止一片叶", "inserted"),
    FaultKind.ENTRY_UNSEALED: (
        "the entry `{kind}` of {at} is neither sealed nor waiting to be",
        "{at} 的条目 `{kind}` 既未封存也不在等待封存",
        "inserted",
    ),
    FaultKind.LEAF_MISSING: (
        "the leaves from index {index} to before {end} are missing",
        "缺失索引 {index} 至 {end}（不含）的叶",
        "deleted",
    ),
    FaultKind.LEAF_TWICE: ("two leaves have this index", "有两片叶使用此索引", "inserted"),
    FaultKind.TILE_CHANGED: (
        "tile {tile} of level {level} is not what the leaves give",
        "第 {level} 层的瓦片 {tile} 与叶计算结果不符",
        "tree",
    ),
    FaultKind.TILE_MISSING: ("tile {tile} of level {level} is missing", "缺失第 {level} 层的瓦片 {tile}", "tree"),
    FaultKind.TILE_BEYOND: (
        "tile {tile} of level {level} goes beyond the leaves",
        "第 {level} 层的瓦片 {tile} 超出叶的范围",
        "truncated",
    ),
    FaultKind.TREE_DOUBTFUL: (
        "the entry `{kind}` does not fit the tree, and no good signature says which of both is right",
        "条目 `{kind}` 与树不符，且没有有效签名说明哪一方正确",
        "rewritten",
    ),
    FaultKind.CHECKPOINT_ROOT: (
        "the checkpoint of {size} leaves has another root than the entries give",
        "{size} 片叶的检查点的根与条目计算结果不同",
        "rewritten",
    ),
    FaultKind.CHECKPOINT_ROW: (
        "the row of the checkpoint of {size} leaves does not fit its note: {why}",
        "{size} 片叶的检查点的数据行与其签名文本不符：{why}",
        "changed",
    ),
    FaultKind.CHECKPOINT_SIGNATURE: (
        "the signature of the checkpoint of {size} leaves is wrong: {why}",
        "{size} 片叶的检查点签名错误：{why}",
        "changed",
    ),
    FaultKind.CHECKPOINT_KEY: (
        "the checkpoint of {size} leaves is signed by `{key}`, which was not the log's key then",
        "{size} 片叶的检查点由 `{key}` 签名，而它当时不是日志的密钥",
        "resigned",
    ),
    FaultKind.CHECKPOINT_BEYOND: (
        "a checkpoint of {size} leaves was published, and the log has {leaves}",
        "已发布 {size} 片叶的检查点，而日志只有 {leaves} 片叶",
        "truncated",
    ),
    FaultKind.CHECKPOINT_MISSING: (
        "no checkpoint covers the log's {leaves} leaves; the newest is of {size}",
        "没有检查点覆盖日志的 {leaves} 片叶；最新检查点为 {size} 片叶",
        "deleted",
    ),
    FaultKind.STATE_SIZE: (
        "the log says that it has {size} leaves, and has {leaves}",
        "日志自称有 {size} 片叶，实有 {leaves} 片",
        "truncated",
    ),
    FaultKind.KEY_UNLINKED: (
        "no sealed entry introduces the key `{key}`",
        "没有任何已封存条目引入密钥 `{key}`",
        "resigned",
    ),
    FaultKind.KEY_MISSING: (
        "the entry introduces the key `{key}`, which the log does not have",
        "条目引入了密钥 `{key}`，而日志中没有它",
        "deleted",
    ),
    FaultKind.KEY_ROTATION: (
        "the replacement of the key is not signed as it must be: {why}",
        "密钥更换未按要求签名：{why}",
        "resigned",
    ),
    FaultKind.WAITING_MISSING: (
        "an entry waits to be sealed, and is not there",
        "有条目等待封存，但已不存在",
        "deleted",
    ),
    FaultKind.WAITING_SEALED: ("the entry waits to be sealed, and is sealed", "条目等待封存，但已封存", "queue"),
    FaultKind.WAITING_TWICE: ("the entry waits twice", "条目重复等待封存", "queue"),
    FaultKind.ORDER: (
        "the entry `{kind}` stands before the one that it follows from",
        "条目 `{kind}` 位于其所依据的条目之前",
        "reordered",
    ),
    FaultKind.RECORD_CHANGED: (
        "row {row} of `{table}` is not what its entry `{kind}` says: {fields}",
        "`{table}` 的第 {row} 行与其条目 `{kind}` 不符：{fields}",
        "changed",
    ),
    FaultKind.RECORD_MISSING: (
        "row {row} of `{table}`, of which the entry `{kind}` speaks, is missing",
        "条目 `{kind}` 所述的 `{table}` 第 {row} 行缺失",
        "deleted",
    ),
    FaultKind.RECORD_ALONE: (
        "row {row} of `{table}` has no entry `{kind}`",
        "`{table}` 的第 {row} 行没有条目 `{kind}`",
        "inserted",
    ),
    FaultKind.IMPORT_COUNT: (
        "{rows} rows of `{table}` have no entry of their own, and the imports added {added}",
        "`{table}` 中有 {rows} 行没有自己的条目，而各次导入共添加 {added} 行",
        "inserted",
    ),
    FaultKind.FILE_CHANGED: ("the file `{file}` is not what its name says", "文件 `{file}` 与其名称不符", "file"),
    FaultKind.KEPT_SHORTER: (
        "the log has {leaves} leaves, and the checkpoint in `{where}` says that it once had {size}",
        "日志有 {leaves} 片叶，而 `{where}` 中的检查点表明它曾有 {size} 片",
        "truncated",
    ),
    FaultKind.KEPT_DIFFERS: (
        "the log's first {size} leaves are not those of the checkpoint in `{where}`",
        "日志的前 {size} 片叶不是 `{where}` 中检查点所指的那些",
        "rewritten",
    ),
    FaultKind.KEPT_KEY: (
        "the checkpoint in `{where}` is not signed by a key of this log: {why}",
        "`{where}` 中的检查点不是由本日志的密钥签名：{why}",
        "resigned",
    ),
    FaultKind.KEPT_UNKNOWN: (
        "the checkpoint of {size} leaves in `{where}` was published, and the log does not have it",
        "`{where}` 中 {size} 片叶的检查点曾经发布，而日志中没有它",
        "deleted",
    ),
    FaultKind.COSIGNATURE_WRONG: (
        "the signature of the witness `{witness}` does not fit the checkpoint of {size} leaves: {why}",
        "见证方 `{witness}` 的签名与 {size} 片叶的检查点不符：{why}",
        "rewritten",
    ),
    FaultKind.COSIGNATURE_ALONE: (
        "the witness `{witness}` has signed a checkpoint of {size} leaves that the log does not have",
        "见证方 `{witness}` 签署过 {size} 片叶的检查点，而日志中没有它",
        "deleted",
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: of the entry of that id, at that index of the log, where it has one. `detail` fills the sentence."""

    kind: FaultKind
    entry: int | None = None
    index: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def text(self, language: Language = "en") -> str:
        """What is wrong and where, for people."""
        said = self.kind.text(language, {"index": self.index, "entry": self.entry, **self.detail})
        places = [
            name.format(value)
            for name, value in (
                (("条目 {}" if language == "zh" else "entry {}"), self.entry),
                (("索引 {}" if language == "zh" else "index {}"), self.index),
            )
            if value is not None
        ]
        return f"{', '.join(places)}: {said}" if places else said

    def document(self, language: Language = "en") -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.kind.value,
            "entry": self.entry,
            "index": self.index,
            "what": self.kind.text(language, {"index": self.index, "entry": self.entry, **self.detail}),
            "suggests": self.kind.suggests(language),
            "detail": {
                name: each.by(language) if isinstance(each, Words) else each for name, each in self.detail.items()
            },
        }


@dataclass(slots=True)
class Findings:
    """Faults as they are found: the first `SHOWN` of each kind are kept, all are counted."""

    faults: list[Fault] = field(default_factory=list)
    counts: Counter[FaultKind] = field(default_factory=Counter)

    def add(self, what: FaultKind, entry: int | None = None, index: int | None = None, /, **detail: Any) -> None:
        """One more."""
        self.take(Fault(what, entry, index, detail))

    def take(self, fault: Fault) -> None:
        """One that was found elsewhere."""
        self.counts[fault.kind] += 1
        if self.counts[fault.kind] <= SHOWN:
            self.faults.append(fault)

    def merge(self, other: Findings) -> None:
        """All of another's."""
        for fault in other.faults:
            if self.counts[fault.kind] + 1 <= SHOWN:
                self.faults.append(fault)
            self.counts[fault.kind] += 1
        for kind, count in other.counts.items():
            self.counts[kind] += count - sum(fault.kind is kind for fault in other.faults)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.counts.total()
