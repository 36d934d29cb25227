"""A stretch of the log that is there without a gap proves that something did not happen."""

from __future__ import annotations

import base64

import pytest

from dialer.verifier.bundle import Trust
from tests.bundle_maker import NUMBER, LogMaker, Parts, busy_log
from tests.unit.verifier.checking import checked, false_of, proven, warned

START, END = 3, 10


def made(subject: str = NUMBER) -> tuple[LogMaker, Parts]:
    """A right bundle of a stretch."""
    log = busy_log()
    return log, log.bundle([1], stretch=(START, END), subject={"trace": {"number": subject, "from": None}})


def seen(parts: Parts) -> list[str]:
    """What is false in a bundle whose hashes were made to fit."""
    return false_of(checked(parts.hashed()))


def test_right_stretch() -> None:
    """All leaves are there, and those that speak of the number are named."""
    log, parts = made()
    report = checked(parts, Trust([log.verifier]))
    assert (false_of(report), warned(report)) == ([], "")
    assert "the log has no other from index 3 to 9 (2026-11-24 08:00:03.123456+00:00 to" in proven(report)
    assert f"2 of them speak of {NUMBER}: entries 5, 11" in proven(report)
    facts = report.facts["stretch"]
    assert (facts["told"], facts["untold"], facts["mentions"]) == (4, 0, [5, 11])


def test_absence() -> None:
    """Of a number that no redemption speaks of it is said that none does."""
    log, parts = made("+4420794602999")
    assert "0 of them speak of +4420794602999" in proven(checked(parts, Trust([log.verifier])))


@pytest.mark.parametrize("gone", range(START, END))
def test_missing_leaf(gone: int) -> None:
    """A leaf that is left out of the stretch is named by its index, first and last included."""
    _, parts = made()
    parts.lines = [line for line in parts.lines if line["index"] != gone]
    assert any(f"the leaf of index {gone} is missing from the stretch" in line for line in seen(parts))


def test_missing_leaves() -> None:
    """Several leaves that are left out are named by the indexes between which they are missing."""
    _, parts = made()
    parts.lines = [line for line in parts.lines if line["index"] not in (5, 6, 7)]
    assert any("the leaves of the indexes 5 to 7 are missing" in line for line in seen(parts))


def test_renumbered_leaves() -> None:
    """A leaf that is left out while the others close the gap is seen by the root."""
    _, parts = made()
    parts.lines = [line for line in parts.lines if line["index"] != 5]
    for line in parts.lines:
        line["index"] -= line["index"] in range(6, END)
    parts.manifest["stretch"]["end"] -= 1
    assert any("do not lead to the checkpoint's root" in line or "proof of the stretch" in line for line in seen(parts))


@pytest.mark.parametrize("member", ["kind", "at", "subject", "commitment"])
def test_changed_leaf(member: str) -> None:
    """A leaf in the stretch that is changed is seen by the root, or by what it says."""
    _, parts = made()
    other = {"kind": "lookup", "at": "2026-11-24T08:00:09+00:00", "subject": 77, "commitment": "00" * 32}
    parts.line("permit.redeemed", 1)["leaf"][member] = other[member]
    assert any("from index 3 to 9 do not lead to the checkpoint's root" in line for line in seen(parts))


def test_hidden_redemption() -> None:
    """A redemption in the stretch that says nothing, without having been erased, is named."""
    _, parts = made()
    line = parts.line("permit.redeemed")
    line.update(salt=None, payload=None)
    (found,) = seen(parts)
    assert "entry 5 (index 3, permit.redeemed) | its payload is missing" in found


def test_erased_redemption() -> None:
    """A redemption that was erased leaves a gap in what is known, which is warned of."""
    log = busy_log()
    erasure = log.add("evidence.erased", {"basis": "request", "reason": "", "rules": [], "entries": [[5, 5]]})
    parts = log.bundle([erasure], stretch=(START, END), erased=[3])
    report = checked(parts)
    assert false_of(report) == []
    assert "what 1 of them said was erased, so that nothing follows from these" in warned(report)
    assert "of permit.redeemed there are 4" in proven(report)


def test_proof_within() -> None:
    """A leaf within the stretch with a proof of its own is not of the format."""
    log, parts = made()
    parts.line("permit.redeemed")["proof"] = log.line(3, len(log.leaves))["proof"]
    assert any("an entry within the stretch has no proof of its own" in line for line in seen(parts))


@pytest.mark.parametrize(
    "change",
    [
        {"start": 4},
        {"end": 9},
        {"end": 11},
        {"start": -1},
        {"end": 10**30},
        {"end": 3},
        {"end": 99},
        {"kinds": []},
        {"kinds": [1]},
        {"kinds": "permit.redeemed"},
        {"path": []},
        {"path": ["AA=="]},
        {"path": [1]},
        {"path": [base64.b64encode(bytes(32)).decode()] * 9},
        {"more": 1},
        {"kinds": ["permit.redeemed", "decision"]},
    ],
)
def test_changed_claim(change: dict[str, object]) -> None:
    """A claim of another stretch, another path or other kinds is false."""
    _, parts = made()
    parts.manifest["stretch"] |= change
    assert seen(parts)


def test_claim_dropped() -> None:
    """A stretch that no longer claims to be one has entries without proofs."""
    _, parts = made()
    parts.manifest["stretch"] = None
    assert any("entry 5 (index 3, permit.redeemed) | the path has 0 hashes" in line for line in seen(parts))


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 16), (7, 8), (8, 16), (0, 17), (15, 17), (16, 17)])
def test_any_stretch(start: int, end: int) -> None:
    """Any stretch of the log is right: the first leaf, the last, all."""
    log = busy_log()
    parts = log.bundle([], stretch=(start, end))
    assert len(log.leaves) == 17
    assert false_of(checked(parts)) == []
