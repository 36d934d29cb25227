"""What stands before every operation of the HTTP API: bounds on clients and on time, tokens, problems, the access log.

The log names the operation by the route's pattern, so neither a token nor a number can come into it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from aiohttp import web

from dialer.errors import StoreUnavailable
from dialer.ports_tokens import Scope, TokenRecord
from dialer.tokens import Tokens, digest_of
from dialer.verdict import Language
from dialer.web.bounds import Buckets, Known, Rate, address_key, retry_after
from dialer.web.deadlines import Deadlines
from dialer.web.models import KeyHeader
from dialer.web.operations import Call, Operation, response_of
from dialer.web.problems import TYPES, Problem, Text, answer, plain_answer
from dialer.web.reading import (
    check_body_type,
    language_of,
    parse_json,
    read_body,
    read_document,
    read_headers,
    read_query,
)

log = logging.getLogger(__name__)

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language, Authorization",
    "Server": "heedline",
}
_TOKEN = web.RequestKey("heedline_token", str)
_ADDRESS, _OF_A_TOKEN, _FAILURES = Rate(100, 400), Rate(50, 200), Rate(0.2, 10)
_RETRY_S = 2
_NOTHING_RECORDED: Text = ("the database did not answer; ask again", "数据库未响应；请重试")
_UNSURE: Text = (
    "it is not known to be recorded; send the same body again with the `Idempotency-Key` of this answer, until the "
    "answer is 200 or 201",
    "无法确认是否已记录；请用本响应中的 `Idempotency-Key` 重新发送相同的正文，直到返回 200 或 201",
)
_FAULT: Text = ("a fault of Heedline, which is in its log; ask again", "Heedline 内部错误，详见日志；请重试")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is granted. `failures` are tokens that are none, from one address: who shows many waits, but for a token
    that was good before. `time_s` bounds a request, `unfinished` how many are worked on at once."""

    address: Rate = _ADDRESS
    token: Rate = _OF_A_TOKEN
    failures: Rate = _FAILURES
    time_s: float = 5.0
    unfinished: int = 200


