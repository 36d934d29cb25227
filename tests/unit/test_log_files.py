"""The files of a node that seals: its keys, and what it signed last."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.errors import FileError, LogFault
from dialer.last_signed import Intended, LastSigned, Signed, add_ranges
from dialer.log_keys import KeyRing
from dialer.log_restore import successor
from dialer.verifier.note import Checkpoint, Note, VerifierKey, sign

NAME = "heedline/0a1b2c3d"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """Keys in a folder that is not there yet."""
    return KeyRing(tmp_path / "home" / "keys")


@pytest.fixture
def key(ring: KeyRing) -> VerifierKey:
    """One key there."""
    return ring.make(NAME)


def note(ring: KeyRing, key: VerifierKey, size: int) -> Note:
    """A signed checkpoint."""
    private = ring.private(key)
    assert private is not None
    text = Checkpoint(NAME, size, bytes(32)).text()
    return Note(text, (sign(text, NAME, private),))


def test_a_key_is_its_owner_s_alone_and_no_other_passes_for_it(ring: KeyRing, key: VerifierKey) -> None:
    """Folder and file are closed to others. A missing file is no key; another key, or anything else, under its name is
    a fault with a cure, not a signature by the wrong key."""
    assert ring.file(key).stat().st_mode & 0o777 == 0o600
    assert ring.folder.stat().st_mode & 0o777 == 0o700
    assert ring.private(VerifierKey(NAME, 1, bytes(32))) is None
    other = ring.make(NAME)
    ring.file(key).write_bytes(ring.file(other).read_bytes())
    with pytest.raises(LogFault, match="it is not the key `heedline/0a1b2c3d") as fault:
        ring.private(key)
    assert fault.value.cure == "restore the file from a backup"
    for rubbish in (b"", b"\x00\xff", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        ring.file(key).write_bytes(rubbish)
        with pytest.raises(LogFault, match="cannot be used"):
            ring.private(key)


def test_what_was_signed_last_is_read_back(ring: KeyRing, key: VerifierKey) -> None:
    """With and without a checkpoint that is committed or intended; what is settled is no more intended, unless another
    was intended meanwhile."""
    last = LastSigned(ring.folder)
    assert last.read() is None
    before, after = note(ring, key, 3), note(ring, key, 9)
    intended = Intended(3, Checkpoint(NAME, 9, bytes(32)), ((4, 8), (10, 10)))
    for committed in (None, before):
        for about in (None, intended):
            last.write(Signed(key, committed, about))
            assert last.read() == Signed(key, committed, about)
    assert intended.entries() == [4, 5, 6, 7, 8, 10]
    last.settle(before)
    assert last.read() == Signed(key, before, intended)
    last.settle(after)
    assert last.read() == Signed(key, after, None)
    assert last.file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"null", b"{}", b'{"key": 1, "committed": null, "intended": null}', b"["]
)
def test_a_damaged_memory_is_a_fault_not_a_blank(ring: KeyRing, key: VerifierKey, content: bytes) -> None:
    """It is never taken for one that says nothing, under which anything might be signed."""
    assert key
    last = LastSigned(ring.folder)
    last.file.write_bytes(content)
    with pytest.raises(LogFault, match="which says what was signed last, cannot be read") as fault:
        last.read()
    assert "move it away" in fault.value.cure


def test_a_memory_that_cannot_be_written_is_told_of(ring: KeyRing, key: VerifierKey) -> None:
    """Before anything is signed, with the file's name."""
    last = LastSigned(ring.file(key) / "below")
    with pytest.raises(FileError, match="cannot be written: not a directory"):
        last.write(Signed(key, None, None))
    with pytest.raises(FileError, match="the log's key cannot be written"):
        KeyRing(ring.file(key) / "below").make(NAME)


def test_names_follow_each_other() -> None:
    """The number goes up from the highest that was used; a name of digits alone is no number."""
    assert successor(["heedline/12345678"]) == "heedline/12345678/2"
    assert successor(["heedline/0a1b2c3d", "heedline/0a1b2c3d/9"]) == "heedline/0a1b2c3d/10"


def test_ids_are_kept_as_stretches() -> None:
    """Any ids, in pieces of any size, come back as they were, and neighbours are one stretch."""
    ranges: list[tuple[int, int]] = []
    for piece in ([1, 2, 3], [4], [7], [8, 10], [12]):
        add_ranges(ranges, piece)
    assert ranges == [(1, 4), (7, 8), (10, 10), (12, 12)]
