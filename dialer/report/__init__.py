"""Reports for people: a dossier as HTML and PDF, in English and Chinese, with one picture. Rendering takes seconds of
computing: call it in a thread."""

from __future__ import annotations

from collections.abc import Iterable

from dialer.bundle_records import Dossier
from dialer.bundles import Languages, Rendering, Stretch
from dialer.report.document import report_of, stretch_report
from dialer.report.drawing import svg
from dialer.report.html import page
from dialer.report.model import Report
from dialer.report.pdf import pdf_of
from dialer.report.timeline import timeline

__all__ = ["render", "render_stretch"]

_NO_FONT = "no font with Chinese characters is installed: install the Python package `pylopdf-fonts-zh-cn`"


def render(dossier: Dossier, languages: Languages) -> Rendering:
    """The reports of a callee, a call or a complaint, and `timeline.svg`."""
    made = _files(report_of(dossier, language) for language in languages)
    picture = svg(timeline(dossier.matter, languages[0]), languages[0]).encode()
    return Rendering({**made.files, "timeline.svg": picture}, made.left_out)


def render_stretch(stretch: Stretch, dossier: Dossier, languages: Languages) -> Rendering:
    """The reports of a stretch of the log."""
    return _files(stretch_report(stretch, dossier, language) for language in languages)


def _files(reports: Iterable[Report]) -> Rendering:
    files: dict[str, bytes] = {}
    left_out: list[tuple[str, str]] = []
    for report in reports:
        files[f"report.{report.language}.html"] = page(report)
        made = pdf_of(report)
        if made is None:
            left_out.append((f"report.{report.language}.pdf", _NO_FONT))
        else:
            files[f"report.{report.language}.pdf"] = made
    return Rendering(files, tuple(left_out))
