"""Reading CSV: what a stranger's file may hold, and what it may not."""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import FileError
from dialer.exports import cell_text, write_row
from dialer.imports import LINE_LIMIT, Columns, Row, RowFault, Sheet
from dialer.messages import row_fault_codes

# Mostly what is special to spreadsheets and delimiters.
_CHARACTERS = st.sampled_from("=+-@', \";") | st.characters(exclude_categories=["Cs", "Cc"])
COLUMNS = Columns(("number",), ("seller", "note"))


def sheet(content: bytes, columns: Columns = COLUMNS, encoding: str = "utf-8") -> Sheet:
    """A sheet of these bytes."""
    return Sheet(io.BytesIO(content), "file.csv", columns, encoding)


def rows(content: bytes, columns: Columns = COLUMNS, encoding: str = "utf-8") -> list[Row | RowFault]:
    """All rows and faults of these bytes."""
    found = sheet(content, columns, encoding)
    every: list[Row | RowFault] = []
    for chunk in found.chunks(2):
        every += [*chunk.rows, *chunk.faults]
    return every


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends(delimiter: str, mark: bytes, end: str) -> None:
    """Comma, semicolon and tab, with and without a byte order mark, after Unix and Windows, give the same rows."""
    text = end.join(["Number,SELLER", "+1,acme", "", '"+2", acme ']).replace(",", delimiter)
    assert rows(mark + text.encode()) == [Row(2, ("+1", "acme")), Row(4, ("+2", "acme"))]


def test_another_delimiter_is_named() -> None:
    """A file that is separated by bars says what is understood, and shows the line."""
    with pytest.raises(FileError, match=r"delimiter is not understood: `number\|seller`; separate by comma"):
        sheet(b"number|seller\n+1|acme\n")


def test_gbk_is_refused_with_the_cure_and_read_with_it() -> None:
    """Bytes that are no UTF-8 are refused, naming line and cure; with the encoding named they are read."""
    content = "number,note\n+1,甲方\n".encode("gb18030")
    with pytest.raises(FileError, match=r"line 2 cannot be read: it is not UTF-8.*`--encoding gb18030`"):
        rows(content)
    assert rows(content, encoding="gb18030") == [Row(2, ("+1", "甲方"))]


