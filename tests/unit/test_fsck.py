"""The check's arithmetic on logs in memory: stretches, gaps, tiles, roots, keys; and what it says."""

from __future__ import annotations

import base64
import json
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dialer.fsck.faults import _TEXTS, SHOWN, Fault, FaultKind, Findings
from dialer.fsck.keys import CheckpointRow, KeyEntry, Keys, check_checkpoint, link_keys, signed_by
from dialer.fsck.leftovers import batchless, erasures
from dialer.fsck.stretch import STRETCH, Erased, LeafCheck, Stretch, StretchReport, check_tile, over, stretches
from dialer.verifier.leaf import commitment, leaf_data
from dialer.verifier.note import Checkpoint, Note, NoteFault, VerifierKey, sign, verifier_key
from dialer.verifier.tree import Frontier, leaf_hash, node_hash, root_of

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
NAME = "heedline/test"
_parts = string.Formatter().parse
SALT = b"\x01" * 16


def rows(count: int, first: int = 0) -> list[list[Any]]:
    """Rows of a log whose entry 10 + i is at index i."""
    return [
        [i, 10 + i, 10 + i, AT + timedelta(seconds=i), "test.entry", i, commitment(SALT, b"{}"), SALT, "{}"]
        for i in range(first, first + count)
    ]


def hashes(of: list[list[Any]]) -> list[bytes]:
    """The hashes of leaves."""
    return [leaf_hash(leaf_data(row[2], row[3], row[4], row[5], row[6])) for row in of]


