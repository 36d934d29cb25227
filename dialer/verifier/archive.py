"""A zip archive from a stranger, read without ever being unpacked to disk: whatever is odd about it is refused first.

Memory is bounded by `_INDEX_LIMIT` and by the limit of each read; time by the size of the archive (`_RATIO`).
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from .words import Fault, shown

_INDEX_LIMIT = 8 << 20
_FREE = 256 << 20
_RATIO = 100
_CHUNK = 1 << 20
_LOCAL_HEADER = 30
_END = struct.Struct("<4s4H2LH")
_END_MARK, _END64_MARK, _LOCATOR_MARK = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE = 20
_FOLDERS = {"files/", "timestamps/"}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}(/[A-Za-z0-9_.-]{1,100}){0,3}")


class ArchiveFault(Fault):
    """A file that is no zip archive, or one that is made to harm."""


class MemberFault(Fault):
    """One member of the archive cannot be unpacked."""


class Archive:
    """The members of a zip archive by name. Raises `ArchiveFault` at once for whatever no honest program writes:
    names that occur twice or lead elsewhere, encryption, links, overlapping members, more data than so many bytes can
    hold."""

    def __init__(self, file: BinaryIO) -> None:
        size = file.seek(0, 2)
        _check_end(file, size)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error, OverflowError) as error:
            raise _no_archive(str(error)) from None
        members = self._zip.infolist()
        _check_members(members, size)
        self._members = {member.filename: member for member in members if member.filename not in _FOLDERS}

    @property
    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(self._members)

    def size(self, name: str) -> int:
        """How many bytes a file has."""
        return self._members[name].file_size

    def read(self, name: str, limit: int) -> bytes:
        """A file whole. Raises `MemberFault`, also when it is larger than `limit` bytes."""
        if self.size(name) > limit:
            raise MemberFault(f"it is larger than {limit} bytes", f"大于 {limit} 字节")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file piece by piece, at most a mebibyte each. Raises `MemberFault`."""
        left = self.size(name)
        try:
            with self._zip.open(self._members[name]) as stream:
                while chunk := stream.read(_CHUNK):
                    left -= len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, RuntimeError):
            raise MemberFault("it cannot be unpacked: it is damaged", "无法解包：已损坏") from None
        if left:
            raise MemberFault("it cannot be unpacked: it is cut", "无法解包：不完整")

    def sha256(self, name: str) -> bytes:
        """The SHA-256 of a file. Raises `MemberFault`."""
        digest = hashlib.sha256()
        for chunk in self.chunks(name):
            digest.update(chunk)
        return digest.digest()


def _check_end(file: BinaryIO, size: int) -> None:
    """The index that the end of the archive names must be small enough to be read into memory."""
    tail_size = min(size, _END.size + _LOCATOR_SIZE + _END64.size)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    if tail[-_END.size :][:4] != _END_MARK:
        raise _no_archive("it does not end as one does")
    fields = _END.unpack(tail[-_END.size :])
    index_size = fields[5]
    if fields[7]:
        raise _no_archive("it has a comment")
    if tail[-_END.size - _LOCATOR_SIZE :][:4] == _LOCATOR_MARK:
        end64 = tail[: _END64.size]
        if len(tail) < tail_size or end64[:4] != _END64_MARK:
            raise _no_archive("its end is not where it should be")
        index_size = _END64.unpack(end64)[8]
    if index_size > _INDEX_LIMIT:
        raise ArchiveFault("the zip archive has too many members", "zip 包的成员过多")
    file.seek(0)


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names: set[str] = set()
    end, total = 0, 0
    for member in sorted(members, key=lambda member: member.header_offset):
        _check_member(member)
        if member.filename in names:
            raise _refused(
                f"two members are named `{shown(member.filename)}`", f"有两个成员名为 `{shown(member.filename)}`"
            )
        if member.header_offset < end:
            raise _refused("its members overlap", "其成员互相重叠")
        names.add(member.filename)
        end = member.header_offset + _LOCAL_HEADER + len(member.filename) + member.compress_size
        total += member.file_size
    if end > size or (members and min(member.header_offset for member in members) != 0):
        raise _refused("something stands before its first member", "首个成员之前还有其他数据")
    if total > _FREE + _RATIO * size:
        raise _refused("it would unpack to far more than it could hold", "解包后的数据远超其应有的大小")


def _check_member(member: zipfile.ZipInfo) -> None:
    name, mode = member.filename, member.external_attr >> 16
    what = f"`{shown(member.orig_filename)}`"
    if name in _FOLDERS and member.file_size == 0:
        return
    if not _NAME.fullmatch(name) or ".." in name or member.orig_filename != name:
        raise _refused(f"the name {what} is not allowed in it", f"其中不得有 {what} 这样的名称")
    if member.flag_bits & 0x41:
        raise _refused(f"{what} is encrypted", f"{what} 已加密")
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _refused(f"{what} is no plain file", f"{what} 不是普通文件")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(f"{what} is compressed in a way that is not allowed", f"{what} 的压缩方式不被允许")


def _no_archive(why: str) -> ArchiveFault:
    return ArchiveFault(f"it is no zip archive that can be read: {shown(why)}", "不是可读的 zip 包")


def _refused(english: str, chinese: str) -> ArchiveFault:
    return ArchiveFault(f"the zip archive is refused: {english}", f"拒绝此 zip 包：{chinese}")
