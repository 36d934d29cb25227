"""Every way to change a bundle is seen, and what is named is what was changed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable

import pytest

from dialer.verifier.bundle import Trust
from dialer.verifier.leaf import canonical, commitment
from dialer.verifier.note import sign
from tests.bundle_maker import NUMBER, LogMaker, Parts, busy_log, key_of
from tests.unit.verifier.checking import CLIP, checked, false_of, made, proven, seen, warned

DECISION, REDEEMED = "entry 4 (index 2, decision)", "entry 5 (index 3, permit.redeemed)"


def test_right_bundle() -> None:
    """A right bundle is right, and under the pinned key without a warning."""
    log, parts = made()
    report = checked(parts, Trust([log.verifier]))
    assert (false_of(report), warned(report), report.exit_code) == ([], "", 0)
    assert f"size {len(log.leaves)}, signed by `{log.verifier.id}`" in proven(report)


def test_own_key_is_only_its_word() -> None:
    """Without a pinned key all is said to be the bundle's own word, and the exit code is 0."""
    report = checked(made()[1])
    assert report.exit_code == 0
    assert "the key is the bundle's own word" in warned(report)


Change = Callable[[Parts], None]
WRONG_PROOF = "its proof does not lead to the checkpoint's root"
WRONG_PAYLOAD = "its payload and salt are not those that the log commits to"


def _edit(member: str, value: object) -> Change:
    def change(parts: Parts) -> None:
        parts.line("decision")["leaf"][member] = value

    return change


def _swap_payloads(parts: Parts) -> None:
    first, second = parts.line("decision"), parts.line("permit.redeemed")
    first["payload"], second["payload"] = second["payload"], first["payload"]
    first["salt"], second["salt"] = second["salt"], first["salt"]


def _other_payload(parts: Parts) -> None:
    line = parts.line("decision")
    line["payload"] = line["payload"].replace(NUMBER, "+442079460124")


def _recommitted(parts: Parts) -> None:
    line = parts.line("decision")
    _other_payload(parts)
    line["leaf"]["commitment"] = commitment(bytes.fromhex(line["salt"]), line["payload"].encode()).hex()


def _other_salt(parts: Parts) -> None:
    parts.line("decision")["salt"] = "00" * 16


def _loud_salt(parts: Parts) -> None:
    parts.line("decision")["salt"] = parts.line("decision")["salt"].upper()


def _other_index(parts: Parts) -> None:
    parts.line("permit.redeemed")["index"] = 4


def _other_path(parts: Parts) -> None:
    line = parts.line("decision")
    line["proof"][1] = base64.b64encode(bytes(32)).decode()


def _short_path(parts: Parts) -> None:
    parts.line("decision")["proof"].pop()


def _long_path(parts: Parts) -> None:
    line = parts.line("decision")
    line["proof"].append(line["proof"][0])


def _narrow_path(parts: Parts) -> None:
    line = parts.line("decision")
    line["proof"][0] = base64.b64encode(bytes(31)).decode()


def _other_payload_type(parts: Parts) -> None:
    parts.line("decision")["payload"] = json.loads(parts.line("decision")["payload"])


def _silent(parts: Parts) -> None:
    parts.line("decision").update(salt=None, payload=None)


def _half_silent(parts: Parts) -> None:
    parts.line("decision").update(payload=None)


@pytest.mark.parametrize(
    ("change", "where", "why"),
    [
        (_edit("at", "2026-11-24T08:00:03+00:00"), DECISION, WRONG_PROOF),
        (_edit("subject", 2), DECISION, WRONG_PROOF),
        (_edit("subject", None), DECISION, WRONG_PROOF),
        (_edit("entry", 6), "entry 6 (index 2, decision)", WRONG_PROOF),
        (_edit("kind", "lookup"), "entry 4 (index 2, lookup)", WRONG_PROOF),
        (_edit("commitment", "00" * 32), DECISION, WRONG_PROOF),
        (_edit("commitment", "00" * 31), DECISION, "64 hexadecimal digits"),
        (_edit("at", "2026-11-24T08:00:02Z"), DECISION, "not in its canonical form"),
        (_edit("at", "yesterday"), DECISION, "instant in UTC"),
        (_edit("at", "2026-11-24T16:00:02+08:00"), DECISION, "instant in UTC"),
        (_edit("v", 2), DECISION, "`v`, which is 1"),
        (_edit("v", True), DECISION, "`v`, which is 1"),
        (_edit("entry", "4"), "entries.jsonl, line 2", "whole numbers"),
        (_edit("subject", -1), "entries.jsonl, line 2", "whole numbers"),
        (_edit("kind", 'x","v":1}'), "entries.jsonl, line 2", "lower-case letters"),
        (_edit("more", 1), "entries.jsonl, line 2", "has the members"),
        (_recommitted, DECISION, WRONG_PROOF),
        (_other_path, DECISION, WRONG_PROOF),
        (_short_path, DECISION, "the path has"),
        (_long_path, DECISION, "the path has"),
        (_narrow_path, DECISION, "not of 32 bytes"),
        (_other_index, "entry 5 (index 4, permit.redeemed)", WRONG_PROOF),
        (_other_payload, DECISION, WRONG_PAYLOAD),
        (_other_salt, DECISION, WRONG_PAYLOAD),
        (_loud_salt, DECISION, "a salt is of 32 lower-case hexadecimal digits"),
        (_swap_payloads, DECISION, WRONG_PAYLOAD),
        (_swap_payloads, REDEEMED, WRONG_PAYLOAD),
        (_other_payload_type, DECISION, "its `payload` a text or null"),
        (_silent, DECISION, "no later entry of an erasure in this bundle names it"),
        (_half_silent, DECISION, "one of salt and payload without the other"),
    ],
)
def test_changed_entry(change: Change, where: str, why: str) -> None:
    """Whatever is changed in an entry is found, and the entry is named, though all hashes of files fit."""
    log, parts = made()
    change(parts)
    found = seen(parts, Trust([log.verifier]))
    assert any(where in line and why in line for line in found), found
    assert len(found) <= 2


