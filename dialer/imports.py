"""CSV files as rows, one line at a time: what a stranger's spreadsheet may hold, and what it may not.

A file is UTF-8 with or without a byte order mark, unless an encoding is named. Its first line names the columns, and
by them the delimiter is found: comma, semicolon or tab. A row is one line of at most 64 KiB; a quoted cell ends on
its line. An apostrophe before `=`, `+`, `-`, `@` is taken off again (`dialer.exports` puts it there). Faults of the
file as a whole are a `FileError`; a fault of one row is a `RowFault` and the reading goes on.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from dialer.errors import FileError
from dialer.hostile import printable
from dialer.messages import row_fault_text
from dialer.verdict import Language

LINE_LIMIT = 64 * 1024
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_BLOCK = 256 * 1024
_WIDE = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_SPACE = " \t\u3000"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a file may have. `optional` ones may be absent. With `others`, columns of other names are passed
    over. `bare`: a file of that one column alone may have no line of names."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    others: bool = False
    bare: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        """All that are understood."""
        return self.required + self.optional


@dataclass(frozen=True, slots=True)
class RowFault:
    """One bad cell, or (with `column` empty) a bad row. `value` is clipped and printable."""

    line: int
    column: str
    value: str
    code: str
    detail: str = ""

    def text(self, language: Language = "en") -> str:
        """What is wrong, for people."""
        return row_fault_text(self.code, self.detail, language)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line (the first line is 1) and its cells in the order of `Sheet.columns`, stripped."""

    line: int
    cells: tuple[str, ...]


@dataclass(slots=True)
class Chunk:
    """Rows that were read together, and the faults between them."""

    rows: list[Row] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


class Sheet:
    """A CSV file, read once and forwards; memory does not grow with the file.

    `columns` are those of the header that are understood, in its order. `bytes_read` and `digest()` speak of what has
    been read so far.
    """

    def __init__(self, stream: BinaryIO, name: str, expected: Columns, encoding: str = "utf-8") -> None:
        """Reads the first line. Raises `FileError` when it is not the header that is expected."""
        self.name = name
        self.bytes_read = 0
        self._encoding = _checked(encoding)
        self._hash = sha256()
        self._lines = self._split(stream)
        self._first: list[tuple[int, bytes]] = []
        self._read_header(expected)

    def digest(self) -> bytes:
        """SHA-256 of what was read."""
        return self._hash.digest()

    def chunks(self, size: int) -> Iterator[Chunk]:
        """The rows, `size` or fewer at a time. Raises `FileError` on a line that makes the whole file doubtful."""
        chunk = Chunk()
        for line, raw in self._all_lines():
            if not raw.strip():
                continue
            row = self._row(line, raw)
            if isinstance(row, RowFault):
                chunk.faults.append(row)
            else:
                chunk.rows.append(row)
            if len(chunk.rows) + len(chunk.faults) >= size:
                yield chunk
                chunk = Chunk()
        if chunk.rows or chunk.faults:
            yield chunk

    def _all_lines(self) -> Iterator[tuple[int, bytes]]:
        yield from self._first
        yield from self._lines

    def _split(self, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
        """Lines without their ends, counted from 1. At most a block and a line are held in memory."""
        number, rest = 1, b""
        while block := stream.read(_BLOCK):
            self.bytes_read += len(block)
            self._hash.update(block)
            parts = (rest + block).split(b"\n")
            rest = parts.pop()
            for part in parts:
                yield number, self._bounded(number, part)
                number += 1
            self._bounded(number, rest)
        if rest:
            yield number, rest.removesuffix(b"\r")

    def _bounded(self, number: int, line: bytes) -> bytes:
        if len(line) > LINE_LIMIT:
            raise FileError(
                f"`{self.name}`: line {number} is longer than {LINE_LIMIT // 1024} KiB",
                "end every row with a line break, and check that this is a CSV file",
            )
        return line.removesuffix(b"\r")

    def _read_header(self, expected: Columns) -> None:
        first = next(self._lines, None)
        if first is None:
            raise FileError(
                f"`{self.name}` is empty", f"its first line must name the columns: {_list(expected.required)}"
            )
        number, raw = first
        for mark, wide in _WIDE.items():
            if raw.startswith(mark):
                raise self._undecodable(number, f"it looks like {wide}")
        raw = raw.removeprefix(codecs.BOM_UTF8)
        if b"\0" in raw:
            raise self._undecodable(number, "it holds NUL bytes")
        text = self._decoded(number, raw)
        self._delimiter, names = _header(text, expected)
        if expected.bare and len(names) == 1 and names[0] not in expected.known and not any(map(str.isalpha, names[0])):
            self._first = [(number, raw)]
            names = list(expected.required)
        self._width = len(names)
        self._check_names(names, expected)
        self._places = [i for i, name in enumerate(names) if name in expected.known]
        self.columns = tuple(names[i] for i in self._places)

    def _check_names(self, names: Sequence[str], expected: Columns) -> None:
        known = set(expected.known)
        missing = [name for name in expected.required if name not in names]
        if missing and not known & set(names):
            raise FileError(
                f"`{self.name}`: the first line does not name the columns, or its delimiter is not understood: "
                f"`{printable(self._delimiter.join(names), 80)}`",
                "separate by comma, semicolon or tab, and name the columns in the first line: "
                + _list(expected.required),
            )
        if missing:
            raise FileError(
                f"`{self.name}`: column {_list(missing)} is missing",
                f"name it in the first line; understood are {_list(expected.known)}",
            )
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if list(names).count(name) > 1})
            raise FileError(f"`{self.name}`: column {_list(twice)} stands twice", "keep one of them")
        unknown = [name for name in names if name not in known]
        if unknown and not expected.others:
            raise FileError(
                f"`{self.name}`: column {_list(unknown)} is not understood",
                f"remove it or correct its name; understood are {_list(expected.known)}",
            )

    def _row(self, line: int, raw: bytes) -> Row | RowFault:
        if b"\0" in raw:
            return RowFault(line, "", _shown(raw), "nul")
        text = self._decoded(line, raw)
        if '"' in text:
            try:
                cells = next(csv.reader([text], delimiter=self._delimiter, strict=True))
            except csv.Error:
                return RowFault(line, "", printable(text, 64), "quote")
        else:
            cells = text.split(self._delimiter)
        if len(cells) != self._width:
            return RowFault(line, "", printable(text, 64), "cells", f"{len(cells)} cells, not {self._width}")
        return Row(line, tuple([_plain(cells[i]) for i in self._places]))

    def _decoded(self, line: int, raw: bytes) -> str:
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            raise self._undecodable(line, f"it is not {self._encoding.upper()}") from None

    def _undecodable(self, line: int, why: str) -> FileError:
        return FileError(
            f"`{self.name}`: line {line} cannot be read: {why}",
            "save the file as UTF-8, or name its encoding, for instance `--encoding gb18030`",
        )


