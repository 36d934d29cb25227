"""Archives and JSON that are made to harm: one clear sentence, bounded memory and time."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.verifier.archive import Archive, ArchiveFault, MemberFault
from dialer.verifier.bundle import BundleFault, Trust, verify_bundle
from dialer.verifier.documents import DocumentFault, read_loose_object, read_object
from dialer.verifier.entries import EntryReader
from dialer.verifier.leaf import canonical
from dialer.verifier.report import Report
from dialer.verifier.words import Fault
from tests.bundle_maker import busy_log, zipped
from tests.unit.verifier.checking import checked, false_of

RIGHT = busy_log().bundle([1, 2, 3]).zipped()
STORED = busy_log().bundle([1, 2, 3]).zipped(zipfile.ZIP_STORED)


def refused(data: bytes) -> str:
    """What is said of an archive that is refused."""
    with pytest.raises((ArchiveFault, BundleFault)) as caught:
        verify_bundle(io.BytesIO(data), Trust())
    assert caught.value.said.chinese != caught.value.said.english
    return str(caught.value)


def member(name: str, data: bytes = b"x", mode: int = 0) -> bytes:
    """An archive with one member besides a right manifest's name."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, data)
    return memory.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "../bundle.json",
        "/etc/passwd",
        "files/../../x",
        "a\\b",
        "C:/x",
        "files/\x1b[31m",
        "",
        "名",
        "x" * 300,
        "a//b",
    ],
)
def test_names(name: str) -> None:
    """A member whose name leads elsewhere, or that no bundle can have, is refused; nothing of it steers a terminal."""
    said = refused(member(name))
    assert "is not allowed in it" in said
    assert said.isprintable()


def test_name_with_an_end_within() -> None:
    """A name with a NUL in it, behind which some programs do not read, is refused."""
    data = member("checkpoint").replace(b"checkpoint", b"check\x00oint")
    assert "`check\\x00oint` is not allowed" in refused(data)


def test_links_and_devices() -> None:
    """A symbolic link, a device or a folder among the members is refused."""
    for kind in (stat.S_IFLNK, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFDIR):
        assert "is no plain file" in refused(member("records.json", mode=kind | 0o777))


def test_twice() -> None:
    """Two members of one name are refused: programs differ in which they take."""
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped([("bundle.json", b"{}"), ("bundle.json", b"{}")])
    assert "two members are named `bundle.json`" in refused(data)


