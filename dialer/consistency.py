"""Use case: the log at one checkpoint begins with the log at another, by a proof that anyone can check."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialer.checkpoint_files import checkpoint_text
from dialer.errors import FileError, NotRegistered
from dialer.hostile import printable
from dialer.proofs import Proofs, Published
from dialer.verifier.note import Checkpoint, Note, NoteFault, VerifierKey, read_checkpoint, read_note, verify
from dialer.verifier.tree import ProofFault, check_consistency
from dialer.verifier.words import Words

FORMAT = "heedline-consistency/1"


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """What is wrong, and what it suggests."""

    what: Words
    suggests: Words


_REWRITTEN = Words("the log was rewritten after it was published", "日志在发布之后被改写")
_RESIGNED = Words(
    "the log was signed anew with another key, or the file is not of this log",
    "日志被换用其他密钥重新签名，或该文件不属于此日志",
)
_TRUNCATED = Words(
    "the newest part of the log was cut off, or an old copy of the database was restored",
    "日志最新部分被截断，或恢复了旧的数据库副本",
)


@dataclass(frozen=True, slots=True)
class Side:
    """One checkpoint: as it was asked for, and its note."""

    asked: str
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison came to; `fault` None: the newer begins with the older."""

    sides: tuple[Side, Side] | None
    path: tuple[bytes, ...] = ()
    fault: Inconsistency | None = None

    @property
    def old(self) -> Checkpoint | None:
        """The older checkpoint."""
        return self.sides[0].checkpoint if self.sides else None

    @property
    def new(self) -> Checkpoint | None:
        """The newer one."""
        return self.sides[1].checkpoint if self.sides else None

    def proof(self) -> dict[str, Any]:
        """The proof as a document that `heedline evidence verify` checks."""
        if self.sides is None:
            raise ValueError("there is no proof")
        old, new = self.sides
        path = [base64.b64encode(each).decode() for each in self.path]
        return {"format": FORMAT, "old": str(old.note), "new": str(new.note), "path": path}


async def compare(proofs: Proofs, old: str, new: str) -> Compared:
    """Each side is a size, `latest`, or the name of a file with a checkpoint or a bundle.

    Raises `NotRegistered` when there is no such checkpoint, `FileError`, `StoreUnavailable`.
    """
    sides = await _side(proofs, old), await _side(proofs, new)
    keys = await proofs.keys()
    for side in sides:
        if (fault := _unsigned(side, keys)) is not None:
            return Compared(sides, fault=fault)
    before, after = sides[0].checkpoint, sides[1].checkpoint
    latest = await proofs.latest()
    leaves = latest.checkpoint.size if latest else 0
    if (fault := _shorter(sides, leaves)) is not None:
        return Compared(sides, fault=fault)
    try:
        path = await proofs.consistency(before.size, after.size)
        check_consistency(before.size, after.size, before.root, after.root, path)
    except ProofFault as fault_:
        return Compared(sides, fault=Inconsistency(fault_.said, _REWRITTEN))
    return Compared(sides, tuple(path))


async def _side(proofs: Proofs, asked: str) -> Side:
    if asked.isascii() and asked.isdigit():
        size = int(asked[:18])
        return _of(asked, await proofs.at_least(size), size)
    if asked == "latest":
        return _of(asked, await proofs.latest(), None)
    text = await asyncio.to_thread(checkpoint_text, Path(asked))
    try:
        note = read_note(text)
        return Side(asked, note, read_checkpoint(note.text))
    except NoteFault as fault:
        raise FileError(f"`{asked}` holds no checkpoint: {fault}", "give a signed note or a bundle") from fault


def _of(asked: str, published: Published | None, size: int | None) -> Side:
    if published is None:
        raise NotRegistered(f"no checkpoint covers `{printable(asked, 40)}`", "see `heedline evidence status`")
    found = published.checkpoint.size
    if size is not None and found != size:
        raise NotRegistered(
            f"no checkpoint of exactly {size} leaves was published", f"the next one is of {found}: give that"
        )
    return Side(asked, published.note, published.checkpoint)


def _unsigned(side: Side, keys: list[VerifierKey]) -> Inconsistency | None:
    """What is wrong with a checkpoint that no key of the log has signed."""
    for key in keys:
        try:
            verify(side.note, key)
        except NoteFault:
            continue
        if key.name == side.checkpoint.origin:
            return None
    signer = printable(side.note.signatures[0].name, 80)
    name = printable(side.asked, 120)
    return Inconsistency(
        Words(
            f"the checkpoint `{name}` is not signed by a key of this log (it says `{signer}`), or not as it stands",
            f"检查点 `{name}` 不是由本日志的密钥签名，或其签名有误；它自称 `{signer}`",
        ),
        _RESIGNED,
    )


def _shorter(sides: tuple[Side, Side], leaves: int) -> Inconsistency | None:
    old, new = sides
    if old.checkpoint.size > new.checkpoint.size:
        before, after = old.checkpoint.size, new.checkpoint.size
        return Inconsistency(
            Words(
                f"the log has {after} leaves at `{printable(new.asked, 120)}`, and once had {before}",
                f"日志在 `{printable(new.asked, 120)}` 处有 {after} 片叶，而它曾有 {before} 片",
            ),
            _TRUNCATED,
        )
    if new.checkpoint.size > leaves:
        size = new.checkpoint.size
        return Inconsistency(
            Words(f"the log has {leaves} leaves, and once had {size}", f"日志有 {leaves} 片叶，而它曾有 {size} 片"),
            _TRUNCATED,
        )
    return None
