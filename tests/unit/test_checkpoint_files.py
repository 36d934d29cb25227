"""Checkpoints are read from notes and bundles; anything else is a `FileError`, never a traceback or a full memory."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dialer.checkpoint_files import checkpoint_text
from dialer.errors import FileError

NOTE = "heedline/test\n7\nAAAA\n\n\u2014 heedline/test AAAA\n"


def bundle(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A bundle with one member."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize("data", [NOTE.encode(), bundle("checkpoint", NOTE.encode())])
def test_a_note_is_read_from_both(tmp_path: Path, data: bytes) -> None:
    """By itself, and as a bundle's `checkpoint`."""
    file = tmp_path / "given"
    file.write_bytes(data)
    assert checkpoint_text(file) == NOTE


HOSTILE = {
    "no checkpoint in it": bundle("another", NOTE.encode()),
    "cut": bundle("checkpoint", NOTE.encode())[:-30],
    "only a head": b"PK\x03\x04",
    "damaged": bundle("checkpoint", b"x" * 5000).replace(b"x" * 10, b"y" * 10)[:60] + b"\0" * 40,
    "wrong checksum": bundle("checkpoint", NOTE.encode(), zipfile.ZIP_STORED).replace(b"AAAA", b"AAAB"),
    "encrypted": bundle("checkpoint", NOTE.encode()).replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    ),
    "a bomb": bundle("checkpoint", b"0" * 50_000_000),
    "no text": b"\xff\xfe\x00",
    "too long": b"x" * 1_000_001,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    """Each ends in one line with a cure."""
    file = tmp_path / "given"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(FileError) as refused:
        checkpoint_text(file)
    assert refused.value.cure


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, and a name that is not there."""
    for file in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileError, match="cannot be read"):
            checkpoint_text(file)
