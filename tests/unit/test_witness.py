"""This node as a witness of other logs: what it cosigns, and what it never does."""

from __future__ import annotations

import asyncio
import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dialer import witness as module
from dialer.errors import ConfigError, FileError
from dialer.verifier.note import (
    COSIGNATURE,
    Note,
    NoteFault,
    VerifierKey,
    read_key,
    read_note,
    sign,
    verifier_key,
    verify,
)
from dialer.verifier.tree import EMPTY_ROOT
from dialer.witness import Answer, Witness, log_digest, read_logs, read_request
from dialer.witness_key import WitnessKey, held, witness_key
from tests.witness_world import NAME, NOW, MemoryLog, key_of, now, request_of

KEY = WitnessKey(key_of("witness"))
LEAVES = [f"leaf {n}" for n in range(12)]


def witness_of(folder: Path, *keys: VerifierKey) -> Witness:
    """A witness of these logs."""
    return Witness(folder / "witness", KEY, read_logs([str(key) for key in keys]), now)


@pytest.fixture
def log() -> MemoryLog:
    """A log of twelve leaves."""
    return MemoryLog(leaves=LEAVES)


@pytest.fixture
def witness(tmp_path: Path, log: MemoryLog) -> Witness:
    """A witness of that log."""
    return witness_of(tmp_path, log.verifier)


async def test_what_follows_is_cosigned(witness: Witness, log: MemoryLog) -> None:
    """The first checkpoint, a longer one with its proof, and the same once more: each answer is one cosignature line,
    whose bytes are those of C2SP tlog-cosignature, recomputed here by hand."""
    for old, size in ((0, 5), (5, 12), (12, 12)):
        answer = await witness.add_checkpoint(log.request(old, size))
        assert (answer.status, answer.kind) == (200, "text/plain")
        dash, name, encoded = answer.text.removesuffix("\n").split(" ")
        raw = base64.b64decode(encoded)
        assert (dash, name, raw[:4]) == ("—", KEY.name, KEY.verifier.hash)
        assert int.from_bytes(raw[4:12], "big") == int(NOW.timestamp())
        message = f"cosignature/v1\ntime {int(NOW.timestamp())}\n{log.note(size).text}".encode()
        Ed25519PublicKey.from_public_bytes(KEY.verifier.public).verify(raw[12:], message)


async def test_whoever_is_behind_is_told_the_size(witness: Witness, log: MemoryLog) -> None:
    """409 has the size that was cosigned last, a line break and the media type of tlog-witness."""
    assert await witness.add_checkpoint(log.request(3, 5)) == Answer(409, "0\n", "text/x.tlog.size")
    await witness.add_checkpoint(log.request(0, 5))
    for old, size in ((0, 12), (4, 12), (6, 12), (0, 3)):
        assert await witness.add_checkpoint(log.request(old, size)) == Answer(409, "5\n", "text/x.tlog.size")


async def test_what_does_not_follow_is_not_cosigned(witness: Witness, log: MemoryLog, tmp_path: Path) -> None:
    """Another root of the same size, a longer log that was rewritten, a wrong proof, one too many hashes: 422. Two
    signed roots of one size are kept, as they prove what the log did."""
    await witness.add_checkpoint(log.request(0, 5))
    other = log.forked(4)
    other.grow(*(f"other {n}" for n in range(8)))
    for body in (
        other.request(5, 5),
        other.request(5, 12),
        request_of(5, log.path(5, 12)[:-1], log.note()),
        request_of(5, [*log.path(5, 12), bytes(32)], log.note()),
        request_of(5, [], log.note()),
        request_of(5, [bytes(32)], log.note(5)),
        request_of(5, log.path(4, 12), log.note()),
    ):
        assert (await witness.add_checkpoint(body)).status == 422
    (fork,) = (tmp_path / "witness").glob("*.fork")
    assert verify(read_note(fork.read_text()), log.verifier) is None
    assert read_note(fork.read_text()).text == other.note(5).text
    (state,) = await witness.status()
    assert (state.size, "two different roots" in state.problem) == (5, True)
    assert (await witness.add_checkpoint(log.request(5, 12))).status == 200