def test_swapped_entries() -> None:
    """Entries that changed places are seen."""
    _, parts = made()
    parts.lines[1], parts.lines[2] = parts.lines[2], parts.lines[1]
    assert seen(parts) == [f"entry | {DECISION} | it stands behind an entry of a greater index, or twice"]


def test_repeated_entry() -> None:
    """An entry that is there twice is seen."""
    _, parts = made()
    parts.lines.insert(2, parts.lines[1])
    assert "entry | entries.jsonl | entry 4 occurs more than once" in seen(parts)


def test_an_entry_left_out_of_the_bundle() -> None:
    """An entry that is dropped with its hash is missed, and so is one that stands there for another: each is proven by
    itself, and the entry of the export says which there were."""
    log, parts = made()
    left = [line["leaf"]["entry"] for line in parts.lines]
    dropped = parts.lines.pop(1)
    said = "export | entries.jsonl | its entries are not those that were exported: "
    assert [found for found in seen(parts) if found.startswith(f"{said}{len(left) - 2} are here, of {len(left) - 1}")]
    free = next(i for i, leaf in enumerate(log.leaves[:-1]) if leaf.entry not in left)
    parts.lines = sorted([*parts.lines, log.line(free, len(log.leaves))], key=lambda line: int(line["index"]))
    assert dropped["leaf"]["entry"] not in [line["leaf"]["entry"] for line in parts.lines]
    assert [found for found in seen(parts) if found.startswith(said)]


def test_dropped_export() -> None:
    """A bundle without the entry of its export is false."""
    log, parts = made()
    parts.lines.pop()
    exported = log.leaves[-1].entry
    said = f"the entry {exported} that says that this bundle was made is not in it, or not right"
    assert f"export | bundle.json | {said}" in seen(parts)


def test_export_of_another_bundle() -> None:
    """The entry of another export, which is right by itself, does not stand for this bundle."""
    log, parts = made()
    other = log.bundle([1, 2, 3], subject={"call": "7"})
    parts.lines[-1] = log.line(len(log.leaves) - 2, len(log.leaves))
    other.lines[-1] = parts.lines[-1]
    other.manifest["exported"] = parts.manifest["exported"]
    found = seen(other)
    assert "export | bundle.json | `subject` is not the one that was exported" in found
    assert "export | records.json | it is not the file that was exported: it was changed" in found


def test_another_export_in_the_bundle() -> None:
    """Of two entries of exports in a bundle the one that `bundle.json` names counts, wherever it stands."""
    log, parts = made()
    exported = parts.manifest["exported"]
    later = log.bundle([1, 2, 3, len(log.leaves) - 1], subject={"call": "7"})
    later.manifest["exported"] = exported
    assert "export | bundle.json | `subject` is not the one that was exported" in seen(later)


def test_changed_subject() -> None:
    """What the bundle says it is about must be what was exported."""
    _, parts = made()
    parts.manifest["subject"] = {"number": "+442079460124"}
    assert seen(parts) == ["export | bundle.json | `subject` is not the one that was exported"]


def test_cut_checkpoint() -> None:
    """A checkpoint without its signature, or cut within, is named."""
    for cut in (-3, -120, 30):
        _, parts = made()
        parts.checkpoint = parts.checkpoint[:cut]
        assert any(line.startswith("checkpoint | checkpoint |") for line in seen(parts)), cut


@pytest.mark.parametrize("line", [0, 1, 2])
def test_changed_checkpoint(line: int) -> None:
    """A checkpoint with another name, size or root has a wrong signature."""
    log, parts = made()
    lines = parts.checkpoint.split("\n")
    lines[line] = ["example.org/other", str(len(log.leaves) - 1), base64.b64encode(bytes(32)).decode()][line]
    parts.checkpoint = "\n".join(lines)
    found = seen(parts)
    assert f"checkpoint | checkpoint | the signature of `{log.verifier.id}` is wrong" in found


