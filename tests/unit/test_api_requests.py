"""Requests to the HTTP API that are wrong: each is told of its field, and comes no further."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api_world import PATH, ApiClient, client_of, problem
from tests.unit.api_stub import CALLEE, FORM_BODY, SELLER, body, make_api


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    """A client with a token."""
    async with client_of(make_api()) as client:
        yield client.holding("hdl_" + "a" * 43)


# What is wrong with a request.


async def wrong(client: ApiClient, sent: Any) -> list[tuple[str, str]]:
    """Field and code of each error of a 422."""
    document = await problem(await client.post(sent), 422, "invalid")
    assert all(each["in"] == "body" and each["detail"] and each["cure"] for each in document["errors"])
    return [(each["field"], each["code"]) for each in document["errors"]]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"number": "abc"}, [("number", "number.characters")]),
        ({"number": ""}, [("number", "string_too_short")]),
        ({"number": "+86" * 20}, [("number", "string_too_long")]),
        ({"number": 13800138000}, [("number", "string_type")]),
        ({"number": None}, [("number", "string_type")]),
        ({"number": "110", "country": "CN"}, [("number", "not_e164")]),
        ({"number": "+8613800138000\x00"}, [("number", "number.characters")]),
        ({"number": "+٨٦١٣٨٠٠١٣٨٠٠٠"}, [("number", "number.characters")]),
        ({"country": "China"}, [("country", "string_pattern_mismatch")]),
        ({"country": "ＣＮ"}, [("country", "string_pattern_mismatch")]),
        ({"seller": "a\x00b"}, [("seller", "string_pattern_mismatch")]),
        ({"seller": None}, [("seller", "sellers")]),
        ({"all_sellers": True}, [("seller", "sellers")]),
        ({"all_sellers": 1}, [("all_sellers", "bool_type")]),
        ({"how": "keyed"}, [("how", "literal_error")]),
        ({"how": ["api"]}, [("how", "literal_error")]),
        ({"at": "2026-10-20"}, [("at", "instant")]),
        ({"at": "2026-10-20T10:00:00"}, [("at", "instant")]),
        ({"at": "0000-01-01T00:00:00Z"}, [("at", "instant")]),
        ({"at": "0001-01-01T00:00:00+23:59"}, [("at", "instant")]),
        ({"at": "0001-01-01T00:00:00Z"}, [("at", "early")]),
        ({"at": "9999-12-31T23:59:59-23:59"}, [("at", "instant")]),
        ({"at": "9999-12-31T23:59:59Z"}, [("at", "future")]),
        ({"at": "2026-10-21T10:05:01+08:00"}, [("at", "future")]),
        ({"at": 1764000000}, [("at", "instant")]),
        ({"at": "2026-02-30T00:00:00Z"}, [("at", "instant")]),
        ({"call_id": ""}, [("call_id", "string_too_short")]),
        ({"call_id": "a\x00"}, [("call_id", "characters")]),
        ({"agent": "a\u202eb"}, [("agent", "characters")]),
        ({"agent": "a" * 201}, [("agent", "string_too_long")]),
        ({"note": "n" * 501}, [("note", "string_too_long")]),
        ({"note": "\x00" * 500}, [("note", "string_too_long")]),
        ({"note": "\ud800"}, [("note", "string_unicode")]),
        ({"artefact": "form"}, [("artefact", "model_type")]),
        ({"artefact": {**FORM_BODY, "sha256": "xy"}}, [("artefact.sha256", "string_pattern_mismatch")]),
        ({"artefact": {**FORM_BODY, "media_type": "pdf"}}, [("artefact.media_type", "string_pattern_mismatch")]),
        ({"artefact": {"sha256": "ab" * 32}}, [("artefact.media_type", "missing"), ("artefact.location", "missing")]),
        ({"extra": 1}, [("extra", "extra_forbidden")]),
        ({"\ud800": 1}, [("", "string_unicode")]),
        ({"\x00\u202e": 1}, [("\\x00\\u202e", "extra_forbidden")]),
        ({"x" * 500: 1}, [("x" * 80, "extra_forbidden")]),
    ],
)
async def test_fields_that_are_wrong(client: ApiClient, changes: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    """Each wrong field is named with its code, and nothing is recorded."""
    assert await wrong(client, json.dumps(body(**changes))) == errors


@pytest.mark.parametrize("value", [[], "text", 1, True, None, 1.5])
async def test_a_body_that_is_no_object(client: ApiClient, value: Any) -> None:
    """Any other JSON is 422 of the whole body."""
    assert await wrong(client, json.dumps(value)) == [("", "model_type")]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"{'number': 1}",
        b'{"number": "+8613800138000", "number": "+8613800138001", "seller": "acme"}',
        b'{"artefact": {"sha256": "", "sha256": ""}}',
        b'{"number": NaN}',
        b'{"number": -Infinity}',
        b'{"number": ' + b"9" * 60_000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'\xef\xbb\xbf{"number": "1"}',
        b'{"number": "\xff"}',
        '{"number": "1"}'.encode("utf-16"),
    ],
    ids=range(13),
)
async def test_a_body_that_is_no_json(client: ApiClient, sent: bytes) -> None:
    """By RFC 8259, with no name twice: anything else is 400."""
    await problem(await client.post(sent), 400, "malformed")


async def test_a_float_that_is_endless(client: ApiClient) -> None:
    """A number beyond every float is one more wrong field."""
    assert await wrong(client, b'{"number": 1e999, "seller": "acme"}') == [("number", "string_type")]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/plain"}, "media-type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "media-type"),
        ({"Content-Type": "application/json; charset=gb18030"}, "media-type"),
        ({"Content-Type": "rubbish"}, "media-type"),
        ({"Content-Encoding": "gzip"}, "media-type"),
    ],
)
async def test_bodies_of_other_types(client: ApiClient, headers: dict[str, str], code: str) -> None:
    """415, before a byte of it is read."""
    await problem(await client.post(json.dumps(body()), headers=headers), 415, code)


async def test_a_large_body(client: ApiClient) -> None:
    """More than 64 KiB is 413, whether its length was told or not; as much is read."""

    async def pieces(size: int) -> AsyncIterator[bytes]:
        sent = json.dumps(body(how="keyed")).encode()
        yield sent + b" " * (size - len(sent))

    headers = client.headers({"Content-Type": "application/json"})
    await problem(await client.post(json.dumps(body()) + " " * 65536), 413, "too-large")
    await problem(await client.http.post(PATH, data=pieces(65537), headers=headers), 413, "too-large")
    assert (await client.http.post(PATH, data=pieces(65536), headers=headers)).status == 422


@pytest.mark.parametrize("key", ["", "a" * 129, "\xff", "a\tb"])
async def test_keys_that_are_none(client: ApiClient, key: str) -> None:
    """A key that is empty, too long or not ASCII is 422, told of the header."""
    document = await problem(await client.post(body(), key=key), 422, "invalid")
    assert (document["errors"][0]["in"], document["errors"][0]["field"]) == ("header", "Idempotency-Key")


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ({}, [("number", "missing")]),
        ({"number": "x"}, [("number", "number.characters")]),
        ({"number": "\x00"}, [("number", "number.characters")]),
        ({"number": CALLEE, "limit": "0"}, [("limit", "greater_than_equal")]),
        ({"number": CALLEE, "limit": "201"}, [("limit", "less_than_equal")]),
        ({"number": CALLEE, "limit": "1.5"}, [("limit", "int_parsing")]),
        ({"number": CALLEE, "limit": "１"}, [("limit", "int_parsing")]),
        ({"number": CALLEE, "cursor": "9" * 19}, [("cursor", "less_than_equal")]),
        ({"number": CALLEE, "cursor": "9" * 5000}, [("cursor", "int_parsing")]),
        ({"number": CALLEE, "seler": SELLER}, [("seler", "extra_forbidden")]),
    ],
)
async def test_queries_that_are_wrong(client: ApiClient, query: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    """Each wrong parameter is named with its code: one that is not known is no lookup of something else."""
    document = await problem(await client.get(**query), 422, "invalid")
    assert [(each["field"], each["code"]) for each in document["errors"]] == errors
    assert all(each["in"] == "query" for each in document["errors"])


async def test_a_parameter_twice(client: ApiClient) -> None:
    """It is not guessed which one is meant."""
    response = await client.http.get(f"{PATH}?number=1&number=2", headers=client.headers())
    assert (await problem(response, 422, "invalid"))["errors"][0]["code"] == "repeated"
