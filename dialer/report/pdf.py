"""A report as PDF: A4, with the same words, tables and picture as the page. The same report gives the same bytes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import TextMode

from dialer.report.breaking import broken
from dialer.report.drawing import Circle, Drawing, Line, Polygon, Shape, Text
from dialer.report.fonts import characters, chinese_font
from dialer.report.model import Block, Code, Figure, Heading, Items, Pairs, Para, Report, Table

# It tells of every glyph that a font lacks; those are escapes before they come there.
logging.getLogger("fpdf").setLevel(logging.ERROR)
logging.getLogger("fontTools").setLevel(logging.ERROR)

_MARGIN, _TOP, _BOTTOM = 18.0, 22.0, 20.0
_INK, _GREY, _PALE, _WARN = (29, 39, 51), (93, 105, 117), (213, 219, 225), (179, 38, 30)
_SHADE = (244, 246, 248)
# The font that every reader of PDF has, for English alone.
_CORE, _CORE_CODE = "helvetica", "windows-1252"


def pdf_of(report: Report) -> bytes | None:
    """The PDF; None when the report needs a font that is not there."""
    font = chinese_font()
    if font is None and report.language == "zh":
        return None
    page = _Page(report, font)
    page.add_page()
    page.cover()
    for section in report.sections:
        page.section(section.title)
        for block in section.blocks:
            page.block(block)
    return bytes(page.output())


@dataclass(frozen=True, slots=True)
class _Grid:
    """How a table is set: size of its words in points, all else in millimetres. `titles` are repeated on each page."""

    size: float
    leading: float
    above: float
    inset: float
    widths: Sequence[float]
    titles: Sequence[str]


class _Page(FPDF):
    def __init__(self, report: Report, font: Path | None) -> None:
        super().__init__("portrait", "mm", "A4")
        self._report, self._font = report, font
        self._known = characters(font) if font else None
        self.set_creation_date(report.made_at)
        self.set_title(self._safe(f"{report.title}: {report.subtitle}"))
        self.set_lang("zh-Hans" if report.language == "zh" else "en")
        self.set_creator("Heedline")
        self.set_margins(_MARGIN, _TOP, _MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, _BOTTOM)
        self._widths: dict[float, dict[str, float]] = {}
        self._family = _CORE
        self.core_fonts_encoding = _CORE_CODE
        if font is not None:
            self._family = "report"
            self.add_font(self._family, "", str(font))
        self.set_font(self._family, "", 10)
        self.set_draw_color(*_PALE)

    def header(self) -> None:
        """The running head."""
        if self.page_no() > 1:
            self._running(10, self._safe(self._report.running))

    def footer(self) -> None:
        """The page number."""
        self._running(self.h - 13, f"{self.page_no()} / {{nb}}")

    def _running(self, y: float, words: str) -> None:
        self.set_font(self._family, "", 8)
        self.set_text_color(*_GREY)
        self.set_xy(_MARGIN, y)
        self.cell(self.epw, 4, words)
        self.set_xy(_MARGIN, self.t_margin)
        self._plain()

    def cover(self) -> None:
        """Title and subtitle."""
        self._words(self._report.title, 19, bold=True, leading=9)
        self._words(self._report.subtitle, 11.5, colour=_GREY, leading=6)
        self.ln(4)

    def section(self, title: str) -> None:
        """A section's heading, never alone at the foot of a page."""
        if self.will_page_break(32):
            self.add_page()
        elif self.get_y() > self.t_margin + 1:
            self.ln(4)
        self._words(title, 13.5, bold=True, leading=7)
        self.set_draw_color(*_INK)
        self.set_line_width(0.4)
        self.line(_MARGIN, self.get_y() + 0.4, self.w - _MARGIN, self.get_y() + 0.4)
        self.set_line_width(0.2)
        self.ln(2.6)

    def block(self, block: Block) -> None:
        """One block."""
        match block:
            case Para():
                self._para(block)
            case Heading():
                if self.will_page_break(18):
                    self.add_page()
                self.ln(1.5)
                self._words(block.text, 10.5, bold=True, leading=5.4)
                self.ln(0.6)
            case Items():
                for item in block.sentences:
                    self._item(item)
                self.ln(1.2)
            case Pairs():
                self._table([("", 26), ("", 74)], block.pairs, head=False)
            case Table():
                self._table(block.columns, block.rows, head=True)
            case Figure():
                self._figure(block.drawing)
            case Code():
                if self.will_page_break(14):
                    self.add_page()
                self._words(block.text, 9, leading=6, fill=True)
                self.ln(1.5)

    def _para(self, para: Para) -> None:
        if para.warns:
            if self.will_page_break(10):
                self.add_page()
            start, page = self.get_y(), self.page
            self._words(para.text, 9.5, leading=5, x=_MARGIN + 4)
            self.set_fill_color(*_WARN)
            if self.page == page:
                self.rect(_MARGIN, start, 1.1, self.get_y() - start, style="F")
            self.ln(2)
            return
        self._words(para.text, 8.5 if para.small else 9.5, colour=_GREY if para.small else _INK, leading=4.9)
        self.ln(1.6)

    def _item(self, item: str) -> None:
        if self.will_page_break(6):
            self.add_page()
        y = self.get_y()
        self.set_fill_color(*_INK)
        self.ellipse(_MARGIN + 0.8, y + 2.0, 1.0, 1.0, style="F")
        self._words(item, 9.5, leading=4.9, x=_MARGIN + 4.5)
        self.ln(0.7)

    def _words(
        self,
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = _INK,
        leading: float = 5,
        x: float = _MARGIN,
        fill: bool = False,
    ) -> None:
        """A paragraph from `x` to the right margin."""
        self.set_font(self._family, "", size)
        for line in broken(self._safe(text), self.w - _MARGIN - x, self._measure).split("\n"):
            if self.will_page_break(leading):
                self.add_page()
            y = self.get_y()
            if fill:
                self.set_fill_color(*_SHADE)
                self.rect(x, y, self.w - _MARGIN - x, leading, style="F")
            self.set_font(self._family, "", size)
            self.set_text_color(*colour)
            with self._weight(bold, size, colour):
                self._line(x, y, leading, line)
            self.set_xy(_MARGIN, y + leading)
        self._plain()

    def _line(self, x: float, y: float, height: float, line: str) -> None:
        """One line of words in the middle of so much height; the font's capitals are some 0.73 of its size."""
        if line:
            self.text(x, y + (height + 0.73 * self.font_size) / 2, line)

    def _weight(self, bold: bool, size: float, colour: tuple[int, int, int]) -> Any:
        """Bold by a thin outline: the font has one weight."""
        if not bold:
            return self.local_context()
        return self.local_context(
            text_mode=TextMode.FILL_STROKE,
            line_width=size * (0.005 if self._report.language == "zh" else 0.007),
            draw_color=colour,
        )

    def _plain(self) -> None:
        self.set_font(self._family, "", 9.5)
        self.set_text_color(*_INK)
        self.set_draw_color(*_PALE)
        self.set_fill_color(255)

    def _table(self, columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[str]], *, head: bool) -> None:
        total = sum(width for _, width in columns)
        grid = _Grid(
            size=8 if head else 9,
            leading=4.1 if head else 4.8,
            above=1.0 if head else 0.3,
            inset=0.8 if head else 0.0,
            widths=[self.epw * width / total for _, width in columns],
            titles=[title for title, _ in columns] if head else [],
        )
        self._titles(grid)
        for row in rows:
            self._row(grid, row)
        self.ln(2.5)
        self._plain()

    def _titles(self, grid: _Grid) -> None:
        if not grid.titles:
            return
        cells = self._broken(grid, grid.titles)
        height = max(map(len, cells)) * grid.leading + 2 * grid.above
        if self.will_page_break(height + 3 * grid.leading):
            self.add_page()
        self.set_fill_color(*_SHADE)
        self.rect(_MARGIN, self.get_y(), self.epw, height, style="F")
        self.set_text_color(*_GREY)
        self._cells(grid, cells, 0, max(map(len, cells)))
        self.set_text_color(*_INK)

    def _row(self, grid: _Grid, row: Sequence[str]) -> None:
        """One row, on a new page when it does not fit on this one; a row that fits on none is divided."""
        cells = self._broken(grid, row)
        count, begun = max(map(len, cells)), 0
        while begun < count:
            room = int((self.h - _BOTTOM - self.get_y() - 2 * grid.above) / grid.leading)
            if room < min(count - begun, 20) and self.get_y() > _TOP + 20:
                self.add_page()
                self._titles(grid)
                continue
            ended = min(count, begun + max(room, 1))
            self._cells(grid, cells, begun, ended)
            begun = ended
        if grid.titles:
            self.set_draw_color(*_PALE)
            self.set_line_width(0.2)
            self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())

    def _cells(self, grid: _Grid, cells: Sequence[Sequence[str]], begun: int, ended: int) -> None:
        """These lines of each cell, beside each other."""
        self.set_font(self._family, "", grid.size)
        x, top = _MARGIN, self.get_y() + grid.above
        for lines, width in zip(cells, grid.widths, strict=True):
            for number, line in enumerate(lines[begun:ended]):
                self._line(x + grid.inset, top + number * grid.leading, grid.leading, line)
            x += width
        self.set_xy(_MARGIN, top + (ended - begun) * grid.leading + grid.above)

    def _broken(self, grid: _Grid, row: Sequence[str]) -> list[list[str]]:
        self.set_font(self._family, "", grid.size)
        rooms = [width - 2.0 - grid.inset for width in grid.widths]
        return [
            broken(self._safe(cell, lines=True), room, self._measure).split("\n")
            for cell, room in zip(row, rooms, strict=True)
        ]

    def _measure(self, text: str) -> float:
        """The width of words in millimetres; the font sets no two characters closer than others."""
        known = self._widths.setdefault(self.font_size_pt, {})
        for character in text:
            if character not in known:
                known[character] = self.get_string_width(character)
        return sum(known[character] for character in text)

    def _figure(self, drawing: Drawing) -> None:
        scale = self.epw / drawing.width
        if self.will_page_break(drawing.height * scale + 2):
            self.add_page()
        left, top = _MARGIN, self.get_y()
        for shape in drawing.shapes:
            self._shape(shape, lambda x, y: (left + x * scale, top + y * scale), scale)
        self.set_xy(_MARGIN, top + drawing.height * scale + 2)
        self._plain()

    def _shape(self, shape: Shape, at: Callable[[float, float], tuple[float, float]], scale: float) -> None:
        match shape:
            case Line():
                self.set_draw_color(shape.colour)
                self.set_line_width(shape.width * scale)
                self.set_dash_pattern(*((0.7, 0.6) if shape.dashed else ()))
                self.line(*at(shape.x1, shape.y1), *at(shape.x2, shape.y2))
                self.set_dash_pattern()
            case Polygon():
                self.polygon([at(x, y) for x, y in shape.points], style=self._paint(shape, scale))
            case Circle():
                x, y = at(shape.x - shape.radius, shape.y - shape.radius)
                wide = 2 * shape.radius * scale
                self.ellipse(x, y, wide, wide, style=self._paint(shape, scale))
            case Text():
                self._label(shape, at, scale)

    def _paint(self, shape: Polygon | Circle, scale: float) -> str:
        if shape.fill:
            self.set_fill_color(shape.fill)
        if shape.stroke:
            self.set_draw_color(shape.stroke)
            self.set_line_width(shape.width * scale)
        return ("D" if shape.stroke else "") + ("F" if shape.fill else "")

    def _label(self, shape: Text, at: Callable[[float, float], tuple[float, float]], scale: float) -> None:
        text = self._safe(shape.text)
        self.set_font(self._family, "", shape.size * scale * self.k)
        self.set_text_color(shape.colour)
        x, y = at(shape.x, shape.y)
        width = self.get_string_width(text)
        x -= {"start": 0.0, "middle": width / 2, "end": width}[shape.anchor]
        self.text(x, y, text)

    def _safe(self, text: str, *, lines: bool = False) -> str:
        """What the font has no glyph for becomes an escape."""
        return "".join(c if self._has(c) or (lines and c == "\n") else _escape(c) for c in text)

    def _has(self, character: str) -> bool:
        if self._known is None:
            return character.isprintable() and character.encode(_CORE_CODE, "ignore") != b""
        return ord(character) in self._known


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii") if ord(character) > 0x7F else repr(character)[1:-1]
