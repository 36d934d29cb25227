"""From TOML to a pack: one pack read, and every fault in it told as file, rule, field, what is wrong, and the cure."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dialer.errors import PackError
from dialer.policy.schema import PackFile


def load_pack(text: str, origin: str) -> PackFile:
    """Read one pack. `origin` (a file name) begins every error message.

    Raises:
        PackError: the text is no TOML, or no pack; the first fault is named with its rule and field.
    """
    data = parse_toml(text, origin)
    try:
        pack = PackFile.model_validate(data)
    except ValidationError as error:
        raise pack_error(error, data, origin) from None
    for rule in pack.rules:
        if rule.authority == "administrator":
            raise PackError(
                f"{origin}: rule `{rule.id}`: authority: `administrator` is no authority of a pack",
                "name the law or practice that it rests on, or move the rule to the administrator's policy",
            )
    return pack


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """TOML as plain data; raises `PackError`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = " ".join(str(error).split())
        raise PackError(
            f"{origin}: not TOML: {reason[:1].lower()}{reason[1:]}", "correct the line that it names"
        ) from None


def pack_error(error: ValidationError, data: Any, origin: str) -> PackError:
    """The first fault of a validation as one line: file, rule, field, what is wrong, cure."""
    # A rule that failed also leaves its list too short, which is no fault of its own.
    details = [each for each in error.errors() if each["type"] != "too_short"] or error.errors()
    # A misspelt key is also a missing one: its own name tells more.
    first = next((each for each in details if each["type"] == "extra_forbidden"), details[0])
    what, cure = _words(first)
    problem = ": ".join([origin, *_path(first["loc"], data), what])
    return PackError(problem, f"{cure} (and {len(details) - 1} more faults)" if len(details) > 1 else cure)


_KINDS: Final = frozenset(
    {"consent", "window", "cap", "list", "refusal", "caller_number", "callee_number", "retention", "conduct"}
)


def _path(loc: Sequence[int | str], data: Any) -> list[str]:
    """The place of a fault for people. Follows `data`, so that a rule is named by its id, and leaves out the names
    that pydantic adds for the members of a union."""
    rule: list[str] = []
    fields: list[str] = []
    here = data
    for step in loc:
        if isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
            fields.append(str(step + 1))
        elif isinstance(here, dict) and step in here:
            here = here[step]
            fields.append(str(step))
        elif isinstance(here, dict) and step not in _KINDS:
            fields.append(str(step))
        if isinstance(here, dict) and fields and (fields[-1] in ("rule", "replacement") or fields[-2:-1] == ["rules"]):
            rule, fields = [f"rule `{here.get('id', f'number {fields[-1]}')}`"], []
    return [*rule, ".".join(fields)] if fields else rule


_CURES: Final = {
    "extra_forbidden": ("unknown key", "correct its spelling, or remove it"),
    "missing": ("is missing", "add it"),
    "literal_error": ("`{input}` is not one of {expected}", "use one of these"),
    "enum": ("`{input}` is not one of {expected}", "use one of these"),
    "union_tag_invalid": ("kind: `{tag}` is not one of {expected_tags}", "use one of these"),
    "union_tag_not_found": ("kind: is missing", "say what kind of rule it is"),
    "too_short": ("is empty", "give at least one"),
    "string_pattern_mismatch": ("`{input}` has the wrong form", "use letters, digits, `.` and `-` only"),
}
_CURES_OF_TYPES: Final = {
    "date": ("`{input}` is no date", "write it as `2026-11-24`, without quotes"),
    "int": ("`{input}` is no whole number", "write digits alone, without quotes"),
    "greater": ("`{input}` is too small", "write a number of 1 or more"),
    "less": ("`{input}` is too large", "write a smaller number"),
    "string": ("`{input}` is no text of the right length", "write text in quotes"),
    "tuple": ("`{input}` is no list", "write it in brackets, `[...]`"),
    "dict": ("`{input}` is no table", "write it in braces, `{{...}}`"),
    "model": ("`{input}` is no table", "write it in braces, `{{...}}`"),
    "bool": ("`{input}` is neither `true` nor `false`", "write `true` or `false`"),
}


def _words(detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong and its cure, in words that fit a pack's author."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "pack":
        return context["what"], context["cure"]
    known = _CURES.get(kind) or _CURES_OF_TYPES.get(kind.partition("_")[0])
    what, cure = known or (detail["msg"].replace("{", "{{").replace("}", "}}"), "correct it")
    given = {**context, "input": str(detail["input"])[:64]}
    return what.format(**given), cure.format(**given)
