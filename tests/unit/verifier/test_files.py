"""Files of a bundle that were changed, dropped, added or renamed are named."""

from __future__ import annotations

import hashlib

import pytest

from tests.bundle_maker import REPORTS, Parts
from tests.unit.verifier.checking import CLIP_NAME, checked, false_of, made, seen


@pytest.mark.parametrize("name", ["checkpoint", "entries.jsonl", CLIP_NAME, *REPORTS])
def test_changed_file(name: str) -> None:
    """A file that is changed without its hash in `bundle.json` is named."""
    _, parts = made()
    parts.manifest["files"][name] = hashlib.sha256(b"another").hexdigest()
    assert f"file | {name} | it is not the file that `bundle.json` names: it was changed" in false_of(checked(parts))


@pytest.mark.parametrize("name", [CLIP_NAME, *REPORTS])
def test_changed_file_with_its_hash(name: str) -> None:
    """A file that is changed with its hash is not the one that the log says was exported."""
    _, parts = made()
    parts.files[name] += b" "
    assert f"export | {name} | it is not the file that was exported: it was changed" in seen(parts)


def test_changed_named_file() -> None:
    """A recording is named by its hash, and one that is not what its name says is named."""
    _, parts = made()
    parts.files[CLIP_NAME] += b" "
    assert f"file | {CLIP_NAME} | it is not the file that it is named after: it was changed" in seen(parts)


@pytest.mark.parametrize("name", ["checkpoint", "entries.jsonl", CLIP_NAME, "report.en.pdf"])
def test_missing_file(name: str) -> None:
    """A file that `bundle.json` names and that is gone is named."""
    _, parts = made()
    contents = parts.contents()
    report = checked(_Without(parts, name))
    assert name in contents
    assert f"file | {name} | it is missing from the bundle" in false_of(report)


class _Without(Parts):
    def __init__(self, parts: Parts, name: str) -> None:
        super().__init__(parts.manifest, parts.checkpoint, parts.lines, parts.files)
        self._name = name

    def contents(self) -> dict[str, bytes]:
        return {name: data for name, data in super().contents().items() if name != self._name}


@pytest.mark.parametrize("name", ["checkpoint", "entries.jsonl"])
def test_missing_part(name: str) -> None:
    """A bundle without checkpoint or entries is false even when `bundle.json` does not name them."""
    _, parts = made()
    assert any(f"| {name} | it is missing from the bundle" in line for line in seen(_Without(parts, name)))


def test_missing_file_with_its_hash() -> None:
    """A report that is dropped with its hash is missed by the entry of the export."""
    _, parts = made()
    del parts.files["report.zh.pdf"]
    said = "the entry of the export names it, and it is not there"
    assert seen(parts) == [f"export | report.zh.pdf | {said}"]


def test_added_file() -> None:
    """A file that is put in is named, whether `bundle.json` knows it or not."""
    _, parts = made()
    name = f"files/{hashlib.sha256(b'more').hexdigest()}"
    parts.files[name] = b"more"
    assert false_of(checked(parts))[0] == f"file | {name} | `bundle.json` does not name it"
    assert seen(parts) == [f"export | {name} | the entry of the export does not name it"]


def test_foreign_file() -> None:
    """A file that no bundle has is named."""
    _, parts = made()
    parts.files["readme.txt"] = b"run me"
    assert "file | readme.txt | no such file belongs to the format" in seen(parts)
