"""A report as one page of HTML: no scripts, nothing loaded from elsewhere; every text is escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dialer.report.drawing import Drawing, svg
from dialer.report.model import Block, Report


def page(report: Report) -> bytes:
    """The page, UTF-8."""
    template = _environment().get_template("report.html.jinja")
    return template.render(report=report, kind=_kind, picture=lambda drawing: _picture(drawing, report)).encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("dialer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _kind(block: Block) -> str:
    return type(block).__name__


def _picture(drawing: Drawing, report: Report) -> Markup:
    return Markup(svg(drawing, report.language))  # noqa: S704 - `svg` escapes its words
