"""The page on the HTTP API says what the API does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dialer.ports_tokens import Scope
from dialer.web.api import operations
from dialer.web.guard import Limits
from dialer.web.models import FormBody, LookupQuery, RefusalBody
from dialer.web.problems import TYPES, ProblemDocument
from dialer.web.reading import BODY_LIMIT
from tests.unit.api_stub import make_api

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text("utf-8")


def section(title: str) -> str:
    """A section's text."""
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """What stands in code in the first cell of each row."""
    return [
        word for row in re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)
    ]


def test_operations() -> None:
    """Exactly the operations that there are, each with its scope."""
    rows = dict(re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)` )?\|", section("Operations"), re.MULTILINE))
    assert rows == {f"{each.method} {each.path}": each.scope or "" for each in operations(make_api())}


def test_scopes() -> None:
    """Exactly the scopes that there are."""
    assert set(first_cells(section("Tokens"))) == set(Scope)


def test_fields() -> None:
    """Exactly the fields of a body and the parameters of a lookup; of an artefact too."""
    assert set(first_cells(section("Recording a refusal"))) == set(RefusalBody.model_fields)
    assert set(first_cells(section("Looking refusals up"))) == set(LookupQuery.model_fields)
    assert all(f"`{name}`" in section("Recording a refusal") for name in FormBody.model_fields)


def test_problems() -> None:
    """Exactly the types of problems, each with its status; the example is one."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", section("Problems"), re.MULTILINE))
    assert rows == {code: str(kind.status) for code, kind in TYPES.items()}
    example = json.loads(section("Problems").split("```json\n")[1].split("```")[0])
    assert ProblemDocument.model_validate(example).status == 422


def test_bounds() -> None:
    """The figures are the defaults."""
    limits = Limits()
    told = section("Bounds")
    assert f"within {limits.time_s:.0f} s" in told
    assert f"{limits.token.per_s} requests a second for long and {limits.token.burst} at once" in told
    assert f"{limits.address.per_s} and {limits.address.burst}" in " ".join(told.split())
    assert f"{limits.failures.burst} tokens that are none" in told
    assert f"every {1 / limits.failures.per_s:.0f} s" in told
    assert f"{BODY_LIMIT // 1024} KiB" in section("Problems")
