"""A picture as plain shapes, so that a page and a PDF draw the same one. Lengths are points, y grows downward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

Anchor = Literal["start", "middle", "end"]
INK, GREY, PALE = "#1d2733", "#5d6975", "#d5dbe1"


@dataclass(frozen=True, slots=True)
class Line:
    """From one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = INK
    width: float = 0.8
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed shape; `fill` or `stroke` None: without."""

    points: tuple[tuple[float, float], ...]
    fill: str | None = INK
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Circle:
    """A round mark."""

    x: float
    y: float
    radius: float
    fill: str | None = INK
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of words; `y` is its base line."""

    x: float
    y: float
    text: str
    size: float = 8.0
    anchor: Anchor = "start"
    colour: str = INK
    bold: bool = False


Shape = Line | Polygon | Circle | Text


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of that size; `title` says in a sentence what it shows."""

    width: float
    height: float
    shapes: Sequence[Shape]
    title: str


def box(x: float, y: float, width: float, height: float, fill: str | None, stroke: str | None = None) -> Polygon:
    """A rectangle."""
    return Polygon(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), fill, stroke)


def text_width(text: str, size: float) -> float:
    """About how wide words are: a Chinese character is as wide as high, others are some 0.55 of that."""
    return sum(size if ord(character) > 0x2E7F else 0.56 * size for character in text)


def svg(drawing: Drawing, language: str = "en") -> str:
    """The picture as SVG; words are escaped."""
    w, h = _n(drawing.width), _n(drawing.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"'
        f' lang="{language}" font-family="Noto Sans SC, Noto Sans CJK SC, Helvetica, Arial, sans-serif">',
        f"<title>{escape(drawing.title)}</title>",
        f'<rect width="{w}" height="{h}" fill="#ffffff"/>',
        *map(_svg, drawing.shapes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _svg(shape: Shape) -> str:
    match shape:
        case Line():
            dash = ' stroke-dasharray="3 2.5"' if shape.dashed else ""
            ends = f'x1="{_n(shape.x1)}" y1="{_n(shape.y1)}" x2="{_n(shape.x2)}" y2="{_n(shape.y2)}"'
            return f'<line {ends} stroke="{shape.colour}" stroke-width="{_n(shape.width)}"{dash}/>'
        case Polygon():
            points = " ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points)
            return f'<polygon points="{points}"{_paint(shape)}/>'
        case Circle():
            return f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}"{_paint(shape)}/>'
        case Text():
            bold = ' font-weight="700"' if shape.bold else ""
            place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}" text-anchor="{shape.anchor}"'
            return f'<text {place} fill="{shape.colour}"{bold}>{escape(shape.text)}</text>'


def _paint(shape: Polygon | Circle) -> str:
    stroke = f' stroke="{shape.stroke}" stroke-width="{_n(shape.width)}"' if shape.stroke else ""
    return f' fill="{shape.fill or "none"}"{stroke}'


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
