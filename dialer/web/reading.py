"""Reading a request of the HTTP API: language, body (strict JSON), query, headers. All of it is hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from aiohttp import web
from multidict import CIMultiDictProxy, MultiMapping
from pydantic import BaseModel, ValidationError

from dialer.verdict import Language
from dialer.web.faults import fault, faults_of
from dialer.web.problems import Place, Problem, invalid

BODY_LIMIT = 64 * 1024
"""Bytes of a body."""
_BLOCK = 8 * 1024
_INTEGER_LIMIT = 20
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)

Model = TypeVar("Model", bound=BaseModel)


def language_of(request: web.BaseRequest) -> Language:
    """English, unless `Accept-Language` (RFC 9110) prefers Chinese."""
    weights = {"en": 0.0, "zh": 0.0}
    for part in request.headers.get("Accept-Language", "")[:500].lower().split(","):
        tag, *parameters = (each.strip() for each in part.split(";"))
        language = tag.partition("-")[0]
        weight = _WEIGHT.fullmatch(parameters[0]) if parameters else None
        if language in weights and not (parameters and weight is None):
            weights[language] = max(weights[language], float(weight[1]) if weight else 1.0)
    return "zh" if weights["zh"] > weights["en"] else "en"


def check_body_type(request: web.BaseRequest) -> None:
    """Raises `Problem` unless the body is JSON in UTF-8, as it is."""
    charset = (request.charset or "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8") or encoding != "identity":
        raise Problem(
            "media-type",
            (
                "the body must be JSON in UTF-8, not compressed; send `Content-Type: application/json`",
                "请求正文必须是未压缩的 UTF-8 编码 JSON；请发送 `Content-Type: application/json`",
            ),
            headers={"Accept": "application/json"},
        )


async def read_body(request: web.BaseRequest) -> bytes:
    """The body. Raises `Problem` when it is larger than `BODY_LIMIT`; no more of it is read then."""
    body = bytearray()
    if (request.content_length or 0) <= BODY_LIMIT:
        while block := await request.content.read(_BLOCK):
            body += block
            if len(body) > BODY_LIMIT:
                break
        else:
            return bytes(body)
    raise Problem(
        "too-large",
        (
            f"the body has more than {BODY_LIMIT} bytes; tell one refusal a request, or import a file",
            f"请求正文超过 {BODY_LIMIT} 字节；请每次只提交一条拒绝，或导入文件",
        ),
        headers={"Connection": "close"},
    )


def parse_json(body: bytes) -> Any:
    """The JSON value, by RFC 8259 and no laxer; an object names nothing twice. Raises `Problem`."""
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer
        )
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8", "不是 UTF-8") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"{error.msg.lower()} at {at}", f"第 {error.lineno} 行第 {error.colno} 列有误") from None
    except RecursionError:
        raise _malformed("it is nested too deeply", "嵌套过深") from None


def read_document(model: type[Model], value: Any) -> Model:
    """The body as its model. Raises `Problem` with every field that is wrong."""
    return _validated(model, value, "body")


def read_query(model: type[Model], query: MultiMapping[str]) -> Model:
    """The query as its model. Raises `Problem`."""
    return _validated(model, _single(query, list(query.keys()), "query"), "query")


def read_headers(model: type[Model], headers: CIMultiDictProxy[str]) -> Model:
    """Those headers that the model names, as it. Raises `Problem`."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return _validated(model, _single(headers, [name for name in names if name in headers], "header"), "header")


def _single(values: MultiMapping[str], names: Sequence[str], place: Place) -> dict[str, str]:
    repeated = sorted({name for name in names if len(values.getall(name)) > 1})
    if repeated:
        raise invalid([fault(place, name, "repeated") for name in repeated])
    return {name: values[name] for name in names}


def _validated(model: type[Model], value: Any, place: Place) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(faults_of(error, place)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _malformed("an object has a name twice", "对象中有重复的名称")
    return found


def _no_constant(_: str) -> Any:
    raise _malformed("JSON knows no NaN and no infinity", "JSON 中没有 NaN 或无穷大")


def _integer(text: str) -> int:
    if len(text) > _INTEGER_LIMIT:
        raise _malformed("a number is too long", "数字过长")
    return int(text)


def _malformed(english: str, chinese: str) -> Problem:
    return Problem(
        "malformed", (f"the body is no JSON: {english}; send one JSON object", f"{chinese}；请发送一个 JSON 对象")
    )