async def test_the_empty_log(witness: Witness, log: MemoryLog) -> None:
    """A checkpoint of size 0 has the root of the empty tree, and no proof; then anything follows."""
    empty = MemoryLog()
    wrong = Note(f"{NAME}\n0\n{base64.b64encode(bytes(32)).decode()}\n", ())
    wrong = wrong.with_signatures(sign(wrong.text, NAME, log.key))
    assert (await witness.add_checkpoint(request_of(0, [], wrong))).status == 422
    assert (await witness.add_checkpoint(request_of(0, [EMPTY_ROOT], log.note(5)))).status == 422
    assert (await witness.add_checkpoint(empty.request(0, 0))).status == 200
    assert (await witness.add_checkpoint(log.request(0, 5))).status == 200


async def test_only_known_keys_count(witness: Witness, log: MemoryLog, tmp_path: Path) -> None:
    """An unknown log is 404; a known one without a signature of a known key, or with a wrong one beside a right one, is
    403. Signatures of others are ignored, so that while old and new key of a log both sign, the old one suffices; and
    the new one alone does once it is in the settings."""
    new = key_of("new")
    stranger = MemoryLog("heedline/other", leaves=LEAVES)
    right, wrong = log.note(5), Note(log.note(5).text, log.note(6).signatures)
    assert (await witness.add_checkpoint(stranger.request(0))).status == 404
    assert (await witness.add_checkpoint(request_of(0, [], log.note(5, new)))).status == 403
    assert (await witness.add_checkpoint(request_of(0, [], wrong))).status == 403
    assert (await witness.add_checkpoint(request_of(0, [], right.with_signatures(*wrong.signatures)))).status == 403
    assert (await witness.add_checkpoint(request_of(0, [], log.note(5, new, log.key)))).status == 200
    assert (await witness.add_checkpoint(request_of(5, [], log.note(5, new)))).status == 403
    both = witness_of(tmp_path, log.verifier, verifier_key(NAME, new))
    assert (await both.add_checkpoint(request_of(5, log.path(5, 12), log.note(12, new)))).status == 200
    note = read_note(str(await both.checkpoint(log_digest(NAME))))
    assert [each.key_hash for each in note.signatures] == [verifier_key(NAME, new).hash, KEY.verifier.hash]


RIGHT = MemoryLog(leaves=LEAVES).request(0).decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        RIGHT.replace("old 0", "old 00").encode(),
        RIGHT.replace("old 0", "old -1").encode(),
        RIGHT.replace("old 0", "old ٣").encode(),
        RIGHT.replace("old 0", "old  0").encode(),
        RIGHT.replace("old 0", "new 0").encode(),
        RIGHT.replace("old 0", "old " + "9" * 5000).encode(),
        RIGHT.replace("old 0\n", "old 0\r\n").encode(),
        RIGHT.replace("old 0\n", "").encode(),
        RIGHT.replace("old 0\n", "old 0\n\n").encode(),
        RIGHT.replace("old 0", "old 13").encode(),
        RIGHT.replace("old 0\n", "old 0\nAAAA\n").encode(),
        RIGHT.replace("old 0\n", "old 0\n" + "A" * 42 + "B=\n").encode(),
        RIGHT.replace("old 0\n", "old 0\n" + ("A" * 43 + "=\n") * 64).encode(),
        RIGHT.replace("\n12\n", "\n012\n").encode(),
        RIGHT.replace("— ", "- ").encode(),
        RIGHT.removesuffix("\n").encode(),
        RIGHT.partition("—")[0].encode(),
        b"old 0\n\n" + b"x" * module.REQUEST_LIMIT,
        b"old 0\n" * 100_000,
    ],
)
async def test_what_is_no_request_is_400(witness: Witness, body: bytes) -> None:
    """Whatever is written otherwise than it must be is refused in one printable line, and nothing is kept."""
    answer = await witness.add_checkpoint(body)
    assert answer.status == 400
    assert answer.text.removesuffix("\n").isprintable()
    assert len(answer.text) < 300
    assert [each.size for each in await witness.status()] == [None]


async def test_sixtythree_lines_are_a_proof() -> None:
    """The longest proof that tlog-witness allows is read."""
    assert len(read_request(RIGHT.replace("old 0\n", "old 0\n" + ("A" * 43 + "=\n") * 63).encode()).proof) == 63


