"""docker-compose.yml and the Dockerfile, read far enough to check them where no container engine runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
import yaml  # type: ignore[import-untyped] # it ships no types

from dialer.cli import app

ROOT = Path(__file__).parents[2]
# What a person fills in; the rest has defaults.
FILLED_IN = {
    "HEEDLINE_PUBLIC_ADDRESS": "203.0.113.10",
    "HEEDLINE_PBX_ADDRESSES": "198.51.100.0/28,198.51.100.77",
    "HEEDLINE_CARRIER_HOST": "sip.carrier.example",
    "HEEDLINE_SIP_PORT": "5062",
}
# What the command line raises for a wrong one.
USAGE_ERROR = typer.BadParameter.__bases__[0]
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<rest>[^${}]*))?\}")


class NotSet(Exception):
    """A variable that has no default is not set."""


def interpolate(text: str, env: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?message}` as compose has them, the innermost first."""

    def value(found: re.Match[str]) -> str:
        if given := env.get(found["name"]):
            return given
        if found["kind"] == "-":
            return str(found["rest"])
        raise NotSet(found["name"])

    while (replaced := _VARIABLE.sub(value, text)) != text:
        text = replaced
    return text


def compose(env: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with these variables."""
    loaded: dict[str, Any] = _filled(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8")), env)
    return loaded


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    match value:
        case str():
            return interpolate(value, env)
        case list():
            return [_filled(each, env) for each in value]
        case dict():
            return {key: _filled(each, env) for key, each in value.items()}
    return value


@dataclass
class Stage:
    """One stage of the Dockerfile: its base with the build arguments filled in, and its instructions in order."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def every(self, name: str) -> list[str]:
        """The arguments of each instruction of a name."""
        return [rest for found, rest in self.instructions if found == name]

    def list_of(self, name: str) -> list[str]:
        """The last instruction of a name, in exec form; empty when there is none."""
        found = self.every(name)
        return [str(word) for word in yaml.safe_load(found[-1].rpartition("CMD ")[2])] if found else []


def dockerfile() -> dict[str, Stage]:
    """The stages by name."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    current = Stage("")
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
        elif name == "FROM":
            base, _, label = rest.partition(" AS ")
            current = stages[label] = Stage(interpolate(base, arguments))
        elif name and not name.startswith("#"):
            current.instructions.append((name, rest))
    return stages


def copied(stage: Stage) -> dict[str, str]:
    """What a stage copies from the build context: place in the image by source."""
    found = {}
    for rest in stage.every("COPY"):
        *sources, place = shlex.split(rest)
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            inside = place.endswith("/")
            found[source] = f"{place}{Path(source).name}" if inside else place
    return found


def parse_command(words: list[str]) -> Any:
    """The command that a `heedline` command line names, its options read as the program would; nothing runs.

    Raises `USAGE_ERROR` when the program would.
    """
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="heedline")
    while hasattr(command, "resolve_command"):
        name, found, words = command.resolve_command(context, words)
        command, context = found, found.context_class(found, context, info_name=name)
    command.make_context(command.name, list(words), parent=context.parent)
    return command
