"""`docs/reference/policy-packs.md` keeps up with the schema and the packs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from dialer.policy.admin import AdminPolicy, load_admin
from dialer.policy.packset import load_packs
from dialer.policy.schema import Authority, Calendar, Industry, PackFile, Rule

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "policy-packs.md").read_text(encoding="utf-8")
KINDS = get_args(get_args(Rule)[0])
FIELDS = sorted({field for model in (PackFile, Calendar, *KINDS) for field in model.model_fields} - {"rules"})


@pytest.mark.parametrize(
    "word", [*FIELDS, *get_args(Authority), *get_args(Industry), *(pack.id for pack in load_packs().packs)]
)
def test_word_is_explained(word: str) -> None:
    """Each field of the schema, authority, industry and pack occurs on the page as code."""
    assert re.search(rf"`[^`\n]*\b{re.escape(word)}\b[^`\n]*`", PAGE)


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_example_is_valid(example: str) -> None:
    """Each example is a policy that the shipped packs accept."""
    policy = load_admin(example, "example")
    assert policy != AdminPolicy()
    assert load_packs().with_admin(policy).packs
