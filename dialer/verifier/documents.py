"""JSON from strangers: objects in their one canonical form, of bounded size and depth. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NoReturn

from .leaf import canonical
from .words import Fault


class DocumentFault(Fault):
    """Bytes that are not the JSON object that they should be."""


def _no_float(_: str) -> NoReturn:
    raise DocumentFault("the JSON holds a number that is not whole", "JSON 含有非整数")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise DocumentFault("a name occurs twice in the JSON", "JSON 中有重复的名称")
    return value


_CANONICAL = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)
_LOOSE = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_once)


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object from its canonical bytes (RFC 8785; no floats). Raises `DocumentFault`.

    That the bytes come out again is the whole check: a name that occurs twice, white space, another order or another
    way of writing a character would not.
    """
    value = _parsed(data, _CANONICAL)
    try:
        same = canonical(value) == data
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise DocumentFault("the JSON is not in its canonical form (RFC 8785)", "JSON 不是规范形式（RFC 8785）")
    return value


def read_loose_object(data: bytes) -> dict[str, Any]:
    """A JSON object in any form in which no name occurs twice. Raises `DocumentFault`."""
    return _parsed(data, _LOOSE)


def _parsed(data: bytes, decoder: json.JSONDecoder) -> dict[str, Any]:
    try:
        value = decoder.decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise DocumentFault("it is not UTF-8", "不是 UTF-8") from None
    except RecursionError:
        raise DocumentFault("the JSON is nested too deeply", "JSON 嵌套过深") from None
    except DocumentFault:
        raise
    except ValueError:
        raise DocumentFault("it is not JSON", "不是 JSON") from None
    if not isinstance(value, dict):
        raise DocumentFault("it is not a JSON object", "不是 JSON 对象")
    return value


def read_hashes(value: Any) -> list[bytes]:
    """The hashes of a proof from a list of base64. Raises `DocumentFault`."""
    try:
        return [base64.b64decode(text.encode("ascii"), validate=True) for text in _list(value)]
    except (AttributeError, binascii.Error, ValueError):
        raise DocumentFault("a proof is a list of hashes in base64", "证明应为 base64 散列的列表") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError
    return value


def whole(value: Any, least: int = 0) -> int | None:
    """The value when it is a whole number of 63 bits that is not smaller than `least`."""
    return value if type(value) is int and least <= value < 2**63 else None
