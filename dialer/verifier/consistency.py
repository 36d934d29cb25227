"""Verification of a proof that a log was not rewritten between two checkpoints (`heedline-consistency/1`). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .documents import DocumentFault, read_hashes, read_loose_object
from .note import Checkpoint, Note, NoteFault, VerifierKey, read_checkpoint, read_note
from .report import Check, Place, Report
from .tree import ProofFault, check_consistency
from .trust import check_signed
from .words import Fault, Words, shown

FORMAT = "heedline-consistency/1"
LIMIT = 4 << 20
_MEMBERS = {"format", "old", "new", "path"}


class ConsistencyFault(Fault):
    """A file that cannot be read as a proof of consistency."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Two signed checkpoints, and the path between them."""

    notes: tuple[Note, Note]
    checkpoints: tuple[Checkpoint, Checkpoint]
    path: list[bytes]


def read_proof(data: bytes) -> Proof:
    """A proof from its JSON. Raises `ConsistencyFault`."""
    try:
        fields = read_loose_object(data)
        if fields.get("format") != FORMAT or fields.keys() != _MEMBERS:
            format = shown(str(fields.get("format")))
            raise ConsistencyFault(
                f"its format is `{format}`, and not `{FORMAT}` with `old`, `new` and `path`",
                f"其格式为 `{format}`，而不是含 `old`、`new` 和 `path` 的 `{FORMAT}`",
            )
        old, new = read_note(str(fields["old"])), read_note(str(fields["new"]))
        return Proof((old, new), (read_checkpoint(old.text), read_checkpoint(new.text)), read_hashes(fields["path"]))
    except (DocumentFault, NoteFault) as fault:
        raise ConsistencyFault(fault.said.english, fault.said.chinese) from None


def verify_consistency(data: bytes, keys: Sequence[VerifierKey]) -> Report:
    """Verify a proof. Without keys the signatures are not checked, which the report says. Raises `ConsistencyFault`."""
    proof, report = read_proof(data), Report()
    old, new = proof.checkpoints
    report.facts |= {"format": FORMAT, "log": new.origin, "old": old.size, "new": new.size}
    places = Place("old"), Place("new")
    if old.origin != new.origin:
        said = Words("the two checkpoints are of different logs", "两个检查点属于不同的日志")
        report.false(Check.CONSISTENCY, places[1], said)
    for place, note, checkpoint in zip(places, proof.notes, proof.checkpoints, strict=True):
        if keys:
            check_signed(report, place, note, checkpoint, pinned=keys)
        else:
            said = Words(
                "its signature was not checked: give the log's key with --key",
                "未核对其签名：请用 --key 给出日志的密钥",
            )
            report.warn(Check.KEY, place, said)
    try:
        check_consistency(old.size, new.size, old.root, new.root, proof.path)
    except ProofFault as fault:
        report.false(Check.CONSISTENCY, places[1], fault.said)
        return report
    said = Words(
        f"the log of {new.size} begins with the one of {old.size}: nothing was rewritten",
        f"大小为 {new.size} 的日志以大小为 {old.size} 的日志开头：没有改写",
    )
    report.right(Check.CONSISTENCY, places[1], said)
    return report