def _checked(encoding: str) -> str:
    """The encoding's plain name; it must write line breaks and delimiters as ASCII does."""
    try:
        name = codecs.lookup(encoding).name
        plain = "\n\r,;\t\"'+0".encode(name) == b"\n\r,;\t\"'+0"
    except (LookupError, UnicodeError, TypeError):
        plain = False
    if not plain:
        raise FileError(
            f"`{printable(encoding, 32)}` is no encoding that can be read here",
            "use one such as `utf-8`, `gb18030`, `big5`, `shift_jis` or `cp1252`, or save the file as UTF-8",
        )
    return name


def _header(text: str, expected: Columns) -> tuple[str, list[str]]:
    """The delimiter that makes most sense of the first line, and the names that it gives."""
    known = set(expected.known)

    def named(delimiter: str) -> list[str]:
        try:
            cells = next(csv.reader([text], delimiter=delimiter, strict=True), [])
        except csv.Error:
            return []
        return [cell.strip().lower() for cell in cells]

    candidates = [(delimiter, named(delimiter)) for delimiter in DELIMITERS]
    return max(candidates, key=lambda found: (len(known & set(found[1])), len(found[1])))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text, with or without the apostrophes and spaces before it."""
    return text.startswith(("\t", "\r")) or text.lstrip(_SPACE + "'").startswith(("=", "+", "-", "@"))


def _plain(cell: str) -> str:
    cell = cell.strip(_SPACE)
    return cell[1:].strip(_SPACE) if cell.startswith("'") and is_formula(cell[1:]) else cell


def _shown(raw: bytes) -> str:
    return printable(raw[:64].decode("utf-8", "replace"), 64)


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{printable(name, 40)}`" for name in names)
