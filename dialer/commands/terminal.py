"""What every command shares: the language, text for people, JSON for programs, opening the registers.

Only light modules are imported at the top, so that `heedline --help` is quick.
"""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO, TypeVar

import typer

from dialer.errors import ConfigError, FileError

if TYPE_CHECKING:
    from dialer.app import Database, Registers
    from dialer.config import Settings
    from dialer.verdict import Language

Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Country = Annotated[
    str | None,
    typer.Option("--country", metavar="CC", help="Country (ISO 3166-1) whose national form the numbers may have."),
]

_chosen: list[str] = []


def group(help: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


def choose_language(language: str | None) -> None:
    """What `--language` or HEEDLINE_LANGUAGE says; None leaves it to the settings and LANG."""
    _chosen[:] = [language] if language else []


def language() -> Language:
    """The language of messages: chosen, else of the settings, else of the environment."""
    from dialer.config import load

    if _chosen:
        return "zh" if _chosen[0] == "zh" else "en"
    with contextlib.suppress(ConfigError):
        settings = load()
        if "language" in settings.model_fields_set:
            return settings.language
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if spoken.startswith("zh") else "en"


def say(english: str, chinese: str) -> str:
    """The sentence in the language of messages."""
    return chinese if language() == "zh" else english


def settings() -> Settings:
    """The settings. Raises `ConfigError`."""
    from dialer.config import load

    return load()


def actor() -> str:
    """Who changes a register from the command line, for evidence."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return f"cli:uid {os.getuid()}"


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[tuple[Database, Registers]]:
    """The database and the registers on it."""
    from dialer.app import load_policy, open_database, open_registers

    chosen = settings()
    async with open_database(chosen) as database:
        yield database, open_registers(database, actor(), load_policy(chosen))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end."""
    return asyncio.run(work)


def print_json(document: Any) -> None:
    """One JSON document, UTF-8, keys in the order given."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=_plain))


def answer(as_json: bool, document: Any, text: Callable[[], None]) -> None:
    """Print for a program or for a person."""
    if as_json:
        print_json(document)
    else:
        text()


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; with lines and colour only on a terminal."""
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        grid = Table(*headers)
        for row in cells:
            grid.add_row(*[Text(cell) for cell in row])
        Console().print(grid)
        return
    widths = [max(map(_width, column)) for column in zip(headers, *cells, strict=True)]
    for row in [list(headers), *cells]:
        typer.echo("  ".join(map(padded, row, widths)).rstrip())


def padded(cell: str, width: int) -> str:
    """A cell filled up to a width; a Chinese character is two wide."""
    return cell + " " * (width - _width(cell))


def pairs(values: Sequence[tuple[str, Any]]) -> None:
    """Names with their values, one a line."""
    width = max(_width(name) for name, _ in values)
    for name, value in values:
        typer.echo(f"{name}:{' ' * (width - _width(name) + 1)}{_cell(value)}".rstrip())


def parse_instant(text: str, option: str) -> datetime:
    """An instant that an option gives, as UTC; a usage error when it is none or has no offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"`{text[:64]}` is no time as ISO 8601 writes it", param_hint=option) from None
    if at.tzinfo is None:
        raise typer.BadParameter(
            f"`{text[:64]}` has no offset from UTC; write one, such as `{at.isoformat(timespec='minutes')}+08:00`",
            param_hint=option,
        )
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(f"`{text[:64]}` is too far away", param_hint=option) from None


def parse_day(text: str, option: str) -> datetime:
    """As `parse_instant`, and a day alone is its first instant in UTC."""
    if len(text) == 10:
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
    return parse_instant(text, option)


@contextlib.contextmanager
def reading(file: Path) -> Any:
    """A file, or standard input for `-`, as bytes. Raises `FileError`."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        stream: BinaryIO = file.open("rb")
    except OSError as error:
        raise FileError(f"`{file}` cannot be read: {_why(error)}", "check its name and its rights") from error
    with stream:
        yield stream


@contextlib.contextmanager
def writing(file: Path | None) -> Any:
    """A text file that appears whole or not at all (a device or a pipe as it comes); standard output for None or `-`.
    Raises `FileError`."""
    if file is None or str(file) == "-":
        yield sys.stdout
        return
    special = file.exists() and not file.is_file()
    draft = file if special else file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        stream: TextIO = draft.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise FileError(f"`{file}` cannot be written: {_why(error)}", "check its folder and its rights") from error
    try:
        with stream:
            yield stream
        if not special:
            draft.replace(file)
    except OSError as error:
        raise FileError(f"`{file}` cannot be written: {_why(error)}", "check the room on the disk") from error
    finally:
        if not special:
            draft.unlink(missing_ok=True)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"`{type(value).__name__}` has no JSON form")


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return say("yes", "是") if value else say("no", "否")
        case datetime():
            return value.isoformat(timespec="seconds")
        case bytes():
            return value.hex()
        case tuple() | list():
            return " ".join(map(str, value)) or "-"
    return str(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
