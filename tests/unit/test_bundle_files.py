"""Files of a bundle: what is missing is said, and a bundle appears whole or not at all."""

from __future__ import annotations

import hashlib
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dialer.bundle_files import Attachment, Folders, attachments, draft_beside, write_zip
from dialer.clips import keep_clip
from dialer.errors import FileError
from tests.dossiers import CLIP, FORM, NOON, small


def test_files_are_looked_up_and_checked(tmp_path: Path) -> None:
    """A file that is gone, changed or kept elsewhere is told apart from one that is there."""
    folders = Folders(tmp_path / "artefacts", tmp_path / "clips")
    found = {each.sha256: each.missing for each in attachments(small(), folders)}
    assert found == {FORM: "gone", CLIP: "gone"}
    folders.artefacts.mkdir()
    (folders.artefacts / FORM).write_bytes(b"forged")
    clip = keep_clip(b"RIFF a clip", folders.clips)
    found = {each.sha256: each.missing for each in attachments(small(), folders)}
    assert found == {FORM: "changed", CLIP: "gone"}
    (folders.clips / CLIP[:2]).mkdir()
    (folders.clips / clip[:2] / f"{clip}.wav").rename(folders.clips / CLIP[:2] / f"{CLIP}.wav")
    assert {each.missing for each in attachments(small(), folders)} == {"changed"}


def test_the_same_members_are_the_same_bytes(tmp_path: Path) -> None:
    """A bundle that is written twice is the same file, for its owner alone, and leaves no draft."""
    for name in ("a.zip", "b.zip"):
        write(tmp_path / name, attached(tmp_path, b"a form"))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert (tmp_path / "a.zip").stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zip", "b.zip", "form"]
    with zipfile.ZipFile(tmp_path / "a.zip") as bundle:
        assert bundle.read(f"files/{hashlib.sha256(b'a form').hexdigest()}") == b"a form"


def test_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    """It is an error, and what stood there before stays."""
    target = tmp_path / "a.zip"
    target.write_bytes(b"before")
    form = attached(tmp_path, b"a form")
    (tmp_path / "form").write_bytes(b"forged")
    with pytest.raises(FileError, match="was changed while"):
        write(target, form)
    assert target.read_bytes() == b"before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zip", "form"]


def test_no_room_on_the_disk(tmp_path: Path) -> None:
    """The error names the file and the cure; nothing is left."""
    target = tmp_path / "a.zip"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with draft_beside(target) as draft:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(FileError, match=r"cannot be written: file too large.*room on the disk"):
                write_zip(draft, target, NOON, {"records.json": b"\0" * 10, "other": bytes(range(256)) * 9}, ())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/a.zip", ".", "file/a.zip", "/dev/null"])
def test_a_target_that_cannot_be(tmp_path: Path, name: str) -> None:
    """A folder, a folder that is not there and a folder that is none: an error before anything is done."""
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"is a folder|cannot be written|cannot go to"), draft_beside(tmp_path / name):
        pytest.fail("it was begun")


def test_killed_in_the_middle(tmp_path: Path) -> None:
    """Killed between two members, the target is as it was before."""
    target = tmp_path / "a.zip"
    target.write_bytes(b"before")
    program = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from dialer.bundle_files import draft_beside, write_zip
def attached():
    os.kill(os.getpid(), signal.SIGKILL)
    yield
target = Path(sys.argv[1])
with draft_beside(target) as draft:
    write_zip(draft, target, datetime.now(UTC), {"records.json": b"{}" * 100000}, attached())
"""
    ended = subprocess.run([sys.executable, "-c", program, target], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"before"


def attached(folder: Path, data: bytes) -> Attachment:
    """A file that is there."""
    (folder / "form").write_bytes(data)
    return Attachment(hashlib.sha256(data).hexdigest(), "text/plain", "", ("consent 1",), folder / "form", len(data))


def write(target: Path, form: Attachment) -> None:
    """A small bundle."""
    with draft_beside(target) as draft:
        write_zip(draft, target, NOON, {"records.json": b"{}"}, [form])
