"""The administrator's policy: rules that tighten a pack, and loosenings, each with its reason, that evidence records.

[[tighten]]
pack = "CN"
[tighten.rule]
id = "CN.admin.lunch"
kind = "window"
...

[[loosen]]
rule = "CN.window.default"
reason = "the callees agreed to evening calls in their contracts"
by = "A. Li"
since = 2026-11-24
[loosen.replacement]
...
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError
from pydantic_core import PydanticCustomError

from dialer.errors import PackError
from dialer.policy.fields import Line, PackId, RuleId, Strict
from dialer.policy.reading import pack_error, parse_toml
from dialer.policy.schema import PackFile, Rule, check_rules

_DEFAULTS = {
    "authority": "administrator",
    "source": "the administrator's policy",
    "confidence": "high",
    "text": {"en": "A rule of this installation's administrator.", "zh": "本系统管理员设定的规则。"},
}


def _as_administrators(value: Any) -> Any:
    """An administrator's rule needs no authority, source, confidence or text of its own."""
    if not isinstance(value, dict):
        return value
    rule = {**_DEFAULTS, **value}
    if rule["authority"] == "project_default":
        rule["authority"] = "administrator"
    return rule


AdminRule = Annotated[Rule, BeforeValidator(_as_administrators)]


class Tightening(Strict):
    """A rule added to a pack. Rules combine by conjunction, so it can only forbid more."""

    pack: PackId
    rule: AdminRule


class Loosening(Strict):
    """A rule that no longer holds from `since` on, or that `replacement` replaces, and who says so and why."""

    rule: RuleId
    reason: Line
    by: Line
    since: date
    replacement: AdminRule | None = None

    @property
    def pack(self) -> str:
        """Id of the pack that the rule belongs to."""
        return self.rule.partition(".")[0]


class AdminPolicy(Strict):
    """All that an administrator has changed."""

    tighten: tuple[Tightening, ...] = ()
    loosen: tuple[Loosening, ...] = ()

    @property
    def packs(self) -> frozenset[str]:
        """Ids of the packs that it changes."""
        return frozenset(each.pack for each in self._changes())

    def _changes(self) -> tuple[Tightening | Loosening, ...]:
        return (*self.tighten, *self.loosen)

    def digest(self, packs: Iterable[str]) -> str:
        """8 hexadecimal digits of the SHA-256 of what it changes in these packs; empty when nothing."""
        wanted = set(packs)
        changes = [each.model_dump(mode="json") for each in self._changes() if each.pack in wanted]
        if not changes:
            return ""
        canonical = json.dumps(changes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def load_admin(text: str, origin: str) -> AdminPolicy:
    """Read the administrator's policy. `origin` (a file name) begins every error message.

    Raises:
        PackError: it cannot be understood, or a loosening lacks `reason`, `by` or `since`.
    """
    data = parse_toml(text, origin)
    try:
        return AdminPolicy.model_validate(data)
    except ValidationError as error:
        raise pack_error(error, data, origin) from None


def apply_admin(pack: PackFile, admin: AdminPolicy) -> PackFile:
    """The pack with the administrator's changes to it.

    Raises:
        PackError: a rule that is loosened does not exist or is loosened twice, a replacement is of another kind, or an
            id is in use.
    """
    loosened = _loosened(pack, admin)
    added = [each.rule for each in admin.tighten if each.pack == pack.id]
    replacements = [each.replacement for each in loosened.values() if each.replacement is not None]
    # A replacement may keep the id of the rule that it replaces.
    fresh = [rule for rule in replacements if rule.id not in loosened]
    try:
        check_rules(pack.id, (*pack.rules, *added, *fresh), pack.calendar)
    except PydanticCustomError as error:
        context = error.context or {}
        raise PackError(f"administrator's policy: {context['what']}", context["cure"]) from None
    rules: list[Rule] = []
    for rule in pack.rules:
        rules += _after_loosening(rule, loosened[rule.id]) if rule.id in loosened else [rule]
    return pack.model_copy(update={"rules": (*rules, *added)})


def _loosened(pack: PackFile, admin: AdminPolicy) -> dict[str, Loosening]:
    rules = {rule.id: rule for rule in pack.rules}
    loosened: dict[str, Loosening] = {}
    for each in admin.loosen:
        if each.pack != pack.id:
            continue
        where = f"administrator's policy: rule `{each.rule}`"
        if each.rule not in rules:
            raise PackError(f"{where}: pack `{pack.id}` has no such rule", "see `heedline policy show` for its rules")
        if each.rule in loosened:
            raise PackError(f"{where}: it is loosened twice", "keep one of the two")
        if each.replacement is not None and each.replacement.kind != rules[each.rule].kind:
            problem = (
                f"{where}: replacement: kind: `{each.replacement.kind}` cannot stand for `{rules[each.rule].kind}`"
            )
            raise PackError(problem, "replace a rule by one of its own kind")
        loosened[each.rule] = each
    return loosened


def _after_loosening(rule: Rule, loosening: Loosening) -> list[Rule]:
    """The rule until `since`, and its replacement from then on."""
    since, result = loosening.since, []
    if rule.effective_from is None or rule.effective_from < since:
        end = since if rule.effective_to is None else min(since, rule.effective_to)
        result.append(rule.model_copy(update={"effective_to": end}))
    replacement = loosening.replacement
    if replacement is not None:
        begin = since if replacement.effective_from is None else max(since, replacement.effective_from)
        result.append(replacement.model_copy(update={"effective_from": begin}))
    return result
