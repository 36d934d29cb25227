"""Sentences for people that belong to no single module, in English and Chinese."""

from __future__ import annotations

from dialer.numbers import Fault, problem
from dialer.verdict import Language, Outcome

_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    Outcome.ALLOW: ("may be called now", "现在可以拨打"),
    Outcome.REFUSE: ("must not be called", "不得拨打"),
    Outcome.DEFER: ("may be called later", "稍后方可拨打"),
}

# Codes of `dialer.imports.RowFault`; `{detail}` is the particular that the fault carries.
_ROW_FAULTS: dict[str, tuple[str, str]] = {
    "not_e164": ("a short code or service number has no place here", "此处不接受短号码或服务号码"),
    "missing": ("no value is given", "缺少值"),
    "cells": ("the row has {detail}", "该行的单元格数与表头不符（{detail}）"),
    "quote": ("a quotation mark is not closed on its line", "引号未在同一行内闭合"),
    "nul": ("the row holds a NUL byte", "该行含有 NUL 字节"),
    "seller_unknown": ("the seller is not registered", "该商家未登记"),
    "trunk_unknown": ("the trunk is not registered", "该中继未登记"),
    "instant": ("not a date or a time as ISO 8601 writes them", "不是 ISO 8601 格式的日期或时间"),
    "offset": ("the time has no offset from UTC, such as `+08:00`", "时间缺少与 UTC 的时差，例如 `+08:00`"),
    "future": ("the time lies in the future", "时间在将来"),
    "order": ("ends before it begins", "结束时间早于开始时间"),
    "choice": ("not one of {detail}", "不是以下之一：{detail}"),
    "code": (
        "not a code (letters, digits, `-` and `_`, at most 64)",
        "不是有效的代码（字母、数字、`-`、`_`，最多 64 个字符）",
    ),
    "purpose": ("not a purpose (`*`, or lower-case letters, digits, `-` and `_`)", "不是有效的用途"),
    "sha256": ("not a SHA-256 (64 hexadecimal digits)", "不是 SHA-256（64 位十六进制）"),
    "artefact": (
        "says where an artefact is, but `artefact_sha256` is empty",
        "给出了凭证位置，但 `artefact_sha256` 为空",
    ),
    "region": ("not a region such as `US` or `US-FL`", "不是有效的地区，例如 `US` 或 `US-FL`"),
    "zone": ("not a time zone such as `America/New_York`", "不是有效的时区，例如 `America/New_York`"),
    "zones_alone": ("time zones need a region", "给出时区时必须给出地区"),
    "long": ("longer than {detail} characters", "超过 {detail} 个字符"),
    "characters": ("holds control or invisible characters", "含有控制字符或不可见字符"),
}


def outcome_text(outcome: Outcome, language: Language = "en") -> str:
    """What an outcome means, for people."""
    return _pick(_OUTCOMES[outcome], language)


def row_fault_text(code: str, detail: str = "", language: Language = "en") -> str:
    """What is wrong with a cell, for people. `code` is a row fault's, or a number fault's behind `number.`."""
    kind, _, fault = code.partition(".")
    if kind == "number":
        return problem(Fault(fault), language)
    return _pick(_ROW_FAULTS[code], language).format(detail=detail)


def row_fault_codes() -> frozenset[str]:
    """The codes of rows' faults that are not numbers' faults."""
    return frozenset(_ROW_FAULTS)


def _pick(texts: tuple[str, str], language: Language) -> str:
    return texts[1] if language == "zh" else texts[0]