async def test_of_two_at_once_one_is_cosigned(log: MemoryLog, tmp_path: Path) -> None:
    """Two processes with one folder, asked at the same moment for two logs that differ: one is cosigned, and the other
    is told its size."""
    other = MemoryLog(leaves=[*LEAVES[:11], "another"])
    answers = await asyncio.gather(
        *(witness_of(tmp_path, log.verifier).add_checkpoint(each.request(0)) for each in (log, other) * 3)
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert {answer.text for answer in answers if answer.status == 409} == {"12\n"}


@pytest.mark.parametrize("torn", [b"", b"\x00" * 300, b"heedline/5eed0001\n5\n", "cut", "foreign", "other log"])
async def test_a_torn_memory_cosigns_nothing(log: MemoryLog, tmp_path: Path, torn: bytes | str) -> None:
    """When what was cosigned last cannot be read, or bears no cosignature of this witness for this log, nothing is
    cosigned, the status names the file, and the log's own word is not enough to mend it."""
    witness = witness_of(tmp_path, log.verifier)
    await witness.add_checkpoint(log.request(0, 5))
    (file,) = (tmp_path / "witness").glob("*.checkpoint")
    whole, before = file.read_bytes(), log.note(3)
    stranger = MemoryLog("heedline/other", leaves=LEAVES).note(3)
    match torn:
        case bytes():
            file.write_bytes(torn)
        case "cut":
            file.write_bytes(whole[:-20])
        case "foreign":
            file.write_text(str(before.with_signatures(WitnessKey(key_of("x")).cosign(before.text, NOW))))
        case _:
            file.write_text(str(stranger.with_signatures(KEY.cosign(stranger.text, NOW))))
    for old in (0, 3, 5):
        assert (await witness_of(tmp_path, log.verifier).add_checkpoint(log.request(old))).status == 500
    (state,) = await witness.status()
    assert str(file) in state.problem
    with pytest.raises(FileError):
        await witness.checkpoint(log_digest(NAME))
    file.write_bytes(whole)
    assert (await witness.add_checkpoint(log.request(5))).status == 200


async def test_it_is_on_the_disk_before_the_answer(
    witness: Witness, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full nothing is answered but 500, and what was cosigned last stays so."""
    await witness.add_checkpoint(log.request(0, 5))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_durably", full)
        assert (await witness.add_checkpoint(log.request(5))).status == 500
    assert await witness.add_checkpoint(log.request(0)) == Answer(409, "5\n", "text/x.tlog.size")


async def test_another_process_that_hangs_costs_an_answer(
    witness: Witness, log: MemoryLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While another process holds the log's lock and does not let go, the answer is 500, and nothing is cosigned."""
    monkeypatch.setattr("dialer.witness_key._PATIENCE_S", 0.02)
    (tmp_path / "witness").mkdir()
    with held(tmp_path / "witness" / f"{log_digest(NAME)}.lock"):
        assert (await witness.add_checkpoint(log.request(0))).status == 500
    assert (await witness.add_checkpoint(log.request(0))).status == 200


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """For its owner alone; it stays the same, is written as a cosigner's, and is named after itself."""
    first, second = witness_key(tmp_path / "keys"), witness_key(tmp_path / "keys")
    assert read_key(str(first.verifier)) == second.verifier
    assert second.verifier.algorithm == COSIGNATURE
    assert second.name.startswith("heedline-witness/")
    assert stat.S_IMODE((tmp_path / "keys" / "witness.key").stat().st_mode) == 0o600
    assert witness_key(tmp_path / "other").name != first.name


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_that_cannot_be_used_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A damaged key is an error with a cure, and stays what it is."""
    (tmp_path / "witness.key").write_bytes(content)
    with pytest.raises(FileError, match=r"witness\.key"):
        witness_key(tmp_path)
    assert (tmp_path / "witness.key").read_bytes() == content


@pytest.mark.parametrize("text", ["", "x", str(KEY.verifier), f"{MemoryLog().verifier}x"])
def test_wrong_keys_in_the_settings_are_told(text: str) -> None:
    """What is no key of a log is an error that names the setting; a witness's key is none."""
    with pytest.raises(ConfigError, match=r"evidence\.witness_for"):
        read_logs([text])


def test_the_memory_is_no_other_witness_s() -> None:
    """The check of the kept note is one that can fail."""
    note = MemoryLog(leaves=LEAVES).note()
    with pytest.raises(NoteFault):
        verify(note.with_signatures(KEY.cosign("other\n", NOW)), KEY.verifier)