def test_another_key() -> None:
    """A whole made-up log, right by itself, is false to whoever has the true key."""
    log, _ = made()
    forged = LogMaker(seed="forger")
    forged.leaves[1:], forged.payloads[1:], forged.salts[1:] = log.leaves[1:-1], log.payloads[1:-1], log.salts[1:-1]
    copy = forged.bundle([1, 2, 3])
    assert false_of(checked(copy)) == []
    (found,) = false_of(checked(copy, Trust([log.verifier])))
    assert "no key that you trust has signed it" in found
    assert forged.verifier.id in found


def test_resigned_checkpoint() -> None:
    """A changed entry under a new root that is signed with another key is false, with and without a pinned key."""
    log, parts = made()
    other = log.point(4).text()
    parts.checkpoint = other + "\n" + str(sign(other, log.name, key_of("forger"))) + "\n"
    assert any("key | checkpoint | none of the log's keys" in line for line in seen(parts))
    assert any("key | checkpoint | no key that you trust" in line for line in seen(parts, Trust([log.verifier])))


def test_older_checkpoint() -> None:
    """An older checkpoint of the same log, truly signed, does not fit the proofs of a newer one."""
    log, parts = made()
    parts.checkpoint = str(log.note(8))
    found = seen(parts, Trust([log.verifier]))
    assert all(any(entry in line for line in found) for entry in (DECISION, REDEEMED))


def test_name_of_another_log() -> None:
    """A checkpoint of another log than the bundle's is false."""
    _, parts = made()
    parts.manifest["log"]["name"] = "example.org/other"
    assert (
        "checkpoint | checkpoint | it is of the log `example.org/log`, and the bundle of `example.org/other`"
        in seen(parts)
    )


def test_several_faults_are_all_named() -> None:
    """Three entries and a file that are wrong are all named, not the first alone."""
    _, parts = made()
    _other_salt(parts)
    parts.line("permit.redeemed")["salt"] = "11" * 16
    parts.line("consent.granted")["leaf"]["subject"] = 9
    parts.files["timeline.svg"] = b"<svg/>"
    found = seen(parts)
    assert len(found) == 4
    assert [line.split(" | ")[0] for line in found] == ["proof", "payload", "payload", "export"]


def test_many_faults_are_counted() -> None:
    """Of more faults than anyone reads fifty are listed, and all are counted."""
    log = busy_log(60)
    parts = log.bundle(range(1, 100))
    for line in parts.lines:
        line["salt"] = "00" * 16
    report = checked(parts.hashed())
    assert len(false_of(report)) == 50
    assert report.lines("en")[-1] == "FALSE: 101 things are not as they must be"
    assert any("and 51 more" in line for line in report.lines("en"))


def test_payload_that_is_no_json_is_told() -> None:
    """A payload that the log commits to but that is not canonical JSON is warned of: the log itself is right."""
    log = busy_log()
    text = '{ "kind": "decision" }'
    log.payloads[2] = text
    log.leaves[2] = type(log.leaves[2])(4, log.leaves[2].at, "decision", 1, commitment(log.salts[2], text.encode()))
    report = checked(log.bundle([2]))
    assert false_of(report) == []
    assert f"{DECISION}: the JSON is not in its canonical form" in warned(report)


def test_named_file_that_is_not_there() -> None:
    """A clip that a refusal names and that is not in the bundle is warned of, with the entry."""
    log = busy_log()
    sha256 = hashlib.sha256(CLIP).hexdigest()
    index = log.add("refusal", {"callee": NUMBER, "artefact": {"kind": "speech", "clip": sha256, "model": "0" * 64}})
    assert f"index {index}, refusal): the file {sha256} that it names is not in" in warned(checked(log.bundle([index])))
    assert sha256 not in warned(checked(log.bundle([index], files=[CLIP])))


def test_canonical_line() -> None:
    """A line with white space, or a name twice, is not read."""
    for wrong in (b" ", b'{"index":1,'):
        _, parts = made()
        data = b"".join(canonical(line) + b"\n" for line in parts.lines)
        damaged = _Damaged(parts, data.replace(b'{"index":1,', b'{"index":1,' + wrong, 1))
        (found,) = [line for line in seen(damaged) if line.startswith("entry")]
        assert found.startswith("entry | entries.jsonl, line 1 | ")


class _Damaged(Parts):
    def __init__(self, parts: Parts, entries: bytes) -> None:
        super().__init__(parts.manifest, parts.checkpoint, parts.lines, parts.files)
        self._entries = entries

    def contents(self) -> dict[str, bytes]:
        return {**super().contents(), "entries.jsonl": self._entries}


def test_last_line_without_end() -> None:
    """Entries whose last line was cut are seen."""
    _, parts = made()
    data = parts.contents()["entries.jsonl"]
    found = seen(_Damaged(parts, data[:-1]))
    assert "file | entries.jsonl | its last line has no end: it was cut" in found
