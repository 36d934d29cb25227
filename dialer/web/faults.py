"""What is wrong with a field and what to do about it, in English and Chinese: for pydantic's findings and our own."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from dialer.hostile import printable
from dialer.numbers import NumberFault, cure, problem
from dialer.web.models import (
    COUNTRY_PATTERN,
    KEY_PATTERN,
    MEDIA_TYPE_PATTERN,
    SELLER_PATTERN,
    SHA256_PATTERN,
)
from dialer.web.problems import FieldFault, Place, Text

_LIMIT = 80

# Code -> what is wrong, and the cure. In braces: what pydantic tells beside its code.
_TEXTS: dict[str, tuple[Text, Text]] = {
    "missing": (("is missing", "缺失"), ("give it", "请提供")),
    "extra_forbidden": (
        ("is not known here", "不是已知字段"),
        ("leave it out; `/api/v1/openapi.json` lists what there is", "请删除；可用字段见 `/api/v1/openapi.json`"),
    ),
    "string_type": (("is no text", "不是文本"), ("write it in quotation marks", "请写成带引号的字符串")),
    "string_unicode": (
        ("holds half a character", "含有不完整的字符"),
        ("write it in valid Unicode, without lone surrogates", "请使用有效的 Unicode，不要有单独的代理项"),
    ),
    "string_too_short": (
        ("is too short", "太短"),
        ("write at least {min_length} character", "请至少写 {min_length} 个字符"),
    ),
    "string_too_long": (
        ("is too long", "太长"),
        ("write at most {max_length} characters", "请最多写 {max_length} 个字符"),
    ),
    "bool_type": (("is neither `true` nor `false`", "不是 `true` 或 `false`"), ("write one of them", "请改用其中之一")),
    "literal_error": (("is not one of those that there are", "不在可选值之内"), ("use {expected}", "请用 {expected}")),
    "model_type": (("is no JSON object", "不是 JSON 对象"), ("write it in braces", "请写成花括号中的对象")),
    "int_parsing": (("is no whole number", "不是整数"), ("write ASCII digits alone", "请只用半角数字")),
    "greater_than_equal": (("is too small", "太小"), ("use {ge} or more", "请不小于 {ge}")),
    "less_than_equal": (("is too large", "太大"), ("use {le} or less", "请不大于 {le}")),
    "instant": (
        ("is no time as RFC 3339 writes it", "不是 RFC 3339 格式的时间"),
        ("write it with its offset, like `2026-11-24T10:00:00+08:00`", "请带时差，例如 `2026-11-24T10:00:00+08:00`"),
    ),
    "early": (("lies before 1970", "早于 1970 年"), ("check the year", "请核对年份")),
    "future": (("lies in the future", "在将来"), ("check the time and its offset", "请核对时间与时差")),
    "characters": (
        ("holds control or invisible characters", "含有控制字符或不可见字符"),
        ("write visible characters and plain spaces alone", "请只用可见字符和普通空格"),
    ),
    "sellers": (
        ("does not say to whom was refused", "未说明拒绝的对象"),
        ("give either `seller`, or `all_sellers` as `true`", "请只给出 `seller`，或将 `all_sellers` 设为 `true`"),
    ),
    "seller_unknown": (
        ("is no seller that is registered", "不是已登记的商家"),
        ("see `heedline seller list`", "见 `heedline seller list`"),
    ),
    "not_e164": (
        ("is a short code or a service number, not a person's", "是短号码或服务号码，不是个人号码"),
        ("give a full number", "请给出完整号码"),
    ),
    "repeated": (("is given more than once", "重复出现"), ("give it once", "请只给出一次")),
    "refused": (("cannot be recorded so", "无法如此记录"), ("see `detail`", "见 `detail`")),
}

_PATTERNS: dict[str, tuple[Text, Text]] = {
    SELLER_PATTERN: (
        ("is no seller's code", "不是有效的商家代码"),
        ("use letters, digits, `-` and `_`, at most 64", "请用字母、数字、`-`、`_`，最多 64 个字符"),
    ),
    COUNTRY_PATTERN: (
        ("is no country", "不是国家代码"),
        ("use two letters of ISO 3166-1, such as `CN`", "请用 ISO 3166-1 的两个字母，例如 `CN`"),
    ),
    SHA256_PATTERN: (
        ("is no SHA-256", "不是 SHA-256"),
        ("write 64 hexadecimal digits", "请写 64 位十六进制数字"),
    ),
    MEDIA_TYPE_PATTERN: (
        ("is no media type", "不是媒体类型"),
        ("write one such as `application/pdf`", "例如 `application/pdf`"),
    ),
    KEY_PATTERN: (
        ("is no idempotency key", "不是有效的幂等键"),
        ("use 1 to 128 printable ASCII characters", "请用 1 至 128 个可打印的 ASCII 字符"),
    ),
}

_UNKNOWN: tuple[Text, Text] = (
    ("is not as the description says", "不符合接口描述"),
    ("see `/api/v1/openapi.json`", "见 `/api/v1/openapi.json`"),
)
_MODEL_FIELDS = {"sellers": "seller"}
"""The field that a fault of the whole body is told of."""


def fault(place: Place, field: str, code: str, context: dict[str, Any] | None = None) -> FieldFault:
    """A fault by its code."""
    told = context or {}
    if code == "string_pattern_mismatch":
        problem_, cure_ = _PATTERNS.get(told.get("pattern", ""), _UNKNOWN)
    else:
        problem_, cure_ = _TEXTS.get(code, _UNKNOWN)
    if any("{" in text for text in cure_):
        cure_ = (cure_[0].format(**told), cure_[1].format(**told))
    return FieldFault(place, printable(field, _LIMIT), code, problem_, cure_)


def number_fault(place: Place, wrong: NumberFault) -> FieldFault:
    """The fault of a text that is no number."""
    problems = (problem(wrong.fault, "en"), problem(wrong.fault, "zh"))
    cures = (cure(wrong.fault, "en"), cure(wrong.fault, "zh"))
    return FieldFault(place, "number", f"number.{wrong.fault.value}", _behind(problems), cures)


def faults_of(error: ValidationError, place: Place) -> list[FieldFault]:
    """Every fault that pydantic found; never what was given, which may be anything."""
    found = []
    for each in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in each["loc"]) or _MODEL_FIELDS.get(each["type"], "")
        found.append(fault(place, path, each["type"], each.get("ctx")))
    return found


def _behind(sentences: Text) -> Text:
    """`the number is empty` behind the field's name: `is empty`."""
    english, chinese = sentences
    return english.removeprefix("the number "), chinese.removeprefix("号码")
