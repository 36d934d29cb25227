"""What the packs ask when a callee refuses: by which rules it binds, the key that offers it, whether the call ends.

Pure, like all of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from dialer.numbers import Number
from dialer.policy.packset import PackSet
from dialer.policy.schema import ConductRule, RefusalRule
from dialer.verdict import Language

DEFAULT_KEY: Final = "9"
HANG_UP: Final = ("never", "announcements", "always")
"""Values of the conduct `refusal_hangup`, each stricter than the one before: which calls end once their callee has
refused."""
_DEFAULT_HANG_UP: Final = "announcements"
# Regions whose callees are spoken to in Chinese.
_CHINESE: Final = frozenset({"CN", "HK", "MO", "TW"})


@dataclass(frozen=True, slots=True)
class Conduct:
    """What follows from a callee's refusal.

    `rule` names the refusal rules that make it bind (joined by spaces; empty: no pack covers the callee, and then
    nothing allows a call anyway), `rule_version` their packs. `key` is the callee's refusal key. `hang_up` is one of
    `HANG_UP`. `language` is the callee's, as far as his number tells.
    """

    rule: str
    rule_version: str
    key: str
    hang_up: str
    language: Language

    def ends(self, *, announcement: bool) -> bool:
        """Whether the call in which the callee refused is hung up: an announcement, or a talk with an agent."""
        return self.hang_up == "always" or (announcement and self.hang_up == "announcements")


def conduct_for(packs: PackSet, callee: Number, day: date) -> Conduct:
    """What the rules in force on a day, from every place where the callee may be, ask; the strictest of them counts."""
    pack = packs.for_callee(callee)
    language: Language = "zh" if _CHINESE & set(callee.regions) else "en"
    if pack is None:
        return Conduct("", "", DEFAULT_KEY, _DEFAULT_HANG_UP, language)
    binding: list[str] = []
    key, hang_up = "", ""
    for rule in (
        rule for file in pack.files for rule in file.rules if rule.in_force(day) and pack.place.concerns(rule)
    ):
        if isinstance(rule, RefusalRule) and not rule.industries:
            binding.append(rule.id)
        elif isinstance(rule, ConductRule) and rule.key == "refusal_key":
            key = key or str(rule.value)
        elif isinstance(rule, ConductRule) and rule.key == "refusal_hangup":
            hang_up = max(hang_up, str(rule.value), key=_strictness)
    return Conduct(" ".join(binding), pack.version, key or DEFAULT_KEY, hang_up or _DEFAULT_HANG_UP, language)


def _strictness(value: str) -> int:
    """What is not understood is the strictest, as everywhere in the policy; nothing said is the least."""
    if not value:
        return -1
    return HANG_UP.index(value) if value in HANG_UP else len(HANG_UP)
