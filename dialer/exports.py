"""CSV for people's spreadsheets, made so that no cell is run as a formula.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe in front, which
`dialer.imports` takes off again. E.164 numbers (`+` and 1 to 15 digits, nothing else) stay as they are: a spreadsheet
reads them as plain numbers. Line breaks within a cell become spaces, so that a row is a line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

from dialer.imports import is_formula

_NUMBER = re.compile(r"\+[0-9]{1,15}")
_BREAKS = re.compile(r"[\r\n]+")


def write_row(stream: TextIO, cells: Sequence[Any]) -> None:
    """Write one row: RFC 4180, line feed at its end."""
    csv.writer(stream, lineterminator="\n").writerow([cell_text(cell) for cell in cells])


def cell_text(value: Any) -> str:
    """A value as a cell that is safe to open."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
        case tuple() | list():
            return " ".join(map(str, value))
    text = str(value)
    if is_formula(text) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    return _BREAKS.sub(" ", text)