@pytest.mark.parametrize("encoding", ["utf-16", "rot13", "nonsense", "hex", "utf-16-le"])
def test_encodings_that_do_not_keep_ascii_are_refused(encoding: str) -> None:
    """Line breaks and delimiters could not be found in them."""
    with pytest.raises(FileError, match="no encoding that can be read"):
        sheet(b"number\n", encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf_16_is_recognised(encoding: str) -> None:
    """With a mark or by its NUL bytes, before anything is taken for a column."""
    with pytest.raises(FileError, match="line 1 cannot be read"):
        sheet("number,note\n".encode(encoding))


def test_a_missing_column_is_named() -> None:
    """And so are those that are understood."""
    with pytest.raises(FileError, match=r"column `number` is missing.*understood are `number`, `seller`, `note`"):
        sheet(b"seller,note\nacme,x\n")


def test_an_unknown_column_is_refused_unless_others_are_passed_over() -> None:
    """A misspelt column must not be lost in silence."""
    with pytest.raises(FileError, match="column `sellr` is not understood"):
        sheet(b"number,sellr\n")
    assert rows(b"x,number,y\n1,+1,2\n", Columns(("number",), others=True)) == [Row(2, ("+1",))]


def test_a_column_that_stands_twice_is_refused() -> None:
    """Which of the two would hold?"""
    with pytest.raises(FileError, match="`number` stands twice"):
        sheet(b"number,number\n")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_says_what_it_should_hold(content: bytes) -> None:
    """An empty file is an error that names the columns."""
    with pytest.raises(FileError, match="`number`"):
        sheet(content)


def test_a_bare_column_needs_no_names() -> None:
    """A file of numbers alone is read from its first line, and one with the name from its second."""
    bare = Columns(("number",), ("note",), bare=True)
    assert rows(b"+1\n+2\n", bare) == [Row(1, ("+1",)), Row(2, ("+2",))]
    assert rows(b"number\n+2\n", bare) == [Row(2, ("+2",))]
    with pytest.raises(FileError, match="does not name the columns"):
        sheet(b"telephone\n+2\n", bare)


class Endless(io.RawIOBase):
    """A stream that would give a line of one gigabyte, and counts what is taken of it."""

    def __init__(self, head: bytes, tail: int = 1 << 30) -> None:
        self.head, self.left, self.taken = head, tail, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Some of it; never all at once."""
        assert size > 0, "the whole file was asked for"
        block = self.head[:size] or b"1" * min(size, self.left)
        self.left -= 0 if self.head else len(block)
        self.head = self.head[size:]
        self.taken += len(block)
        return block


@pytest.mark.parametrize(("head", "line"), [(b"number\n+1\n", 3), (b"", 1)])
def test_a_line_of_a_gigabyte_is_refused_without_reading_it(head: bytes, line: int) -> None:
    """It stops after less than a megabyte and names the line, be it the header or a row."""
    stream = Endless(head)
    with pytest.raises(FileError, match=f"line {line} is longer than 64 KiB"):
        list(Sheet(cast("BinaryIO", stream), "pipe", COLUMNS).chunks(10))
    assert stream.taken < 1 << 20


def test_the_longest_line_is_read() -> None:
    """A line of just 64 KiB passes, one byte more does not."""
    note = "x" * (LINE_LIMIT - 3)
    assert rows(f"number,note\n+1,{note}\n".encode()) == [Row(2, ("+1", note))]
    with pytest.raises(FileError, match="line 2 is longer"):
        rows(f"number,note\n+1,{note}x\n".encode())


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"+1,a,b", "cells"),
        (b"+1", "cells"),
        (b'+1,"open', "quote"),
        (b'+1,"a"b', "quote"),
        (b"+1,a\0b", "nul"),
    ],
)
def test_a_bad_row_is_a_fault_and_the_next_one_is_read(line: bytes, code: str) -> None:
    """Wrong number of cells, an open quotation mark, NUL: each is that row's fault alone."""
    good, bad = rows(b"number,note\n" + line + b"\n+2,ok\n")
    assert good == Row(3, ("+2", "ok"))
    assert isinstance(bad, RowFault)
    assert (bad.line, bad.code) == (2, code)
    assert "\0" not in bad.value


def test_faults_are_told_in_both_languages() -> None:
    """Every code has a sentence in English and Chinese, and they differ."""
    for code in (*row_fault_codes(), "number.empty"):
        fault = RowFault(1, "x", "", code, "a")
        assert fault.text("en") != fault.text("zh")


def test_what_was_read_is_counted_and_hashed() -> None:
    """Bytes and SHA-256 are those of the whole file, its mark included."""
    content = b"\xef\xbb\xbfnumber\n+1\n+2"
    found = sheet(content)
    assert sum(len(chunk.rows) for chunk in found.chunks(1)) == 2
    assert (found.bytes_read, found.digest()) == (len(content), hashlib.sha256(content).digest())


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1", "@SUM(A1)", "\tx", "\rx", "+", "+12a"])
def test_formulas_are_neutralised(text: str) -> None:
    """A cell that a spreadsheet could run begins with an apostrophe."""
    assert cell_text(text).startswith("'")


def test_numbers_stay_numbers() -> None:
    """An E.164 number is written as it is."""
    assert cell_text("+442079460123") == "+442079460123"


@given(st.lists(st.text(_CHARACTERS, max_size=20), min_size=1, max_size=20))
def test_an_export_is_read_back(notes: list[str]) -> None:
    """Whatever stands in a cell comes back from a file that we wrote, but for white space around it."""
    out = io.StringIO()
    write_row(out, ["number", "note"])
    for note in notes:
        write_row(out, ["+1", note])
    found = [row for row in rows(out.getvalue().encode()) if isinstance(row, Row)]
    assert [row.cells[1] for row in found] == [note.strip(" \u3000") for note in notes]


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    """Any bytes are rows, faults of rows, or one clear error."""
    found: list[Row | RowFault] = []
    with contextlib.suppress(FileError):
        found = rows(b"number,note\n" + content)
    assert all(isinstance(each, (Row, RowFault)) for each in found)
