"""Writes `commands.md`, the reference of the command line, from the commands themselves.

Run it from the project's folder: `.venv/bin/python docs/reference/make_commands.py`. A test says when it is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from dialer.cli import app

PAGE = Path(__file__).with_name("commands.md")
_WIDTH = 100
_INTRODUCTION = """\
# Commands

Written from the program by `docs/reference/make_commands.py`; change the commands' own help instead.

A command that reports something prints one JSON document with `--json`; exports are CSV. Messages are English or
Chinese: `heedline --language zh ...`, `HEEDLINE_LANGUAGE=zh`, the setting `language`, or the locale. A failure is one
line on standard error. Exit codes:

| Code | Meaning |
|---|---|
| 0 | done; for `check`: may be called; for `originate`: answered |
| 1 | an error, a bad row, a failed finding, a demonstration that went wrong |
| 2 | wrong usage |
| 3 | `check`, `originate`: refused |
| 4 | `check`, `originate`: refused for now, may be called later |
| 130 | interrupted |
"""


def page() -> str:
    """The whole page."""
    sections = [f"## `{name}`\n\n```text\n{text}\n```\n" for name, text in _help(typer.main.get_command(app), None)]
    return "\n".join([_INTRODUCTION, *sections])


def _help(command: Any, parent: Any) -> Iterator[tuple[str, str]]:
    """Each command's full name and help, a group before its members. Any: typer's own copy of click has no types."""
    name = command.name if parent else "heedline"
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    context = command.context_class(command, info_name=name, parent=parent, **settings)
    lines = command.get_help(context).splitlines()
    yield context.command_path, "\n".join(line.rstrip() for line in lines).strip()
    for member in getattr(command, "commands", {}).values():
        yield from _help(member, context)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