def _patched(data: bytes, signature: bytes, offset: int, value: bytes, nth: int = 0) -> bytes:
    at = -1
    for _ in range(nth + 1):
        at = data.index(signature, at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


CENTRAL = b"PK\x01\x02"


def test_encrypted() -> None:
    """An encrypted member is refused."""
    assert "is encrypted" in refused(_patched(RIGHT, CENTRAL, 8, b"\x01\x00"))


def test_other_compression() -> None:
    """A member that is compressed in a way that few can read is refused."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("bundle.json", b"{}")
    assert "compressed in a way that is not allowed" in refused(memory.getvalue())


def test_overlapping() -> None:
    """Members that share their bytes, as in the densest of bombs, are refused."""
    at = RIGHT.index(CENTRAL, RIGHT.index(CENTRAL) + 1)
    data = RIGHT[: at + 42] + bytes(4) + RIGHT[at + 46 :]
    assert "overlap" in refused(data)


def test_prefix_and_comment() -> None:
    """Bytes before the first member, or behind the end, are refused: the file could be something else too."""
    assert "stands before its first member" in refused(b"#!/bin/sh\n" + RIGHT)
    assert "does not end as one does" in refused(RIGHT + b"x")
    assert "does not end as one does" in refused(RIGHT[:-2] + b"\x01\x00x")


def test_no_archive() -> None:
    """An empty file, a text, an empty archive are refused."""
    assert "no zip archive" in refused(b"")
    assert "no zip archive" in refused(b"hello" * 100)
    assert "holds no `bundle.json`" in refused(zipped({}))


def test_declared_bomb() -> None:
    """An archive that says it unpacks to far more than its size allows is refused before anything is unpacked."""
    data = RIGHT
    for nth in range(5):
        data = _patched(data, CENTRAL, 24, struct.pack("<L", 64 << 20), nth)
    assert "far more than it could hold" in refused(data)


def test_lying_bomb() -> None:
    """One that says that it is small and unpacks to more is cut where it said, and false."""
    parts = busy_log().bundle([1])
    parts.files["timeline.svg"] = bytes(32 << 20)
    data = parts.hashed().zipped()
    at = data.index(b"timeline.svg", data.index(CENTRAL)) - 46
    data = data[: at + 24] + struct.pack("<L", 100) + data[at + 28 :]
    tracemalloc.start()
    report = verify_bundle(io.BytesIO(data), Trust())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "file | timeline.svg | it cannot be unpacked: it is damaged" in false_of(report)
    assert peak < 8 << 20


def test_shorter_than_declared() -> None:
    """A member that says that it is larger than it is is cut."""
    with zipfile.ZipFile(io.BytesIO(RIGHT)) as archive:
        nth, size = archive.namelist().index("checkpoint"), archive.getinfo("checkpoint").file_size
    data = _patched(RIGHT, CENTRAL, 24, struct.pack("<L", size + 5), nth)
    assert "file | checkpoint | it cannot be unpacked: it is cut" in false_of(verify_bundle(io.BytesIO(data), Trust()))


def test_many_members() -> None:
    """An index that is too large to be read into memory is refused."""
    data = RIGHT[:-22] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 1 << 30, 0, 0)
    assert "too many members" in refused(data)


def test_large_files_in_little_memory() -> None:
    """A file of 16 MiB is hashed in a few."""
    parts = busy_log().bundle([1])
    parts.files["timeline.svg"] = bytes(16 << 20)
    data = parts.hashed().zipped()
    tracemalloc.start()
    report = verify_bundle(io.BytesIO(data), Trust())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(false_of(report)) == 1
    assert peak < 8 << 20


@pytest.mark.parametrize("whole", [RIGHT, STORED], ids=["deflated", "stored"])
def test_damaged(whole: bytes) -> None:
    """A member whose bytes are damaged is named."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        at = archive.getinfo("report.zh.html").header_offset + 30 + len("report.zh.html") + 6
    damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
    found = false_of(verify_bundle(io.BytesIO(damaged), Trust()))
    assert any("report.zh.html" in line for line in found)


@settings(max_examples=80, deadline=None, print_blob=False)
@given(st.booleans(), st.integers(0, len(STORED)), st.integers(0, 4), st.binary(max_size=4))
def test_any_damage(is_stored: bool, at: int, length: int, more: bytes) -> None:
    """Whatever bytes of an archive are changed or cut, it is refused or false, or what is read is what was written."""
    base = STORED if is_stored else RIGHT
    damaged = base[:at] + more + base[at + length :]
    try:
        report = verify_bundle(io.BytesIO(damaged), Trust())
    except Fault:
        return
    if report.is_right:
        archive, original = Archive(io.BytesIO(damaged)), Archive(io.BytesIO(base))
        assert archive.names == original.names
        assert all(archive.sha256(name) == original.sha256(name) for name in original.names)


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
HOSTILE: list[bytes] = [
    DEEP,
    b"[" * 100_000,
    b'{"a":1,"a":2}',
    b'{"a":' + b"9" * 10_000 + b"}",
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":1.0}',
    b'{"a":1e400}',
    b'{"a":-0}',
    b'{"a":"\xff"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\u0041"}',
    b'{"b":1,"a":2}',
    b'{"a": 1}',
    b"\xef\xbb\xbf{}",
    b"{}\n",
    b"[]",
    b"1",
    b"",
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_json(data: bytes) -> None:
    """JSON that is deep, ambiguous, not in its canonical form or no object is refused, wherever it stands."""
    with pytest.raises(DocumentFault):
        read_object(data)
    assert "bundle.json" in refused(zipped({"bundle.json": data}))
    report = Report()
    EntryReader(report, busy_log().point(), 1, None).line(1, data)
    assert false_of(report)[0].startswith("entry | entries.jsonl, line 1 | ")


@pytest.mark.parametrize("data", [DEEP, *HOSTILE[2:8], HOSTILE[9], *HOSTILE[16:]])
def test_loose_json(data: bytes) -> None:
    """What may be written in any form still has each name once, whole numbers, and is an object."""
    with pytest.raises(DocumentFault):
        read_loose_object(data)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_"), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text("abc_"), plain))
def test_canonical_json_is_read(value: dict[str, object]) -> None:
    """Whatever plain data is written in canonical form is read back."""
    assert read_object(canonical(value)) == value


def test_long_line() -> None:
    """A line longer than any honest one is not read into memory."""
    parts = busy_log().bundle([1])
    parts.lines[0]["payload"] = "x" * (9 << 20)
    assert "file | entries.jsonl | a line is longer than 8388608 bytes" in false_of(checked(parts.hashed()))


def test_large_manifest() -> None:
    """A manifest larger than any honest one is not read into memory."""
    assert "larger than" in refused(zipped({"bundle.json": bytes(9 << 20)}))


Manifest = dict[str, object]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "heedline-bundle/2"}, "this program knows `heedline-bundle/1` alone"),
        ({"format": None}, "this program knows"),
        ({"files": []}, "`files` is no object"),
        ({"files": {"checkpoint": 1}}, "`files` is no object"),
        ({"exported": "25"}, "`exported` is no id"),
        ({"exported": True}, "`exported` is no id"),
        ({"log": None}, "`log` is no object"),
        ({"log": {"name": "x", "keys": ["x"]}}, "a key is written"),
        ({"log": {"name": "x", "keys": {}}}, "`log` is no object"),
        ({"more": 1}, "its members are not those of the format"),
    ],
)
def test_manifests(change: Manifest, said: str) -> None:
    """A manifest that is not of the format is refused, and why is said."""
    parts = busy_log().bundle([1])
    parts.manifest |= change
    assert said in refused(parts.zipped())


def test_read_limit() -> None:
    """A member larger than its reader allows is not read."""
    archive = Archive(io.BytesIO(zipped({"checkpoint": bytes(1000)})))
    with pytest.raises(MemberFault, match="larger than 999 bytes"):
        archive.read("checkpoint", 999)


@pytest.mark.parametrize(
    "make", [lambda: b"PK\x05\x06" * 100, lambda: b"PK\x06\x06" + bytes(52) + b"PK\x06\x07" + bytes(16)]
)
def test_fragments(make: Callable[[], bytes]) -> None:
    """Fragments of archives are refused."""
    refused(make() + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0))


def test_zip64() -> None:
    """An archive with the long form of its end, as large ones have, is read."""
    memory = io.BytesIO()
    with (
        zipfile.ZipFile(memory, "w") as archive,
        archive.open(zipfile.ZipInfo("bundle.json"), "w", force_zip64=True) as file,
    ):
        file.write(b"{}")
    data = memory.getvalue()
    at = data.index(CENTRAL)
    size = len(data) - 22 - at
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, at)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert Archive(io.BytesIO(data[: at + size] + end64 + locator + end)).read("bundle.json", 10) == b"{}"
    huge = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, at)
    assert "too many members" in refused(data[: at + size] + huge + locator + end)
