"""Where tiles are, by the examples of C2SP tlog-tiles."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.evidence.tile_paths import ENTRIES, TilePath, read_tile_path


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TilePath(0, 1234067), "tile/0/x001/x234/067"),
        (TilePath(0, 0), "tile/0/000"),
        (TilePath(3, 999), "tile/3/999"),
        (TilePath(3, 1000), "tile/3/x001/000"),
        (TilePath(0, 273, 112), "tile/0/273.p/112"),
        (TilePath(1, 1, 17), "tile/1/001.p/17"),
        (TilePath(2, 0, 1), "tile/2/000.p/1"),
        (TilePath(ENTRIES, 1234067, 8), "tile/entries/x001/x234/067.p/8"),
        (TilePath(63, 255), "tile/63/255"),
    ],
)
def test_the_examples(tile: TilePath, path: str) -> None:
    """Numbers, levels and widths are written and read as the specification does."""
    assert str(tile) == path
    assert read_tile_path(path.removeprefix("tile/")) == tile


@settings(max_examples=40)
@given(st.integers(-1, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_what_is_written_is_read(level: int, index: int, width: int) -> None:
    """Each tile has a path, which is read as that tile."""
    tile = TilePath(level, index, width)
    assert read_tile_path(str(tile).removeprefix("tile/")) == tile


@settings(max_examples=40)
@given(st.from_regex(r"(entries|[0-9]{1,3})/(x?[0-9]{1,4}/){0,3}x?[0-9]{1,4}(\.p/[0-9]{1,4})?", fullmatch=True))
def test_there_is_one_way_to_write_a_tile(path: str) -> None:
    """What is read is written the same again."""
    tile = read_tile_path(path)
    assert tile is None or str(tile) == f"tile/{path}"


@pytest.mark.parametrize(
    "path",
    [
        *("", "0", "0/", "0/0", "0/00", "0/0000", "00/000", "64/000", "-1/000", "x/000", "0/x000/000", "0/001/000"),
        *("0/x001", "0/x001/x000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p", "0/000/", "0/٠٠٠"),
        *("0/000\n", "0/../000", "entries/000.p/256", "Entries/000", "0/x999/x999/x999/x999/x999/x999/999"),
    ],
)
def test_nothing_else_is_a_tile(path: str) -> None:
    """Other ways to write a number, and numbers that are none."""
    assert read_tile_path(path) is None
