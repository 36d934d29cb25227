"""Draws `demo.svg`: what `heedline demo` says, as a picture.

Run it from the project's folder: `.venv/bin/python docs/images/make_demo.py`. It makes the demonstration's calls anew,
and draws nothing when one of them is not as it should be. Numbers are masked: they are chosen by chance, and may be
somebody's.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

PICTURE = Path(__file__).with_name("demo.svg")
_WIDTH = 176
_CAPTION = "heedline demo: real calls through three real Asterisks; INVITEs are counted at the carrier"
_STYLES = {"ALLOW": "bold green", "REFUSE": "bold red", "DEFER": "bold yellow", "": "bold magenta"}

# rich's own template fetches a font from a public server; a reader's own fonts do.
_TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <title>heedline demo</title>
    <style>
    .{unique_id}-matrix {{
        font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    <rect width="{width}" height="{height}" rx="8" fill="#0c0c0c" />
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def demonstration() -> dict[str, Any]:
    """What the demonstration says. Raises `SystemExit` when it failed."""
    command = [sys.executable, "-m", "dialer.cli", "demo", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 - our own program
    found: dict[str, Any] = json.loads(done.stdout or b"{}")
    if done.returncode or not found:
        raise SystemExit("the demonstration did not end well; nothing is drawn")
    return found


def masked(number: str) -> str:
    """A subscriber's number without its middle; short codes and what is no number stay."""
    found = re.fullmatch(r"(\+\d{3,5})(\d{4,})(\d{2})", number)
    return f"{found[1]}{'·' * len(found[2])}{found[3]}" if found else number


def draw(found: list[dict[str, Any]], bundle: dict[str, Any]) -> str:
    """The rows and the bundle as SVG."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("path", "situation", "number", "INVITEs", "refusal", "verdict", "reasons"):
        grid.add_column(heading, no_wrap=True, justify="right" if heading.startswith("INVITEs") else "left")
    for row in found:
        reasons = ", ".join(row["reasons"]) or "-"
        inbound = row["path"] == "ring back"
        verdict = Text(row["outcome"] or ("-" if inbound else "no answer"), "" if inbound else _STYLES[row["outcome"]])
        refusal = Text(row["refusal"] or "-", "bold red" if row["refusal"] else "dim")
        invites = Text(str(row["invites"]), "bold green" if row["invites"] else "dim")
        grid.add_row(row["path"], row["situation"], masked(row["number"]), invites, refusal, verdict, reasons)
    console = Console(
        record=True,
        width=_WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print(_CAPTION, style=Style(dim=True))
    console.print()
    console.print(grid)
    stopped = sum(not row["invites"] for row in found if row["path"] != "ring back")
    told = sum(bool(row["refusal"]) for row in found)
    count = f"{stopped} calls did not reach the carrier, {told} callees refused"
    console.print(f"\n{len(found)} rows as they should be; {count}.")
    proven = f"{bundle['entries']} entries, verified offline against the root of {bundle['size']} leaves"
    console.print(f"evidence of the call '{bundle['situation']}': {proven}")
    return console.export_svg(title="heedline demo", code_format=_TEMPLATE, unique_id="demo")


if __name__ == "__main__":
    said = demonstration()
    PICTURE.write_text(draw(said["rows"], said["bundle"]), "utf-8")
