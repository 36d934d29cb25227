"""Whether a checkpoint is signed by a key that the reader trusts, or by one that such a key handed over to. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .note import ED25519, Checkpoint, Note, NoteFault, VerifierKey, read_key, verify
from .report import Check, Place, Report
from .words import Fault, Words, shown

ROTATED, RESTORED = "log.key_rotated", "log.restored"


class SuccessionFault(Fault):
    """An entry says that a key replaced another, and is not signed by both."""


@dataclass(frozen=True, slots=True)
class Succession:
    """A key replaced another (None: it is not known which). `is_restored`: because the log went on after a loss, of the
    checkpoint of which `lost` is the text, or of the key. `is_signed`: by both keys, so that whoever trusts the old one
    may trust the new one."""

    old: VerifierKey | None
    new: VerifierKey
    is_restored: bool
    lost: str | None
    is_signed: bool
    place: Place


def rotation_text(old: VerifierKey, new: VerifierKey) -> bytes:
    """What both keys sign when the one replaces the other."""
    return f"heedline key rotation v1\n{old}\n{new}\n".encode()


def read_succession(payload: dict[str, Any], place: Place) -> Succession:
    """From the payload of a `log.key_rotated`, or of a `log.restored`, which is not signed when the old key was lost
    too. Raises `NoteFault` or `SuccessionFault`."""
    is_restored, lost = place.kind == RESTORED, payload.get("lost")
    old = None if is_restored and payload.get("old") is None else _log_key(payload.get("old"))
    new = _log_key(payload.get("new"))
    is_signed = not is_restored or payload.get("by_old") is not None
    if is_signed and old is not None:
        _check_both(payload, old, new)
    return Succession(old, new, is_restored, lost if isinstance(lost, str) else None, is_signed, place)


def _log_key(text: Any) -> VerifierKey:
    key = read_key(str(text))
    if key.algorithm != ED25519:
        raise NoteFault("a log's key is of Ed25519", "日志的密钥应为 Ed25519")
    return key


def _check_both(payload: dict[str, Any], old: VerifierKey, new: VerifierKey) -> None:
    text = rotation_text(old, new)
    for key, name in ((old, "by_old"), (new, "by_new")):
        try:
            signed = base64.b64decode(str(payload.get(name)), validate=True)
            Ed25519PublicKey.from_public_bytes(key.public).verify(signed, text)
        except (binascii.Error, InvalidSignature, ValueError):
            raise SuccessionFault(
                f"`{name}` is not the signature of `{shown(key.id)}` on the change of keys",
                f"`{name}` 不是 `{shown(key.id)}` 对更换密钥的签名",
            ) from None


def check_signed(
    report: Report,
    place: Place,
    note: Note,
    checkpoint: Checkpoint,
    *,
    pinned: Sequence[VerifierKey],
    own: Sequence[VerifierKey] = (),
    successions: Iterable[Succession] = (),
) -> None:
    """Report whether a checkpoint is signed: by a pinned key or its successor, else, when none is pinned, by one of the
    file's `own`."""
    signers = [key for key in dict.fromkeys([*own, *pinned]) if _signs(report, place, note, key)]
    steps = list(successions)
    trusted = _followed(report, pinned, steps) if pinned else set(own)
    good = [key for key in signers if key in trusted and key.name == checkpoint.origin]
    if good and pinned:
        report.right(
            Check.KEY,
            place,
            Words(
                f"size {checkpoint.size}, signed by `{shown(good[0].id)}`, which you trust",
                f"大小 {checkpoint.size}，由您信任的 `{shown(good[0].id)}` 签名",
            ),
        )
    elif good:
        report.warn(Check.KEY, place, _own_word(good[0]))
    else:
        report.false(Check.KEY, place, _unsigned(note, pinned))
        for step in steps:
            if not step.is_signed and step.old in trusted:
                report.warn(Check.KEY, step.place, _unvouched(step))


def warn_restored(report: Report, successions: Iterable[Succession]) -> None:
    """A log that went on after a loss gave up what it had signed: whoever holds a proof of it must know."""
    for succession in successions:
        if succession.is_restored:
            report.warn(Check.CHECKPOINT, succession.place, _restored(succession.lost))


def _restored(lost: str | None) -> Words:
    if lost is None:
        return Words(
            "the log went on with a new key after the old one was lost: ask the log's keeper why",
            "旧密钥丢失后，日志以新密钥继续：请询问日志的保管者原因",
        )
    point = " / ".join(map(shown, lost.split("\n")[:3]))
    return Words(
        f"the log was restored to an older state, and the checkpoint `{point}` was given up: entries that it covered "
        "are lost",
        f"日志曾恢复到旧的状态，检查点 `{point}` 已被放弃：其覆盖的条目已丢失",
    )


def _signs(report: Report, place: Place, note: Note, key: VerifierKey) -> bool:
    if not any(line.name == key.name and line.key_hash == key.hash for line in note.signatures):
        return False
    try:
        verify(note, key)
    except NoteFault as fault:
        report.false(Check.CHECKPOINT, place, fault.said)
        return False
    return True


def _followed(report: Report, pinned: Sequence[VerifierKey], successions: list[Succession]) -> set[VerifierKey]:
    trusted = set(pinned)
    grown = True
    while grown:
        grown = False
        for step in successions:
            if step.is_signed and step.old in trusted and step.new not in trusted:
                trusted.add(step.new)
                grown = True
                old, new = _ids(step)
                said = Words(f"{old} handed over to {new}; both signed", f"{old} 已移交给 {new}，双方均已签名")
                report.right(Check.KEY, step.place, said)
    return trusted


def _own_word(key: VerifierKey) -> Words:
    return Words(
        f"the key is the bundle's own word: it is signed by `{shown(key.id)}`, which came with it, so that a whole "
        "made-up log would look the same; get the key from the log's keeper, by another way, and give it with --key",
        f"密钥只是证据包自己的说法：签名者 `{shown(key.id)}` 随包而来，凭空捏造的日志看起来也会一样；"
        "请另行从日志的保管者取得密钥，并用 --key 给出",
    )


def _unvouched(step: Succession) -> Words:
    old, new = _ids(step)
    return Words(
        f"it says that {new} took the place of {old}, which has not signed that: ask the log's keeper, and give the "
        "new key with --key if you trust it",
        f"它说 {new} 取代了 {old}，但后者没有为此签名：请询问日志的保管者，若信任新密钥，请用 --key 给出",
    )


def _ids(step: Succession) -> tuple[str, str]:
    return f"`{shown(step.old.id) if step.old else '?'}`", f"`{shown(step.new.id)}`"


def _unsigned(note: Note, pinned: Sequence[VerifierKey]) -> Words:
    signers = ", ".join(f"`{shown(f'{line.name}+{line.key_hash.hex()}')}`" for line in note.signatures[:5])
    if pinned:
        return Words(
            "no key that you trust has signed it, nor one that such a key handed over to in this file; "
            f"signed by {signers}",
            f"您信任的密钥没有在其上签名，本文件中也没有其移交的密钥的签名；签名者为 {signers}",
        )
    return Words(
        f"none of the log's keys that the bundle names has signed it; signed by {signers}",
        f"证据包列出的日志密钥都没有在其上签名；签名者为 {signers}",
    )