class Guard:
    """Lets requests through to operations."""

    def __init__(self, tokens: Tokens, limits: Limits) -> None:
        self._tokens, self._limits = tokens, limits
        self._addresses, self._of_tokens = Buckets(limits.address), Buckets(limits.token)
        self._failures, self._good = Buckets(limits.failures), Known()
        self._deadlines = Deadlines(limits.unfinished)

    @property
    def middleware(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Whatever happens to a request, its answer is one, and is logged."""

        @web.middleware
        async def outermost(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            began, language = monotonic(), language_of(request)
            response = await self._answered(request, handler, language)
            response.headers.update(_HEADERS)
            _log(request, response.status, monotonic() - began)
            return response

        return outermost

    def handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        """What aiohttp calls for an operation."""

        async def handle(request: web.Request) -> web.Response:
            language = language_of(request)
            ends = monotonic() + self._limits.time_s
            token = await self._authenticated(request, operation.scope, ends) if operation.scope else None
            call = await self._read(request, operation, token, language, ends)
            try:
                reply = await self._deadlines.worked(operation.handle(call), ends)
            except StoreUnavailable as error:
                raise _unavailable(operation, call, error) from error
            except Problem:
                raise
            except Exception as error:
                log.exception("the operation `%s` failed", operation.name)
                detail = _UNSURE if operation.recording else _FAULT
                raise Problem("internal", detail, headers=_key_header(operation, call)) from error
            return response_of(reply, language)

        return handle

    async def close(self) -> None:
        """Give up what is unfinished."""
        await self._deadlines.close()

    async def _answered(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        language: Language,
    ) -> web.StreamResponse:
        try:
            if (wait := self._addresses.take(address_key(request.remote))) > 0:
                raise _too_many(wait)
            return await handler(request)
        except Problem as problem:
            return answer(problem, language)
        except web.HTTPException as error:
            return _of_aiohttp(error, language)
        except web.RequestPayloadError:
            detail = ("the body is cut off, or its transfer coding is wrong; send it again", "正文不完整，请重新发送")
            return answer(Problem("malformed", detail, headers={"Connection": "close"}), language)
        except ConnectionError:
            raise  # the client is gone
        except Exception:
            log.exception("a request failed")
            return answer(Problem("internal", _FAULT), language)

    async def _authenticated(self, request: web.Request, scope: Scope, ends: float) -> TokenRecord:
        """The token that the request shows. Raises `Problem`."""
        token, address = _bearer(request), address_key(request.remote)
        digest = digest_of(token)
        good = digest in self._good
        wait = self._of_tokens.take(digest.hex()) if good else self._failures.wait(address)
        if wait > 0:
            raise _too_many(wait)
        try:
            record = await self._deadlines.worked(self._tokens.authenticate(token), ends)
        except StoreUnavailable as error:
            log.warning("a token was not looked up: %s", error)
            raise _waiting(_NOTHING_RECORDED) from error
        if record is None:
            self._failures.take(address)
            raise _unauthorized('Bearer error="invalid_token"')
        request[_TOKEN] = record.name
        if not good:
            self._good.add(digest)
            self._of_tokens.take(digest.hex())
        if scope not in record.scopes:
            raise Problem(
                "forbidden",
                (
                    f"the token has no scope `{scope}`; make one by `heedline token add NAME --scope {scope}`",
                    f"该令牌没有权限 `{scope}`；请用 `heedline token add NAME --scope {scope}` 创建",
                ),
            )
        return record

    async def _read(
        self, request: web.Request, operation: Operation, token: TokenRecord | None, language: Language, ends: float
    ) -> Call:
        query = read_query(operation.query, request.query)
        key, body, digest = "", None, ""
        if operation.body is not None:
            check_body_type(request)
            key = read_headers(KeyHeader, request.headers).key or secrets.token_hex(16)
            raw = await _in_time(read_body(request), ends)
            body, digest = read_document(operation.body, parse_json(raw)), hashlib.sha256(raw).hexdigest()
        return Call(request.match_info, language, token, query, body, digest, key)


def _bearer(request: web.Request) -> str:
    """The token of `Authorization` (RFC 6750). Raises `Problem`."""
    shown = request.headers.getall("Authorization", [])
    scheme, _, token = shown[0].partition(" ") if shown else ("", "", "")
    if len(shown) != 1 or scheme.lower() != "bearer" or not token.isascii():
        raise _unauthorized("Bearer")
    return token.strip(" ")


async def _in_time(reading: Awaitable[bytes], ends: float) -> bytes:
    try:
        async with asyncio.timeout(max(0.0, ends - monotonic())):
            return await reading
    except TimeoutError:
        raise Problem(
            "slow",
            ("the body did not come in time; send it again, whole", "未及时收到请求正文；请完整地重新发送"),
            headers={"Connection": "close"},
        ) from None


def _unavailable(operation: Operation, call: Call, error: StoreUnavailable) -> Problem:
    log.warning("`%s`: %s", operation.name, error)
    return _waiting(_UNSURE if operation.recording else _NOTHING_RECORDED, _key_header(operation, call))


def _waiting(detail: Text, headers: dict[str, str] | None = None) -> Problem:
    return Problem("unavailable", detail, headers={"Retry-After": str(_RETRY_S), **(headers or {})})


def _key_header(operation: Operation, call: Call) -> dict[str, str]:
    return {"Idempotency-Key": call.key} if operation.recording else {}


def _too_many(wait: float) -> Problem:
    seconds = retry_after(wait)
    return Problem(
        "too-many",
        (f"ask again in {seconds} s; a file is imported at once", f"请在 {seconds} 秒后重试；大量数据请用文件导入"),
        headers={"Retry-After": seconds},
    )


def _unauthorized(challenge: str) -> Problem:
    return Problem(
        "unauthorized",
        (
            "send `Authorization: Bearer TOKEN` with a token of `heedline token add` that is neither revoked nor ended",
            "请发送 `Authorization: Bearer TOKEN`，令牌由 `heedline token add` 创建，且未撤销、未到期",
        ),
        headers={"WWW-Authenticate": challenge},
    )


def _of_aiohttp(error: web.HTTPException, language: Language) -> web.Response:
    """A problem in place of the router's own answer."""
    if error.status == TYPES["not-found"].status:
        detail = ("there is no such path; see `/api/v1/openapi.json`", "没有该路径；见 `/api/v1/openapi.json`")
        return answer(Problem("not-found", detail), language)
    if isinstance(error, web.HTTPMethodNotAllowed):
        methods = ", ".join(sorted(error.allowed_methods))
        detail = (f"use one of {methods}", f"请用 {methods}")
        return answer(Problem("method-not-allowed", detail, headers={"Allow": methods}), language)
    return plain_answer(error.status, language)


def _log(request: web.Request, status: int, took: float) -> None:
    resource = request.match_info.route.resource
    pattern = resource.canonical if resource is not None else "-"
    log.info(
        "%s %s %d %.0f ms token=%s from=%s",
        request.method if request.method.isalpha() else "-",
        pattern,
        status,
        took * 1000,
        request.get(_TOKEN, "-"),
        request.remote or "-",
    )