def tiles(of: list[bytes]) -> dict[int, bytes]:
    """Tiles of level 0."""
    return {low // 256: b"".join(of[low : low + 256]) for low in range(0, len(of), 256)}


def checked(
    given: list[list[Any]], stored: list[bytes] | None = None, *, size: int | None = None, erased: Erased | None = None
) -> StretchReport:
    """What is found in one stretch, whose tree is that of its rows unless it is `stored`."""
    true = stored if stored is not None else hashes(given)
    check = LeafCheck(Stretch(0, size if size is not None else len(true)), erased or Erased())
    for low in range(0, len(given), 100):
        check.take(given[low : low + 100])
    parents = b"".join(root_of(true[low : low + 256]) for low in range(0, len(true) - len(true) % 256, 256))
    return check.finish(tiles(true), parents or None, (1, len(true)))


def kinds(found: Findings) -> dict[str, int]:
    """Counts by name."""
    return {kind.value: count for kind, count in found.counts.items()}


def test_a_sound_stretch_gives_the_roots() -> None:
    """The roots over beginnings of a stretch are RFC 6962's, and nothing is found."""
    log = rows(600)
    report = checked(log)
    assert kinds(report.findings) == {}
    assert report.by_leaves.whole == root_of(hashes(log))
    assert report.by_leaves.roots == {1: hashes(log)[0], 600: root_of(hashes(log))}


def test_a_stretch_continues_a_greater_log() -> None:
    """The root over stretches before and the beginning of the next is the root over all of it."""
    leaves = [bytes([n]) * 32 for n in range(11)]
    before = Frontier()
    for unit in (root_of(leaves[:4]), root_of(leaves[4:8])):
        before.append(unit)
    assert over(before, root_of(leaves[8:])) == root_of(leaves)
    assert over(Frontier(), root_of(leaves[:3])) == root_of(leaves[:3])


def test_stretches_cover_the_log_once() -> None:
    """They begin with the one that holds the start, and each has the sizes that end in it."""
    parts = list(stretches(STRETCH + 7, 2 * STRETCH + 5, [1, STRETCH, STRETCH + 1, 2 * STRETCH, 2 * STRETCH + 5]))
    assert [(part.low, part.high) for part in parts] == [(STRETCH, 2 * STRETCH), (2 * STRETCH, 2 * STRETCH + 5)]
    assert [part.sizes for part in parts] == [(STRETCH + 1, 2 * STRETCH), (2 * STRETCH + 5,)]
    assert list(stretches(0, 0, [0])) == []


@pytest.mark.parametrize(
    ("gone", "expected"),
    [(range(3), {"leaf_missing": 1}), (range(100, 130), {"leaf_missing": 1}), (range(295, 300), {"leaf_missing": 1})],
)
def test_gaps_are_found_wherever_they_are(gone: range, expected: dict[str, int]) -> None:
    """At the beginning, in the middle, at the end; and the root is still that of the tree, by its tiles."""
    log = rows(300)
    report = checked([row for row in log if row[0] not in gone], hashes(log))
    assert kinds(report.findings) == expected
    (fault,) = report.findings.faults
    assert (fault.index, fault.detail["end"]) == (gone.start, gone.stop)
    assert report.by_leaves.whole == root_of(hashes(log))


def test_an_index_twice_is_found() -> None:
    """Two leaves of one index are one too many."""
    log = rows(20)
    assert kinds(checked([*log[:6], log[5], *log[6:]], hashes(log)).findings) == {"leaf_twice": 1}


def test_missing_parts_of_the_tree_are_found() -> None:
    """A tile that is missing, too short or too long is told, and is not held against the entries."""
    log = rows(600)
    true = hashes(log)
    parents = b"".join(root_of(true[low : low + 256]) for low in (0, 256))
    for stored, kind in (
        ({n: tile for n, tile in tiles(true).items() if n != 1}, "tile_missing"),
        (tiles(true) | {2: tiles(true)[2][:-32]}, "tile_changed"),
        (tiles(true) | {2: tiles(true)[2] + b"\0" * 32}, "tile_beyond"),
    ):
        check = LeafCheck(Stretch(0, 600), Erased())
        check.take(log)
        report = check.finish(stored, parents)
        assert kinds(report.findings) == {kind: 1}
        assert report.differing == 0


def test_what_was_moved_is_told_by_where_it_was() -> None:
    """Of an entry that stands elsewhere the tree says where it was sealed."""
    log = rows(40)
    swapped = [[place, *row[1:]] for place, row in enumerate([*log[:7], log[8], log[7], *log[9:]])]
    report = checked(swapped, hashes(log))
    assert [(each.index, each.entry, each.sealed) for each in report.differences] == [(7, 18, 8), (8, 17, 7)]


def test_erased_entries_are_no_fault_and_others_are() -> None:
    """A payload that is missing is a fault unless an erasure names it; one that it names and is there is one too."""
    log = rows(10)
    for row in log[2:5]:
        row[7] = row[8] = None
    report = checked(log, erased=Erased.of([(13, 14), (12, 12)]))
    assert (kinds(report.findings), report.erased) == ({}, 3)
    assert kinds(checked(log, erased=Erased.of([(12, 13)])).findings) == {"payload_missing": 1}
    assert kinds(checked(rows(10), erased=Erased.of([(12, 13)])).findings) == {"payload_erased_yet_there": 2}


def test_ranges_of_erasures_are_joined() -> None:
    """Ranges in any order, overlapping or not, hold exactly their ids."""
    erased = Erased.of([(5, 9), (1, 2), (3, 3), (8, 12), (20, 20)])
    assert (erased.first, erased.last) == ((1, 5, 20), (3, 12, 20))
    assert [n for n in range(25) if n in erased] == [1, 2, 3, *range(5, 13), 20]
    assert 7 not in Erased()


def test_only_an_erasure_that_fits_its_commitment_erases() -> None:
    """What a changed erasure names is not erased; hostile shapes name nothing."""
    good = '{"entries":[[3,5],[9,9]]}'
    fits = (1, commitment(SALT, good.encode()), SALT, good)
    assert 4 in erasures([fits])
    assert 4 not in erasures([(1, b"\0" * 32, SALT, good)])
    for text in ('{"entries":[[5,3],["a",2],7,[1,2,3]]}', '{"entries":5}', "[]", "no JSON", "[" * 100_000):
        assert erasures([(1, commitment(SALT, text.encode()), SALT, text)]) == Erased()


def test_imports_without_a_batch_are_summed() -> None:
    """What is no count adds nothing."""
    assert batchless(['{"added":5}', '{"added":"7"}', "{}", "no JSON", '{"added":2}']) == 7


def test_an_upper_tile_may_follow_entries_or_tree() -> None:
    """Where both differ it is no fault of the upper tile to fit one of them; to fit neither is."""
    ours, theirs = [b"a" * 32, b"b" * 32], [b"a" * 32, b"c" * 32]
    for stored, expected in (
        (b"a" * 32 + b"b" * 32, {}),
        (b"a" * 32 + b"c" * 32, {}),
        (b"a" * 32 + b"d" * 32, {"tile_changed": 1}),
        (b"a" * 32, {"tile_changed": 1}),
        (b"a" * 96, {"tile_beyond": 1}),
        (None, {"tile_missing": 1}),
    ):
        found = Findings()
        check_tile(1, 0, ours, theirs, stored, found)
        assert kinds(found) == expected


class Signers:
    """Three keys of one log: the second took the first one's place at index 50, the third's entry waits."""

    def __init__(self) -> None:
        self.private = [Ed25519PrivateKey.generate() for _ in range(3)]
        self.keys = [verifier_key(NAME, key) for key in self.private]

    def rotation(self, index: int | None, old: int, **changes: Any) -> KeyEntry:
        """An entry that puts the next key in the place of `old`."""
        before, after = self.keys[old], self.keys[old + 1]
        text = f"heedline key rotation v1\n{before}\n{after}\n".encode()
        signed = [base64.b64encode(self.private[n].sign(text)).decode() for n in (old, old + 1)]
        payload = {"old": str(before), "new": str(after), "by_old": signed[0], "by_new": signed[1], **changes}
        return KeyEntry(100, index, "log.key_rotated", json.dumps(payload))

    def added(self) -> KeyEntry:
        """The entry of the first."""
        return KeyEntry(1, 0, "log.key_added", json.dumps({"name": NAME, "key": str(self.keys[0])}))

    def rows(self, *numbers: int) -> dict[int, VerifierKey]:
        """Rows of keys by id."""
        return {n: self.keys[n] for n in numbers}

    def checkpoint(self, size: int, row: int, *signers: int) -> CheckpointRow:
        """A checkpoint that these keys have signed."""
        point = Checkpoint(NAME, size, b"\7" * 32)
        note = Note(point.text(), tuple(sign(point.text(), NAME, self.private[n]) for n in signers))
        return CheckpointRow(size, point.root, row, str(note))


def test_keys_follow_each_other() -> None:
    """Each key signs from the leaf on that introduces it; until then its predecessor signs too."""
    signers, found = Signers(), Findings()
    entries = [signers.added(), signers.rotation(50, 0), signers.rotation(None, 1)]
    keys = link_keys(NAME, signers.rows(0, 1, 2), entries, found)
    good = [(50, 0, [0]), (51, 1, [1]), (40, 1, [1, 0]), (60, 2, [2, 1])]
    wrong = [(51, 0, [0]), (40, 1, [1]), (60, 2, [2]), (60, 2, [2, 0])]
    for size, row, by in good:
        assert check_checkpoint(signers.checkpoint(size, row, *by), keys, found) == Checkpoint(NAME, size, b"\7" * 32)
    assert kinds(found) == {}
    for size, row, by in wrong:
        check_checkpoint(signers.checkpoint(size, row, *by), keys, found)
    assert kinds(found) == {"checkpoint_key": len(wrong)}


def test_breaks_in_the_chain_of_keys_are_found() -> None:
    """A key that nothing introduces, one that is introduced and missing, a replacement without its signatures."""
    signers = Signers()
    for rows_, entries, expected in (
        ((0, 1), [signers.added()], {"key_unlinked": 1}),
        ((1,), [signers.added(), signers.rotation(5, 0)], {"key_missing": 1, "key_rotation": 1}),
        ((0, 1), [signers.added(), signers.rotation(5, 0, by_old="AAAA")], {"key_rotation": 1}),
        ((0, 1), [signers.added(), signers.rotation(5, 0, by_new="no base64!")], {"key_rotation": 1}),
        ((0,), [KeyEntry(1, 0, "log.key_added", "no JSON")], {"key_missing": 1, "key_unlinked": 1}),
    ):
        found = Findings()
        link_keys(NAME, signers.rows(*rows_), entries, found)
        assert kinds(found) == expected


def test_a_checkpoint_must_be_what_its_row_says() -> None:
    """Size, root and name of row and note are one; a note that is none, or whose signature is wrong, is told."""
    signers, found = Signers(), Findings()
    keys = link_keys(NAME, signers.rows(0), [signers.added()], found)
    row = signers.checkpoint(7, 0, 0)
    for changed, kind in (
        (CheckpointRow(8, row.root, 0, row.note), "checkpoint_row"),
        (CheckpointRow(7, b"\0" * 32, 0, row.note), "checkpoint_row"),
        (CheckpointRow(7, row.root, 0, "no note"), "checkpoint_signature"),
        (CheckpointRow(7, row.root, 9, row.note), "checkpoint_key"),
        (CheckpointRow(7, row.root, 0, row.note[:-10] + "AAAAAAAA=\n"), "checkpoint_signature"),
    ):
        found = Findings()
        assert check_checkpoint(changed, keys, found) is None
        assert kinds(found) == {kind: 1}
    stranger = Note("x\n1\nAAAA\n", (sign("x\n1\nAAAA\n", NAME, Ed25519PrivateKey.generate()),))
    with pytest.raises(NoteFault, match="is no key of this log"):
        signed_by(stranger, signers.keys)
    assert Keys(NAME).at(5) is None


def test_faults_are_counted_beyond_those_that_are_listed() -> None:
    """Many faults of one kind do not hide one of another, here or from another process."""
    found, other = Findings(), Findings()
    for n in range(SHOWN + 50):
        other.add(FaultKind.PAYLOAD_CHANGED, n, n)
    other.add(FaultKind.LEAF_TWICE, 1, 1)
    found.merge(other)
    found.merge(other)
    assert found.total == 2 * (SHOWN + 51)
    assert found.counts[FaultKind.PAYLOAD_CHANGED] == 2 * (SHOWN + 50)
    assert len(found.faults) == SHOWN + 2


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_speaks_both_languages(kind: FaultKind) -> None:
    """Each sentence names its particulars, the same ones in both languages."""
    names = {field for texts in _TEXTS.values() for _, field, _, _ in _parts(texts[0] + texts[1]) if field}
    anything: dict[str, Any] = dict.fromkeys(names, 7)
    english, chinese = Fault(kind, 3, 4, anything).text("en"), Fault(kind, 3, 4, anything).text("zh")
    assert english.startswith("entry 3, index 4: ")
    assert any(character not in string.printable for character in chinese)
    assert Fault(kind, 3, 4, anything).document("zh")["suggests"] == kind.suggests("zh")


def test_nodes_are_hashed_as_in_the_rfc() -> None:
    """A stretch of two leaves has the hash of a node as its root."""
    log = rows(2)
    one, other = hashes(log)
    assert checked(log).by_leaves.whole == node_hash(one, other)
