"""A second implementation, by others and in another language (golang.org/x/mod/sumdb), agrees with the first."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dialer.evidence.entries import canonical
from dialer.verifier.leaf import read_leaf
from dialer.verifier.note import (
    COSIGNATURE,
    NoteFault,
    cosign,
    read_checkpoint,
    read_key,
    read_note,
    sign,
    verifier_key,
    verify,
)
from dialer.verifier.tree import (
    check_consistency,
    consistency_path,
    inclusion_path,
    leaf_hash,
    range_path,
    root_by_inclusion,
    root_by_range,
    root_of,
)
from dialer.verifier.trust import rotation_text
from tests.bundle_maker import key_of
from tests.independent.make_vectors import vectors

SOURCE = Path(__file__).parents[2] / "independent" / "check.go"
PACKAGES = Path("/usr/share/gocode")
VECTORS = json.loads((Path(__file__).parents[2] / "corpus" / "evidence_vectors.json").read_text("utf-8"))
Ask = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks the Go program; left out when Go or its packages are not there."""
    go = shutil.which("go")
    if go is None or not (PACKAGES / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("needs the Debian packages golang-go and golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    program = folder / "check"
    settings = {"GO111MODULE": "off", "GOPATH": str(PACKAGES), "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    build = subprocess.run(
        [go, "build", "-o", program, SOURCE],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr

    def answers(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        given = "".join(json.dumps(request) + "\n" for request in requests)
        done = subprocess.run([program], input=given, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return answers


def _b64(*hashes: bytes) -> list[str]:
    return [base64.b64encode(hash).decode() for hash in hashes]


LEAVES = [b"leaf %d" % index for index in range(70)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def _subtree(low: int, high: int) -> bytes:
    return root_of(HASHES[low:high])


PLACES = [(size, index) for size in (*range(1, 18), 31, 32, 33, 63, 64, 65, 70) for index in range(size)]


def test_go_accepts_our_inclusion_proofs(ask: Ask) -> None:
    """Go accepts every audit path of 24 sizes of tree, and none with a hash changed."""
    requests = []
    for size, index in PLACES:
        path = inclusion_path(index, size, _subtree)
        (root,) = _b64(_subtree(0, size))
        asked = {"do": "check record", "size": size, "root": root, "index": index, "leaves": _b64(LEAVES[index])}
        requests += [asked | {"path": _b64(*path)}, asked | {"path": _b64(*path[:-1], bytes(32))}]
    answers = ask(requests)
    assert [told for told in answers[::2] if "error" in told] == []
    assert all("error" in told for told in answers[1::2])


def test_go_accepts_our_consistency_proofs(ask: Ask) -> None:
    """Go accepts every proof of consistency between those sizes, and none with another old root."""
    requests = []
    for size, index in PLACES:
        old = index + 1
        path = consistency_path(old, size, _subtree)
        root, old_root = _b64(_subtree(0, size), _subtree(0, old))
        asked = {"do": "check tree", "size": size, "root": root, "old": old, "path": _b64(*path)}
        requests += [asked | {"oldRoot": old_root}, asked | {"oldRoot": _b64(bytes(32))[0]}]
    answers = ask(requests)
    assert [told for told in answers[::2] if "error" in told] == []
    assert all("error" in told for told in answers[1::2])


def test_we_accept_the_proofs_of_go(ask: Ask) -> None:
    """Proofs and roots that Go makes are ours, byte by byte, and accepted."""
    places = [(size, index) for size, index in PLACES if size in (1, 2, 7, 8, 33, 70)]
    for do, make in (("prove record", inclusion_path), ("prove tree", consistency_path)):
        requests = [
            {"do": do, "leaves": _b64(*LEAVES[:size]), "index": index, "old": index + 1} for size, index in places
        ]
        for (size, index), told in zip(places, ask(requests), strict=True):
            root, path = base64.b64decode(told["root"]), list(map(base64.b64decode, told.get("path", [])))
            assert root == _subtree(0, size)
            if make is inclusion_path:
                assert path == make(index, size, _subtree)
                assert root_by_inclusion(index, size, HASHES[index], path) == root
            else:
                assert path == make(index + 1, size, _subtree)
                check_consistency(index + 1, size, _subtree(0, index + 1), root, path)


def test_go_opens_our_notes(ask: Ask) -> None:
    """Go opens our signed checkpoints and cosignatures, and none whose text was changed."""
    text, at = "example.org/log\n7\nAAAA\n", datetime(2026, 11, 24, tzinfo=UTC)
    key = key_of("log")
    lines = sign(text, "example.org/log", key), cosign(text, "w.example/1", key, at)
    note = f"{text}\n{lines[0]}\n{lines[1]}\n"
    keys = verifier_key("example.org/log", key), verifier_key("w.example/1", key, COSIGNATURE)
    requests = [{"do": "open", "note": note, "key": str(key)} for key in keys]
    requests += [{"do": "open", "note": note.replace("\n7\n", "\n8\n"), "key": str(key)} for key in keys]
    first, second, third, fourth = ask(requests)
    assert first == second == {"text": text}
    assert "invalid signature" in third["error"]
    assert "invalid signature" in fourth["error"]


def test_we_open_the_notes_of_go(ask: Ask) -> None:
    """Notes that Go signs are opened, with its key in its own writing, and none that was changed."""
    text = "example.org/log\n7\nAAAA\n再见\n"
    (told,) = ask([{"do": "sign", "note": text, "name": "example.org/log"}])
    note, key = read_note(told["note"]), read_key(told["key"])
    assert (note.text, str(note), str(key)) == (text, told["note"], told["key"])
    verify(note, key)
    with pytest.raises(NoteFault):
        verify(read_note(told["note"].replace("\n7\n", "\n8\n")), key)


def test_go_computes_the_vectors(ask: Ask) -> None:
    """Go computes the leaves, commitments and hashes of the vectors, and accepts their proofs, note and cosignature."""
    entries, roots = VECTORS["entries"], VECTORS["roots"]
    requests: list[dict[str, Any]] = [
        {"do": "leaf", "leaf": json.loads(e["leaf"]), "salt": e["salt"], "payload": e["payload"]} for e in entries
    ]
    told = ask(requests)
    assert [answer["data"] for answer in told] == [entry["leaf"] for entry in entries]
    assert [base64.b64decode(answer["hash"]).hex() for answer in told] == [entry["leaf_hash"] for entry in entries]
    leaves = _b64(*(entry["leaf"].encode() for entry in entries))
    proofs: list[dict[str, Any]] = [
        {
            "do": "check record",
            "size": p["size"],
            "index": p["index"],
            "leaves": [leaves[p["index"]]],
            "path": p["path"],
        }
        | {"root": roots[p["size"]]}
        for p in VECTORS["inclusion"]
    ]
    proofs += [
        {"do": "check tree", "size": p["new"], "old": p["old"], "path": p["path"]}
        | {"root": roots[p["new"]], "oldRoot": roots[p["old"]]}
        for p in VECTORS["consistency"]
    ]
    for proof in proofs:
        proof["path"] = _b64(*map(bytes.fromhex, proof["path"]))
        for name in ("root", "oldRoot"):
            if name in proof:
                (proof[name],) = _b64(bytes.fromhex(proof[name]))
    assert ask(proofs) == [{}] * len(proofs)
    note = VECTORS["checkpoint"]["note"] + VECTORS["cosignature"]["line"]
    keys = [VECTORS["checkpoint"]["key"], VECTORS["cosignature"]["key"]]
    assert (
        ask([{"do": "open", "note": note, "key": key} for key in keys]) == [{"text": VECTORS["checkpoint"]["text"]}] * 2
    )


def test_vectors_are_made_from_the_definitions() -> None:
    """The vectors are those that the definitions give, computed without the product's code."""
    assert vectors() == VECTORS


def test_we_agree_with_the_vectors() -> None:
    """The product's leaves, hashes, roots and proofs are those of the vectors."""
    leaves = [read_leaf(json.loads(entry["leaf"])) for entry in VECTORS["entries"]]
    assert [leaf.data().decode() for leaf in leaves] == [entry["leaf"] for entry in VECTORS["entries"]]
    assert [canonical(json.loads(entry["payload"])) for entry in VECTORS["entries"]] == [
        entry["payload"] for entry in VECTORS["entries"]
    ]
    hashes = [leaf_hash(leaf.data()) for leaf in leaves]
    assert [hash.hex() for hash in hashes] == [entry["leaf_hash"] for entry in VECTORS["entries"]]
    assert [root_of(hashes[:size]).hex() for size in range(len(hashes) + 1)] == VECTORS["roots"]

    def subtree(low: int, high: int) -> bytes:
        return root_of(hashes[low:high])

    for proof in VECTORS["inclusion"]:
        assert [h.hex() for h in inclusion_path(proof["index"], proof["size"], subtree)] == proof["path"]
    for proof in VECTORS["consistency"]:
        assert [h.hex() for h in consistency_path(proof["old"], proof["new"], subtree)] == proof["path"]
    for proof in VECTORS["stretches"]:
        start, end, size = proof["start"], proof["end"], proof["size"]
        path = range_path(start, end, size, subtree)
        assert [h.hex() for h in path] == proof["path"]
        assert root_by_range(start, end, size, hashes[start:end], path).hex() == VECTORS["roots"][size]


def test_we_agree_with_the_signed_vectors() -> None:
    """The product reads the vectors' checkpoint, cosignature and rotation, and would sign the same bytes."""
    told, cosigned, rotated = VECTORS["checkpoint"], VECTORS["cosignature"], VECTORS["rotation"]
    note = read_note(told["note"] + cosigned["line"])
    verify(note, read_key(told["key"]))
    assert verify(note, read_key(cosigned["key"])) == datetime.fromtimestamp(cosigned["time"], UTC)
    checkpoint = read_checkpoint(note.text)
    assert checkpoint.text() == told["text"]
    assert checkpoint.root.hex() == VECTORS["roots"][checkpoint.size]
    assert f"{sign(told['text'], checkpoint.origin, key_of('log'))}\n" in told["note"]
    witness = read_key(cosigned["key"])
    at = datetime.fromtimestamp(cosigned["time"], UTC)
    assert f"{cosign(told['text'], witness.name, key_of('witness'), at)}\n" == cosigned["line"]
    text = rotation_text(read_key(rotated["old"]), read_key(rotated["new"]))
    assert text.decode() == rotated["text"]
    assert base64.b64encode(key_of("log").sign(text)).decode() == rotated["by_old"]
    assert base64.b64encode(key_of("new log").sign(text)).decode() == rotated["by_new"]
