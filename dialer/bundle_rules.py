"""The rules that a matter's decisions and refusals cite: their texts, sources and dates, and whether the packs that are
installed are the ones that were in force."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from dialer.policy.pack import PackSet
from dialer.policy.schema import PackFile, Rule
from dialer.ports_bundles import Matter


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule for people. `version` is that of the pack that its words were taken from; empty: it is built in, or no
    longer known. `cited` says whether a decision or a refusal rests on it by name."""

    id: str
    kind: str
    version: str
    english: str
    chinese: str
    authority: str = ""
    source: str = ""
    confidence: str = ""
    effective_from: date | None = None
    effective_to: date | None = None
    cited: bool = True

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.id,
            "kind": self.kind,
            "pack_version": self.version or None,
            "text": {"en": self.english, "zh": self.chinese},
            "authority": self.authority,
            "source": self.source,
            "confidence": self.confidence,
            "effective_from": self.effective_from.isoformat() if self.effective_from else None,
            "effective_to": self.effective_to.isoformat() if self.effective_to else None,
            "cited": self.cited,
        }


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the rules that something was decided by, and what of it is not what is installed now."""

    cited: str
    differs: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {"cited": self.cited, "differs": list(self.differs)}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a matter."""

    texts: tuple[RuleText, ...]
    versions: tuple[Version, ...]

    def text(self, id: str) -> RuleText | None:
        """The rule of that id."""
        return next((each for each in self.texts if each.id == id), None)


_DECIDE = ("consent", "window", "cap", "list", "refusal", "caller_number", "callee_number")

_BUILT_IN: dict[str, tuple[str, str]] = {
    "core.attempts": (
        "So many attempts are on record that their caps cannot be judged.",
        "记录的呼叫次数过多，无法核算次数上限。",
    ),
    "core.caller_number": (
        "The caller number must be registered for this seller on this trunk.",
        "主叫号码须在该中继上登记给该商家使用。",
    ),
    "core.clock": (
        "Nothing is allowed while the clock is behind the last decision.",
        "系统时钟落后于最近一次裁决时不允许呼叫。",
    ),
    "core.emergency": ("Emergency numbers are never blocked.", "紧急号码永不拦截。"),
    "core.erasure_key": (
        "Nothing is allowed while it cannot be told whether an erased person had refused.",
        "无法查证已删除者是否曾拒绝时不允许呼叫。",
    ),
    "core.error": ("What cannot be judged is refused.", "无法判定的一律拒绝。"),
    "core.fail_closed": ("Whatever is not an ALLOW is a refusal.", "凡未获明确允许的一律拒绝。"),
    "core.list": ("A list that governs the number must be there.", "适用于该号码的名单必须存在。"),
    "core.non_marketing": ("An administrator declared this route non-marketing.", "管理员已声明该路由为非营销用途。"),
    "core.number": ("The number must be a valid telephone number.", "被叫号码必须有效。"),
    "core.number_class": ("Numbers of this class are not called.", "不得呼叫此类号码。"),
    "core.pack": (
        "No call without a policy pack in force for every place where the callee may be.",
        "被叫可能所在的每个地区都须有有效的策略包。",
    ),
    "core.permit": ("Nothing is dialled without a permit that is good.", "没有有效许可不得拨出。"),
    "core.refusal": ("Whoever has refused is not called again.", "已拒绝者不得再次呼叫。"),
    "core.refusal_spooled": (
        "A refusal that waits on the node's disk binds already.",
        "尚待写入数据库的拒绝同样有效。",
    ),
    "core.seller": ("The seller must be registered and not suspended.", "商家须已登记且未被暂停。"),
    "core.trunk": ("The trunk must be registered.", "中继须已登记。"),
}


def rules_of(matter: Matter, packs: PackSet) -> Rules:
    """The rules that a matter cites, and those of its packs that decide on calls of sellers in its industries."""
    cited, versions = _cited(matter)
    industries = {seller.industry for seller in matter.sellers}
    files = {pack.id: pack for pack in packs.packs}
    found: dict[str, RuleText] = {}
    for id in sorted(cited):
        found[id] = _text(id, files)
    for pack_id in sorted({pack for version in versions for pack, _ in _parts(version)}):
        pack = files.get(pack_id)
        for rule in pack.rules if pack else ():
            concerns = not rule.industries or industries & set(rule.industries)
            if rule.kind in _DECIDE and rule.id not in found and concerns and pack is not None:
                found[rule.id] = _of(rule, pack, cited=False)
    return Rules(tuple(found.values()), tuple(_version(each, files, packs) for each in sorted(versions)))


def grounds_of(payload: str | None) -> list[tuple[str, str, str]]:
    """The grounds (reason, rule, detail) of a decision's payload; none when it is erased."""
    verdict = json.loads(payload).get("verdict") if payload else None
    return [(str(reason), str(rule), str(detail)) for reason, rule, detail in (verdict or {}).get("grounds", ())]


def _cited(matter: Matter) -> tuple[set[str], set[str]]:
    rules: set[str] = set()
    versions: set[str] = set()
    for entry in matter.entries:
        if entry.kind == "decision":
            rules.update(rule for _, rule, _ in grounds_of(entry.payload))
    versions.update(call.rule_version for call in matter.calls if call.rule_version)
    for refusal in matter.refusals:
        rules.update((refusal.rule or "").split())
        versions.update([refusal.rule_version] if refusal.rule_version else [])
    return {rule for rule in rules if rule}, versions


def _text(id: str, files: dict[str, PackFile]) -> RuleText:
    pack = files.get(id.partition(".")[0])
    rule = next((rule for rule in pack.rules if rule.id == id), None) if pack else None
    if pack is not None and rule is not None:
        return _of(rule, pack, cited=True)
    english, chinese = _BUILT_IN.get(id, ("", ""))
    return RuleText(id, "core" if english else "unknown", "", english, chinese)


def _of(rule: Rule, pack: PackFile, *, cited: bool) -> RuleText:
    return RuleText(
        rule.id,
        rule.kind,
        f"{pack.id}@{pack.version}",
        rule.text.en,
        rule.text.zh,
        rule.authority,
        rule.source,
        rule.confidence,
        rule.effective_from,
        rule.effective_to,
        cited,
    )


def _parts(version: str) -> Iterator[tuple[str, str]]:
    for part in version.split("+"):
        pack, at, number = part.partition("@")
        if at:
            yield pack, number


def _version(cited: str, files: dict[str, PackFile], packs: PackSet) -> Version:
    differs = list(_differences(_parts(cited), files))
    _, _, digest = cited.partition("+admin:")
    now = packs.admin.digest([pack for pack, _ in _parts(cited)])
    if digest != now:
        differs.append(f"admin:{digest or 'none'} -> admin:{now or 'none'}")
    return Version(cited, tuple(differs))


def _differences(parts: Iterable[tuple[str, str]], files: dict[str, PackFile]) -> Iterator[str]:
    for pack, number in parts:
        installed = files[pack].version if pack in files else "none"
        if installed != number:
            yield f"{pack}@{number} -> {pack}@{installed}"
