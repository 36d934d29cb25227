"""Payloads that are gone must have been erased; keys that are new must have been handed over to."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dialer.verifier.bundle import Trust
from dialer.verifier.note import COSIGNATURE, sign, verifier_key
from tests.bundle_maker import LogMaker, Parts, busy_log, key_of
from tests.unit.verifier.checking import checked, false_of, proven, warned

UNEXPLAINED = "its payload is missing, and no later entry of an erasure in this bundle names it"


def erased(ranges: Any, *, first: bool = False) -> Parts:
    """A bundle whose entries 4 and 5 (index 2 and 3) say nothing, with an erasure of these ranges."""
    log = LogMaker() if first else busy_log()
    erasure = log.add("evidence.erased", {"basis": "retention", "reason": "", "rules": [["gb", 30]], "entries": ranges})
    if first:
        log.add("decision", {})
        log.add("decision", {})
    return log.bundle([2, 3, erasure], erased=[2, 3])


@pytest.mark.parametrize("ranges", [[[4, 5]], [[1, 9]], [[4, 4], [5, 5]], [[5, 5], [1, 4]], [[1, 4], [1, 9], [2, 3]]])
def test_erased(ranges: Any) -> None:
    """Payloads that are missing are right when a later entry says that they were erased."""
    report = checked(erased(ranges))
    assert false_of(report) == []
    assert "what 2 of them said was erased, as later entries say" in proven(report)


@pytest.mark.parametrize("ranges", [[[4, 4]], [[1, 4], [6, 9]], [[4, 4], [6, 2000]]])
def test_not_erased(ranges: Any) -> None:
    """One that the erasure does not name is named."""
    assert false_of(checked(erased(ranges))) == [f"erasure | entry 5 (index 3, permit.redeemed) | {UNEXPLAINED}"]


def test_erasure_before() -> None:
    """An erasure does not explain what was written after it."""
    assert len([line for line in false_of(checked(erased([[1, 9]], first=True))) if UNEXPLAINED in line]) == 2


@pytest.mark.parametrize(
    "ranges", [None, "4-5", [[4]], [4, 5], [["4", "5"]], [[5, 4]], [[-1, 5]], [[4, 10**30]], [[4, True]]]
)
def test_odd_erasure(ranges: Any) -> None:
    """An erasure whose ranges are none explains nothing, and is named."""
    found = false_of(checked(erased(ranges)))
    assert any("evidence.erased) | `entries` is no list of [first id, last id]" in line for line in found)
    assert any(UNEXPLAINED in line for line in found)


def rotated(*seeds: str) -> tuple[LogMaker, Parts]:
    """A bundle of a log whose key was replaced."""
    log = busy_log()
    indexes = [1]
    for seed in seeds:
        indexes.append(len(log.leaves))
        log.rotate(seed)
    return log, log.bundle(indexes)


def test_old_key() -> None:
    """A pinned key that was replaced, twice, is accepted by way of what the bundle proves."""
    log, parts = rotated("second", "third")
    report = checked(parts, Trust([log.keys[0]]))
    assert false_of(report) == []
    assert f"`{log.keys[1].id}` handed over to `{log.keys[2].id}`; both signed" in proven(report)


def test_old_key_without_its_rotation() -> None:
    """Without the entry of the rotation an old key does not lead to the new one."""
    log, parts = rotated("second", "third")
    parts.lines = [line for line in parts.lines if line["index"] != parts.line("log.key_rotated")["index"]]
    (found,) = false_of(checked(parts.hashed(), Trust([log.keys[0]])))
    assert "no key that you trust has signed it" in found


def test_new_key_does_not_vouch_for_the_old() -> None:
    """A new key that is pinned does not make right what the old one signed."""
    log = busy_log()
    parts = log.bundle([1])
    new = verifier_key(log.name, key_of("second"))
    assert false_of(checked(parts, Trust([new])))
    assert false_of(checked(parts, Trust([new, log.verifier]))) == []


@pytest.mark.parametrize("member", ["by_old", "by_new", "old", "new"])
def test_forged_rotation(member: str) -> None:
    """A rotation, truly in the log, that one of the keys has not signed, or of other keys, is false and named."""
    log = busy_log()
    forged = base64.b64encode(bytes(64)).decode()
    other = str(verifier_key(log.name, key_of("else")))
    log.rotate("second", **{member: forged if member.startswith("by") else other})
    found = false_of(checked(log.bundle([len(log.leaves) - 1]), Trust([log.keys[0]])))
    assert any("log.key_rotated) | `by_" in line for line in found), found
    assert any("no key that you trust has signed it" in line for line in found)


def test_rotation_that_is_no_key() -> None:
    """A rotation with anything else than keys is false and named."""
    log = busy_log()
    log.rotate("second", old="x" * 5000)
    assert any("a key is written `name+hash+base64`" in line for line in false_of(checked(log.bundle([16]))))


def test_unproven_rotation() -> None:
    """A rotation that is not in the log leads nowhere, though both signatures are right."""
    log, parts = rotated("second")
    parts.line("log.key_rotated")["leaf"]["subject"] = 1
    found = false_of(checked(parts.hashed(), Trust([log.keys[0]])))
    assert any("log.key_rotated) | its proof does not lead" in line for line in found)
    assert any("no key that you trust" in line for line in found)


def restored(**more: Any) -> tuple[LogMaker, Parts]:
    """A bundle of a log that went on from an older state."""
    log = busy_log()
    log.rotate("second", "log.restored", **{"reason": "disk lost", "lost": log.point().text(), **more})
    return log, log.bundle([len(log.leaves) - 1])


def test_restored() -> None:
    """A log that was restored, under its old key: right, with a warning that says what was lost."""
    log, parts = restored()
    report = checked(parts, Trust([log.keys[0]]))
    assert (false_of(report), report.exit_code) == ([], 0)
    assert "the log was restored to an older state, and the checkpoint `example.org/log / 16 / " in warned(report)


def test_restored_without_its_old_key() -> None:
    """A restoration that the old key has not signed leads nobody from the old key to the new; what to do is said."""
    log, parts = restored(by_old=None, by_new=None)
    assert false_of(checked(parts, Trust([log.keys[1]]))) == []
    report = checked(parts, Trust([log.keys[0]]))
    assert report.exit_code == 1
    assert "which has not signed that: ask the log's keeper" in warned(report)


def test_restored_from_nothing_known() -> None:
    """A log that went on after its key was lost, with nobody knowing which it was, is right under the new key."""
    log, parts = restored(old=None, lost=None, by_old=None, by_new=None)
    report = checked(parts, Trust([log.keys[1]]))
    assert (false_of(report), report.exit_code) == ([], 0)
    assert "the log went on with a new key after the old one was lost" in warned(report)


def test_cosigned() -> None:
    """A witness who is asked for must have cosigned; the time is told."""
    log = busy_log()
    parts = log.bundle([1], witnesses=[("w.example/1", key_of("w"))])
    witness = verifier_key("w.example/1", key_of("w"), COSIGNATURE)
    other = verifier_key("w.example/2", key_of("w"), COSIGNATURE)
    assert "cosigned by `w.example/1+" in proven(checked(parts, Trust([log.verifier], [witness])))
    assert "2026-11-24 09:00:00 UTC" in proven(checked(parts, Trust([log.verifier], [witness])))
    (found,) = false_of(checked(parts, Trust([log.verifier], [witness, other])))
    assert found == f"cosignature | checkpoint | `{other.id}` has not signed it"


def test_forged_cosignature() -> None:
    """A cosignature of another checkpoint, or by another key under the same name, is false."""
    log = busy_log()
    witness = verifier_key("w.example/1", key_of("w"), COSIGNATURE)
    parts = log.bundle([1], witnesses=[("w.example/1", key_of("w"))])
    older = log.bundle([1], witnesses=[("w.example/1", key_of("w"))])
    line = parts.checkpoint.splitlines()[-1]
    older.checkpoint = "\n".join([*older.checkpoint.splitlines()[:-1], line, ""])
    assert f"cosignature | checkpoint | the signature of `{witness.id}` is wrong" in false_of(
        checked(older.hashed(), Trust([], [witness]))
    )


def test_wrong_signature_of_a_second_key() -> None:
    """A checkpoint with a right signature and a wrong one of another of the log's keys is false."""
    log, parts = rotated("second")
    old = sign("another text\n", log.name, key_of("log"))
    parts.checkpoint += f"{old}\n"
    assert f"checkpoint | checkpoint | the signature of `{log.keys[0].id}` is wrong" in false_of(
        checked(parts.hashed())
    )


def test_key_of_another_name() -> None:
    """A trusted key that signed a checkpoint of a log with another name than its own does not make it right."""
    log = busy_log()
    key = verifier_key("other.example", log.key)
    parts = log.bundle([1])
    text = log.point().text()
    parts.checkpoint = f"{text}\n{sign(text, 'other.example', log.key)}\n"
    parts.manifest["log"]["keys"].append(str(key))
    assert any("key | checkpoint" in line for line in false_of(checked(parts.hashed(), Trust([key]))))


def test_json_of_a_report() -> None:
    """The report for programs says where each thing is, in both languages."""
    log, parts = rotated("second")
    parts.line("consent.granted")["salt"] = "00" * 16
    report = checked(parts.hashed(), Trust([log.verifier]))
    (finding,) = report.document("en")["findings"]["false"]
    assert finding["where"] == {
        "file": "entries.jsonl",
        "line": 1,
        "index": 1,
        "entry": 2,
        "kind": "consent.granted",
    }
    assert finding["check"] == "payload"
    assert report.document("zh")["findings"]["false"][0]["text"].startswith("其内容和盐与日志所承诺的不符")
    json.dumps(report.document("zh"))
