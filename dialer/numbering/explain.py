"""Fault -> a sentence for people that names the cure, in English and Chinese."""

from __future__ import annotations

from dialer.numbering.lint import MAX_RAW
from dialer.numbering.model import Fault, NumberFault
from dialer.verdict import Language

_TEXTS: dict[Fault, tuple[str, str]] = {
    Fault.EMPTY: ("no number was given: write its digits", "未填写号码：请填写数字"),
    Fault.TOO_LONG: (
        f"`{{raw}}` is longer than {MAX_RAW} characters: write one number and nothing else",
        f"`{{raw}}` 超过 {MAX_RAW} 个字符：请只填写一个号码",
    ),
    Fault.CHARACTERS: (
        "`{raw}` has characters that no number has: write ASCII digits, at most one + in front, and only spaces, "
        "hyphens, dots, paired brackets or single slashes between the digits",
        "`{raw}` 含有号码中不应出现的字符：请用半角数字，最前面至多一个 +，"
        "数字之间只可用空格、连字符、句点、成对括号或单个斜杠",
    ),
    Fault.EXTRA_ZERO: (
        "`{raw}` has a 0 too many: leave out the 0 in front of the number or after the country code",
        "`{raw}` 多了一个 0：请去掉号码前或国家代码后的 0",
    ),
    Fault.LENGTH: (
        "`{raw}` has too few or too many digits: write the whole number with its area code",
        "`{raw}` 位数不对：请填写包含区号的完整号码",
    ),
    Fault.COUNTRY_UNKNOWN: (
        "`{raw}` does not say which country it is in: write + and the country code, or set the trunk's country",
        "`{raw}` 无法确定所属国家：请写成 + 加国家代码的形式，或设置中继所在国家",
    ),
    Fault.NOT_ASSIGNED: (
        "`{raw}` is in no range that its country has assigned: check the digits, or write + and the country code",
        "`{raw}` 不在该国已分配的号段内：请核对号码，或写成 + 加国家代码的形式",
    ),
}


def describe(fault: NumberFault, language: Language = "en") -> str:
    """One sentence for people: what is wrong with the text, and what to do."""
    english, chinese = _TEXTS[fault.fault]
    return (chinese if language == "zh" else english).replace("{raw}", fault.raw)
