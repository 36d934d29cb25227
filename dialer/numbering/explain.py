"""Fault -> a sentence for people, with or without the cure, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass

from dialer.numbering.lint import MAX_RAW
from dialer.numbering.model import Fault, NumberFault
from dialer.verdict import Language


@dataclass(frozen=True, slots=True)
class _Text:
    """What is wrong, said of a number (`it has a 0 too many`), and what to do."""

    problem: str
    cure: str


_ENGLISH: dict[Fault, _Text] = {
    Fault.EMPTY: _Text("is empty", "write its digits"),
    Fault.TOO_LONG: _Text(f"is longer than {MAX_RAW} characters", "write one number and nothing else"),
    Fault.CHARACTERS: _Text(
        "holds characters that no number has",
        "write ASCII digits, at most one + in front, and only spaces, hyphens, dots, paired brackets or single slashes "
        "between the digits",
    ),
    Fault.EXTRA_ZERO: _Text("has a 0 too many", "leave out the 0 in front of the number or after the country code"),
    Fault.LENGTH: _Text("has too few or too many digits", "write the whole number with its area code"),
    Fault.COUNTRY_UNKNOWN: _Text(
        "does not say which country it is in", "write + and the country code, or name the country"
    ),
    Fault.NOT_ASSIGNED: _Text(
        "is in no range that its country has assigned", "check the digits, or write + and the country code"
    ),
}
_CHINESE: dict[Fault, _Text] = {
    Fault.EMPTY: _Text("为空", "请填写数字"),
    Fault.TOO_LONG: _Text(f"超过 {MAX_RAW} 个字符", "请只填写一个号码"),
    Fault.CHARACTERS: _Text(
        "含有非法字符",
        "请用半角数字，最前面至多一个 +，数字之间只可用空格、连字符、句点、成对括号或单个斜杠",
    ),
    Fault.EXTRA_ZERO: _Text("多了一个 0", "请去掉号码前或国家代码后的 0"),
    Fault.LENGTH: _Text("位数不对", "请填写包含区号的完整号码"),
    Fault.COUNTRY_UNKNOWN: _Text("无法确定所属国家", "请写成 + 加国家代码的形式，或指定国家"),
    Fault.NOT_ASSIGNED: _Text("不在该国已分配的号段内", "请核对号码，或写成 + 加国家代码的形式"),
}


def problem(fault: Fault, language: Language = "en") -> str:
    """What is wrong, in a few words: for the rows of a long list."""
    return f"号码{_CHINESE[fault].problem}" if language == "zh" else f"the number {_ENGLISH[fault].problem}"


def cure(fault: Fault, language: Language = "en") -> str:
    """What to do about it."""
    return (_CHINESE if language == "zh" else _ENGLISH)[fault].cure


def describe(fault: NumberFault, language: Language = "en") -> str:
    """One sentence: the text, what is wrong with it, and what to do."""
    if language == "zh":
        return f"`{fault.raw}` {_CHINESE[fault.fault].problem}：{_CHINESE[fault.fault].cure}"
    return f"`{fault.raw}` {_ENGLISH[fault.fault].problem}: {_ENGLISH[fault.fault].cure}"
