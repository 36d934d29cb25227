"""Problems of the HTTP API: `application/problem+json` (RFC 9457), in English or Chinese.

Each names the cure; one of fields lists every field that is wrong. Text of the request appears in them only as
`dialer.hostile.printable` shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from dialer.verdict import Language

CATALOGUE_PATH = "/api/v1/problems"
MEDIA_TYPE = "application/problem+json"

Text = tuple[str, str]
"""A sentence in English and in Chinese."""

Place = Literal["body", "query", "header"]


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A type of problem: its HTTP status, and what it is in a few words."""

    status: int
    title: Text


TYPES: dict[str, ProblemType] = {
    "malformed": ProblemType(400, ("the body is no JSON", "请求正文不是有效的 JSON")),
    "unauthorized": ProblemType(401, ("no good token was shown", "未提供有效的令牌")),
    "forbidden": ProblemType(403, ("the token does not allow this", "该令牌无此权限")),
    "not-found": ProblemType(404, ("there is nothing here", "未找到")),
    "method-not-allowed": ProblemType(405, ("this method is not allowed here", "不支持该请求方法")),
    "slow": ProblemType(408, ("the body did not come in time", "未及时收到请求正文")),
    "conflict": ProblemType(409, ("the idempotency key was used for another body", "幂等键已用于不同的请求")),
    "too-large": ProblemType(413, ("the body is too large", "请求正文过大")),
    "media-type": ProblemType(415, ("the body is not of a type that is read here", "不支持的正文类型")),
    "invalid": ProblemType(422, ("a field is wrong", "字段有误")),
    "too-many": ProblemType(429, ("too many requests", "请求过于频繁")),
    "internal": ProblemType(500, ("a fault of Heedline", "Heedline 内部错误")),
    "unavailable": ProblemType(503, ("it cannot be answered now", "暂时无法处理")),
}
"""Every type of problem by its code. A code never changes its meaning."""


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field. `field` is a dotted path, empty for the whole body."""

    place: Place
    field: str
    code: str
    problem: Text
    cure: Text


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is a problem; `code` is one of `TYPES`. `detail` says what is wrong and what to do about it."""

    code: str
    detail: Text
    faults: Sequence[FieldFault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


class FieldDocument(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    place: Place = Field(alias="in", description="Where the field stands.")
    field: str = Field(description="The field, as a dotted path; empty: the whole of it.")
    code: str = Field(description="What is wrong, for programs.")
    detail: str = Field(description="What is wrong, for people.")
    cure: str = Field(description="What to do about it.")


class ProblemDocument(BaseModel):
    """A problem (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description=f"`{CATALOGUE_PATH}#CODE`, or `about:blank`.")
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do about it.")
    errors: list[FieldDocument] = Field(description="Each field that is wrong.")


class ProblemTypeDocument(BaseModel):
    """A type of problem."""

    code: str
    status: int
    title: str
    title_zh: str


class CatalogueDocument(BaseModel):
    """All types of problems."""

    problems: list[ProblemTypeDocument]


def catalogue() -> CatalogueDocument:
    """All types of problems, for people who follow a problem's `type`."""
    return CatalogueDocument(
        problems=[
            ProblemTypeDocument(code=code, status=each.status, title=each.title[0], title_zh=each.title[1])
            for code, each in TYPES.items()
        ]
    )


def invalid(faults: Sequence[FieldFault]) -> Problem:
    """The problem of wrong fields; there is one at least."""
    english = "; ".join(_sentence(each, "en") for each in faults[:5])
    chinese = "；".join(_sentence(each, "zh") for each in faults[:5])
    more = len(faults) - 5
    if more > 0:
        english, chinese = f"{english}; and {more} more", f"{chinese}；另有 {more} 处"
    return Problem("invalid", (english, chinese), faults)


def answer(problem: Problem, language: Language) -> web.Response:
    """The response of a problem."""
    kind = TYPES[problem.code]
    document = ProblemDocument(
        type=f"{CATALOGUE_PATH}#{problem.code}",
        title=pick(kind.title, language),
        status=kind.status,
        detail=pick(problem.detail, language),
        errors=[
            FieldDocument(
                place=each.place,
                field=each.field,
                code=each.code,
                detail=pick(each.problem, language),
                cure=pick(each.cure, language),
            )
            for each in problem.faults
        ],
    )
    return _response(document, language, problem.headers)


def plain_answer(status: int, language: Language) -> web.Response:
    """The response of a status that is none of `TYPES`: HTTP itself says what it means."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "error"
    document = ProblemDocument(type="about:blank", title=phrase, status=status, detail=phrase.lower(), errors=[])
    return _response(document, language, {})


def pick(text: Text, language: Language) -> str:
    """The sentence in a language."""
    return text[1] if language == "zh" else text[0]


def _sentence(each: FieldFault, language: Language) -> str:
    subject = f"`{each.field}`" if each.field else pick(("the body", "正文"), language)
    problem, cure = pick(each.problem, language), pick(each.cure, language)
    return f"{subject} {problem}：{cure}" if language == "zh" else f"{subject} {problem}: {cure}"


def _response(document: ProblemDocument, language: Language, headers: Mapping[str, str]) -> web.Response:
    body = json.dumps(document.model_dump(by_alias=True), ensure_ascii=False).encode("utf-8", "backslashreplace")
    response = web.Response(
        status=document.status,
        body=body,
        content_type=MEDIA_TYPE,
        headers={"Content-Language": language, **headers},
    )
    if "Connection" in headers:
        response.force_close()
    return response
