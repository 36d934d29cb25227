"""Whether policy files are valid, with every problem named and not only the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dialer.errors import PackError
from dialer.policy.admin import AdminPolicy, load_admin
from dialer.policy.pack import PackFile, load_pack, load_packs
from dialer.policy.reading import pack_error, parse_toml

_ADMINISTRATORS = frozenset({"tighten", "loosen"})


def problems_in(file: Path) -> list[PackError]:
    """What is wrong with a pack's or an administrator's file; empty when nothing is."""
    origin = str(file)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [PackError(f"{origin}: cannot be read: {error}", "name a file of UTF-8 text")]
    try:
        data = parse_toml(text, origin)
        administrators = bool(data) and data.keys() <= _ADMINISTRATORS
        found = _invalid(AdminPolicy if administrators else PackFile, data, origin)
        if found:
            return found
        if administrators:
            load_packs().with_admin(load_admin(text, origin))
        else:
            load_pack(text, origin)
    except PackError as error:
        return [error]
    return []


def problems_in_force(policy_file: Path) -> list[PackError]:
    """What is wrong with the shipped packs and the administrator's policy, if there is one."""
    try:
        load_packs()
    except PackError as error:
        return [error]
    return problems_in(policy_file) if policy_file.exists() else []


class _One:
    """One fault of several, so that each is told like a first one."""

    def __init__(self, detail: ErrorDetails) -> None:
        self._detail = detail

    def errors(self) -> list[ErrorDetails]:
        return [self._detail]


def _invalid(model: type[BaseModel], data: Any, origin: str) -> list[PackError]:
    try:
        model.model_validate(data)
    except ValidationError as error:
        # A rule that failed also leaves its list too short, which is no fault of its own.
        details = [each for each in error.errors() if each["type"] != "too_short"] or error.errors()
        return [pack_error(cast("ValidationError", _One(each)), data, origin) for each in details]
    return []
