"""The documents say what the program does: nothing is missing, and nothing is there that does not exist."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from agi.dialplan import variables
from dialer.cli import app
from dialer.config import Settings
from dialer.policy.admin import load_admin
from dialer.policy.pack import load_packs
from dialer.verdict import Reason
from tests.unit import evidence_samples

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
SOURCES = sorted(path for package in ("dialer", "agi", "db") for path in (ROOT / package).rglob("*.py"))
DIALPLAN = sorted((ROOT / "agi" / "dialplan").glob("*.conf"))
SQL = sorted((ROOT / "db" / "migrations" / "versions").glob("*.sql"))


def page(name: str) -> str:
    """A page's text."""
    return (ROOT / name).read_text("utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """The tables' rows whose first cell is code: that, and the other cells."""
    found = {}
    for line in text.splitlines():
        if match := re.match(r"\| `([^`]+)` \| (.*) \|$", line):
            found[match[1]] = match[2].split(" | ")
    return found


def code(text: str) -> set[str]:
    """Every word that stands in a code span."""
    return {word for span in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[\w.-]+", span)}


def all_of(files: list[Path], pattern: str) -> set[str]:
    """Every match of a pattern's group in files."""
    return {match for path in files for match in re.findall(pattern, path.read_text("utf-8"), re.MULTILINE)}


# Settings and environment.


def settings() -> Iterator[tuple[str, Any]]:
    """Every setting of the file with its default (or "required")."""
    for name, field in Settings.model_fields.items():
        sections = [each for each in (field.annotation, *get_args(field.annotation)) if isinstance(each, type)]
        section = next((each for each in sections if issubclass(each, BaseModel)), None)
        if section is None:
            if name not in ("home", "file"):  # which come from the environment
                yield name, field.default
            continue
        for inner, its in section.model_fields.items():
            yield f"{name}.{inner}", its.default


def written(default: Any) -> str:
    """A default as the page writes it."""
    if default is PydanticUndefined:
        return "required"
    return "none" if default is None else f"`{json.dumps(default)}`"


def test_settings_and_defaults() -> None:
    """The page of settings has exactly the settings that there are, each with its default."""
    listed = rows(page("docs/reference/settings.md").split("## `[agi]`")[1])
    assert {name: cells[0] for name, cells in listed.items()} == {name: written(value) for name, value in settings()}


def test_environment() -> None:
    """Exactly the environment variables that the program reads are on the page of settings."""
    read = all_of(SOURCES, r'"(HEEDLINE_[A-Z_]+)"') - set(variables.INPUTS) - all_of(DIALPLAN, r"\b(HEEDLINE_[A-Z]+)\b")
    listed = rows(page("docs/reference/settings.md").split("## Environment")[1].split("##")[0])
    assert set(listed) == read


# Reasons.


@pytest.mark.parametrize("reason", Reason)
def test_reason(reason: Reason) -> None:
    """Each reason has a section with both sentences, its rules and what to do."""
    section = page("docs/reference/reasons.md").split(f"\n### `{reason}`\n")[1].split("\n#")[0]
    assert f"- English: {reason.text('en')}\n" in section
    assert f"- 中文：{reason.text('zh')}\n" in section
    assert re.search(r"^- Rules: .+(?:\n  .+)*\n- What to do: .+", section, re.MULTILINE)


def test_no_other_reasons() -> None:
    """The page of reasons has no section of a reason that does not exist."""
    assert set(re.findall(r"^### `(\w+)`", page("docs/reference/reasons.md"), re.MULTILINE)) == set(Reason)


def test_built_in_rules() -> None:
    """Every built-in rule that the program cites is named beside the reason that cites it, and no other is."""
    cited = all_of(SOURCES, r'"(core\.[a-z_]+)"')
    assert cited == {word for word in code(page("docs/reference/reasons.md")) if word.startswith("core.")} - {"core."}


# Commands.


def test_commands_page_is_current() -> None:
    """`docs/reference/commands.md` is what its script writes now."""
    made = runpy.run_path(str(DOCS / "reference" / "make_commands.py"))
    assert page("docs/reference/commands.md") == made["page"](), "run docs/reference/make_commands.py"


def commands_in(text: str) -> set[str]:
    """The command lines in code spans and shell blocks."""
    blocks = [block.replace("\\\n", " ") for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()] + spans
    found = [re.match(r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?heedline( .+)$", line) for line in lines]
    return {match[1].strip() for match in found if match}


def complaint(line: str) -> str:
    """What is wrong with a command line; empty when nothing is."""
    command: Any = typer.main.get_command(app)
    options = {option for each in command.params for option in each.opts}
    for word in shlex.split(line):
        if word.startswith("-") and len(word) > 1:
            known = {option for each in command.params for option in each.opts} | options | {"--help"}
            if word.split("=")[0] not in known:
                return f"`{line}`: there is no option `{word}`"
        elif hasattr(command, "commands") and word not in ("...", "zh"):
            if word not in command.commands:
                return f"`{line}`: there is no command `{word}`"
            command = command.commands[word]
    return ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(path: Path) -> None:
    """Every command line in a document names a command and options that exist."""
    assert [wrong for line in sorted(commands_in(path.read_text("utf-8"))) if (wrong := complaint(line))] == []


def test_a_wrong_command_line_is_found() -> None:
    """The test above does complain."""
    assert "sell" in complaint("sell add")
    assert "--sellr" in complaint("check +1 --sellr x")
    assert not complaint("check +1 --seller x")


# The switch.


def test_channel_variables() -> None:
    """Every variable, header, context and user event of the dialplan is on its page, and none that does not exist."""
    text = page("docs/reference/channel-variables.md")
    names = {
        *variables.INPUTS,
        *variables.OUTPUTS,
        *variables.HEADERS,
        *all_of(DIALPLAN, r"\b((?:HEEDLINE|GATE)_[A-Z]+)\b"),
        *all_of(DIALPLAN, r"^\[([a-z-]+)\]"),
        *all_of(DIALPLAN, r"UserEvent\((\w+)"),
    }
    assert names <= code(text)
    ours = re.compile(r"(?:HEEDLINE|GATE)_[A-Z]+|X-Heedline-\w+|Heedline[A-Z]\w+")
    assert {word for word in code(text) if ours.fullmatch(word)} <= names


# Evidence and database.


def documented_kinds() -> dict[str, set[str]]:
    """Each kind of evidence with its fields, as the page says."""
    return {
        kind: set(re.findall(r"`(\w+)`", cells[2]))
        for kind, cells in rows(page("docs/reference/evidence.md").split("## Kinds")[1]).items()
    }


# What needs a database to be written; tests/integration/evidence/test_entry_fields.py holds these against the page.
BY_THE_DATABASE = {
    *("log.key_added", "log.key_rotated", "log.restored", "log.verified", "lookup"),
    *("evidence.exported", "evidence.erased", "refusal.hashed"),
    *("complaint.received", "complaint.tied", "complaint.answered", "complaint.closed"),
}


async def test_evidence_fields() -> None:
    """The page of evidence gives for each kind exactly the fields that the use cases write."""
    made = await evidence_samples.entries()
    listed = {kind: fields for kind, fields in documented_kinds().items() if kind not in BY_THE_DATABASE}
    assert listed == {kind: set(entry) for kind, entry in made.items()}


def test_evidence_parts_of_a_decision() -> None:
    """The page names every part of a decision's request, facts and verdict."""
    made = evidence_samples.decision()
    listed = code(page("docs/reference/evidence.md"))
    assert {*made["request"], *made["facts"], *made["verdict"]} <= listed


# Kinds of `LogFault`, which are those of its alarm.
_LOG_FAULTS = r'"(log_(?:[a-z]+_)*(?:lost|back|inconsistent|contradicted|sealed|faulty))"'


def test_evidence_kinds() -> None:
    """No kind that occurs in the source is missing on the page."""
    things = (
        "(?:seller|trunk|number|route|list|consent|refusal|review|token|webhook|permit|attempt|policy|clock|log|evidence"
        "|complaint)"
    )
    happened = "[a-z_]+(?:ed|wn)"  # other words after a dot are files, findings and faults
    # patterns of speech, messages to webhooks and labels of reports have names of that form too
    others = ("webhook_messages", "labels")
    sources = [path for path in SOURCES if path.parent.name != "phrases" and path.stem not in others]
    kinds = all_of(sources, rf'"({things}\.{happened})"') | all_of(SQL, rf"'({things}\.{happened})'")
    kinds |= {f"alarm.{kind}" for path in SOURCES for kind in alarms_in(ast.parse(path.read_text("utf-8")))}
    kinds |= {f"alarm.{kind}" for kind in all_of(SOURCES, _LOG_FAULTS)}
    assert kinds <= set(documented_kinds())


def alarms_in(tree: ast.Module) -> Iterator[str]:
    """Kinds of alarm that a module raises: the second argument of `Alarm`, a text or a constant of the module."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Alarm":
            kind = node.args[1]
            if ast.unparse(kind) != "fault.kind":
                yield str(kind.value) if isinstance(kind, ast.Constant) else str(constants[ast.unparse(kind)])


def test_database() -> None:
    """Every table and function of the schema is on the page of the database, and none that does not exist."""
    text = page("docs/reference/database.md")
    tables = all_of(SQL, r"^create table (\w+)")
    assert set(rows(text.split("## Tables")[1].split("##")[0])) == tables
    functions = all_of(SQL, r"^create function (\w+)")
    assert code(text.split("## Functions")[1].split("##")[0]) >= functions


def test_every_granted_column() -> None:
    """The page names each column that the service may change."""
    grants = " ".join(all_of(SQL, r"grant update \(([^)]+)\)"))
    assert set(re.findall(r"\w+", grants)) <= code(page("docs/reference/database.md"))


# Packs, paths, examples.


@pytest.mark.parametrize("pack", [pack.id for pack in load_packs().packs])
def test_pack(pack: str) -> None:
    """Each pack is in the reference of packs and in the changelog or the README."""
    assert f"| `{pack}` |" in page("docs/reference/policy-packs.md")


def made_later(name: str) -> bool:
    """Whether a `.gitignore` beside it says that the path is made where the project is used."""
    path = ROOT / name
    ignored = path.parent / ".gitignore"
    return ignored.exists() and path.name in {line.strip("/") for line in ignored.read_text("utf-8").split()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_exist(path: Path) -> None:
    """Every file that a document links to or names is there."""
    text = path.read_text("utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    named = re.findall(r"`((?:dialer|agi|db|tests|docs|deploy)/[\w./*-]*)`", text)
    missing += [name for name in named if not any(ROOT.glob(name.rstrip("/"))) and not made_later(name)]
    assert missing == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_are_valid(path: Path) -> None:
    """Every TOML example is settings or an administrator's policy that is accepted."""
    for example in re.findall(r"```toml\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
        values = tomllib.loads(example)
        if values.keys() & {"tighten", "loosen"}:
            load_packs().with_admin(load_admin(example, path.name))
        else:
            Settings.model_validate({**values, "home": "/", "file": "/heedline.toml"})


def test_life_of_a_call_names_what_exists() -> None:
    """Every function, class and method that the walk through the code names is in the code."""
    named = re.findall(r"`(_?[a-zA-Z]+(?:[._][a-zA-Z_]+)+)`", page("docs/design/life-of-a-call.md"))
    known = {word for path in [*SOURCES, *SQL, *DIALPLAN] for word in re.findall(r"\w+", path.read_text("utf-8"))}
    assert {name for name in named if not set(name.split(".")) <= known} == set()


def test_project_speaks_of_itself() -> None:
    """No document holds a path of somebody's machine."""
    assert [path for path in PAGES if re.search(r"/(?:work|root|tmp)/", path.read_text("utf-8"))] == []


# The README's reading order.


def reading_order() -> list[str]:
    """The files of the README's reading order, as they are listed."""
    section = page("README.md").split("## Reading order")[1].split("\n## ")[0]
    items = re.findall(r"^\d+\. (.+(?:\n   .+)*)", section, re.MULTILINE)
    return [name for item in items for name in re.findall(r"`([\w./-]+/[\w./-]*)`", item)]


def imported(path: Path) -> set[str]:
    """The modules that a file imports when it is loaded, as paths."""
    if path.suffix != ".py":
        return set()
    modules = {node.module for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)}
    return {f"{module.replace('.', '/')}.py" for module in modules if module}


def test_reading_order() -> None:
    """The README's reading order names files that exist, each once, and no file before one that it builds on."""
    files = reading_order()
    assert len(files) >= 12
    assert len(set(files)) == len(files)
    assert [name for name in files if not (ROOT / name).exists()] == []
    too_early = {name: imported(ROOT / name) & set(files[place:]) for place, name in enumerate(files)}
    assert {name: later for name, later in too_early.items() if later} == {}


def test_changelog_is_in_order() -> None:
    """The changelog's versions go from newest to oldest, and its newest is not older than the package."""
    versions = re.findall(r"^## \[?(\d+)\.(\d+)\.(\d+)", page("CHANGELOG.md"), re.MULTILINE)
    numbers = [tuple(map(int, version)) for version in versions]
    assert all(newer > older for newer, older in pairwise(numbers))
    assert "## Unreleased" in page("CHANGELOG.md") or numbers
