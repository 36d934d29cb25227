"""The HTTP API of refusals: recording one, and looking refusals up. `operations` is the whole of it on one table.

A refusal that was answered with 201 (or 200: it was told before) is committed, and binds.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cached_property
from importlib import metadata
from typing import Protocol

from aiohttp import web

from dialer.errors import NotRegistered, ReceiptConflict, RegisterError, StoreUnavailable
from dialer.lookups import Lookups
from dialer.numbers import Number, parse
from dialer.policy.facts import CallRequest, Facts
from dialer.ports import Clock
from dialer.ports_refusals import FormArtefact, NewRefusal, RefusalRecord, RequestArtefact
from dialer.ports_tokens import Scope, TokenRecord
from dialer.refusals import Refusals
from dialer.tokens import Tokens
from dialer.verdict import Reason, Verdict
from dialer.web.faults import fault, number_fault
from dialer.web.guard import Guard, Limits
from dialer.web.models import (
    LARGEST_ID,
    IndexDocument,
    LookupQuery,
    RefusalBody,
    RefusalDocument,
    RefusalsDocument,
)
from dialer.web.openapi import describe
from dialer.web.operations import PREFIX, Answer, Call, Operation, Reply, allowed
from dialer.web.problems import CATALOGUE_PATH, CatalogueDocument, FieldFault, Place, Problem, catalogue, invalid

Check = Callable[[CallRequest], Awaitable[tuple[Facts, Verdict]]]
"""A dry run of the gate: `Gate.check`."""

_INDEX_PATH, _DESCRIPTION_PATH, _REFUSALS_PATH = "/api/v1/", "/api/v1/openapi.json", "/api/v1/refusals"
_REFUSAL_PATH = _REFUSALS_PATH + "/{id}"
_ID = re.compile("[1-9][0-9]{0,18}")
_SKEW = timedelta(minutes=5)
# The gate's own connections are few, and calls wait for them.
_CHECKS_AT_ONCE = 2


class RefusalPages(Protocol):
    """Where the refusals of a callee are read page by page."""

    async def page(self, callee: int, seller: str | None, after: int, limit: int) -> list[RefusalRecord]:
        """At most `limit` with ids above `after`, in the order of recording; `seller` None: to whomsoever. Raises
        `StoreUnavailable`."""


class Api:
    """What the operations do. `refusals` and `lookups` give the use cases as done by whoever is named, for evidence."""

    def __init__(
        self,
        refusals: Callable[[str], Refusals],
        pages: RefusalPages,
        tokens: Tokens,
        check: Check,
        clock: Clock,
        lookups: Callable[[str], Lookups],
    ) -> None:
        self._refusals, self._pages, self.tokens, self._clock = refusals, pages, tokens, clock
        self._lookups = lookups
        self._check, self._checks = check, asyncio.Semaphore(_CHECKS_AT_ONCE)
        self.version = metadata.version("heedline")

    async def index(self, _: Call) -> Reply:
        """Where to go on."""
        document = IndexDocument(
            name="heedline", version=self.version, openapi=_DESCRIPTION_PATH, problems=CATALOGUE_PATH
        )
        return Reply(200, document)

    async def problems(self, _: Call) -> Reply:
        """The types of problems."""
        return Reply(200, catalogue())

    async def description(self, _: Call) -> Reply:
        """The description of all operations."""
        return Reply(200, self._description)

    async def record(self, call: Call) -> Reply:
        """Record a refusal; it is told once however often it is sent with the same key."""
        token, body = _token(call), call.body
        _check_seller(token, body.seller)
        refusal = self._refusal(token, call, body)
        use_cases = self._refusals(f"api:{token.name}")
        try:
            recorded = await use_cases.record(refusal)
        except NotRegistered:
            raise invalid([fault("body", "seller", "seller_unknown")]) from None
        except ReceiptConflict:
            raise _conflict() from None
        except RegisterError as error:
            raise _unrecordable(error) from error
        record = await use_cases.show(recorded.id)
        if record is None:
            raise StoreUnavailable(f"refusal `{recorded.id}` is recorded, but not seen", "ask again")
        headers = {"Location": f"{_REFUSALS_PATH}/{recorded.id}", "Idempotency-Key": call.key}
        return Reply(200 if recorded.known else 201, RefusalDocument.of(record), headers)

    async def show(self, call: Call) -> Reply:
        """One refusal. One of another seller is, for a seller's token, not there."""
        token, text = _token(call), call.path["id"]
        id = int(text) if _ID.fullmatch(text) else LARGEST_ID + 1
        record = await self._refusals(f"api:{token.name}").show(id) if id <= LARGEST_ID else None
        if record is not None and token.seller is not None and record.refusal.seller != token.seller:
            record = None
        if id <= LARGEST_ID:
            callee, told = (record.refusal.callee, "") if record else (None, ", which this token may not read")
            await self._lookups(f"api:{token.name}").record("refusal show", callee, detail=f"refusal {id}{told}")
        if record is None:
            raise Problem(
                "not-found", ("there is no refusal of that id that this token may read", "没有可读取的该拒绝")
            )
        return Reply(200, RefusalDocument.of(record))

    async def lookup(self, call: Call) -> Reply:
        """A callee's refusals, and whether one of them binds a seller now."""
        token, query = _token(call), call.query
        seller = query.seller if query.seller is not None else token.seller
        _check_seller(token, seller)
        callee = _callee(query.number, query.country, "query")
        await self._lookups(f"api:{token.name}").record("refusal list", callee.digits)
        refused = await self._refused(callee, seller) if seller is not None else None
        found = await self._pages.page(callee.digits, token.seller, query.cursor, query.limit + 1)
        page = found[: query.limit]
        document = RefusalsDocument(
            number=callee.e164,
            seller=seller,
            refused=refused,
            refusals=[RefusalDocument.of(record) for record in page],
            next_cursor=str(page[-1].id) if len(found) > len(page) else None,
        )
        return Reply(200, document)

    @cached_property
    def _description(self) -> bytes:
        return json.dumps(describe(operations(self), self.version), ensure_ascii=False).encode()

    def _refusal(self, token: TokenRecord, call: Call, body: RefusalBody) -> NewRefusal:
        callee = _callee(body.number, body.country, "body")
        now = self._clock()
        at = body.at or now
        if at > now + _SKEW:
            raise invalid([fault("body", "at", "future")])
        named = body.artefact
        form = FormArtefact(named.sha256, named.media_type, named.location) if named else None
        return NewRefusal(
            callee.digits, body.seller, body.how, at, body.call_id, body.agent, body.note or None,
            artefact=RequestArtefact(token.name, call.key, call.sha256, form),
            receipt=f"api:{token.id}:{call.key}",
        )  # fmt: skip

    async def _refused(self, callee: Number, seller: str) -> bool:
        """Whether the gate sees a refusal that binds this seller now. Where no rule could be asked, every refusal to
        him or to all does."""
        async with self._checks:
            facts, verdict = await self._check(CallRequest(callee.e164, seller, path="check"))
        if facts.seller is None:
            raise invalid([fault("query", "seller", "seller_unknown")])
        reasons = {ground.reason for ground in verdict.grounds}
        if reasons & {Reason.GATE_UNAVAILABLE, Reason.PACK_UNAVAILABLE}:
            return any(each.seller in (None, seller) for each in facts.refusals)
        return Reason.REFUSED in reasons


def operations(api: Api) -> tuple[Operation, ...]:
    """Every operation of the API."""
    refusal = Answer("The refusal.", RefusalDocument)
    told = {"Location": "Where it is read.", "Idempotency-Key": "The key under which it is recorded."}
    return (
        Operation(
            "POST", _REFUSALS_PATH, "recordRefusal", "Record a refusal",
            "When the answer is 201 or 200, it is recorded and binds. When it is 503 or 500, or none comes, it is not "
            "known to be recorded: send the same body again with the same key.",
            api.record,
            {
                201: Answer("It is recorded now.", RefusalDocument, told),
                200: Answer("This body was told with this key before: what was recorded then.", RefusalDocument, told),
            },
            Scope.REFUSALS_WRITE, body=RefusalBody,
        ),
        Operation(
            "GET", _REFUSALS_PATH, "findRefusals", "Look up a callee's refusals",
            "Those of one callee, in the order of recording; a seller's token sees those to its seller. With `seller` "
            "(of a seller's token always) `refused` says whether one binds that seller now, those to all sellers "
            "included. The number stands in the query: keep proxies from logging it.",
            api.lookup, {200: Answer("A page of refusals.", RefusalsDocument)},
            Scope.REFUSALS_READ, LookupQuery,
        ),
        Operation(
            "GET", _REFUSAL_PATH, "showRefusal", "Show a refusal", "One refusal by its id.",
            api.show, {200: refusal}, Scope.REFUSALS_READ, problems=("not-found",),
            path_parameters={"id": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}},
        ),
        Operation(
            "GET", _INDEX_PATH, "index", "Where to go on", "The version, and where the description is.",
            api.index, {200: Answer("Where to go on.", IndexDocument)},
        ),
        Operation(
            "GET", _DESCRIPTION_PATH, "describe", "This description", "OpenAPI 3.1.",
            api.description, {200: Answer("The description.", None)},
        ),
        Operation(
            "GET", CATALOGUE_PATH, "listProblems", "The types of problems", "What `type` of a problem may be.",
            api.problems, {200: Answer("All types.", CatalogueDocument)},
        ),
    )  # fmt: skip


def api_app(api: Api, limits: Limits | None = None) -> web.Application:
    """The application, for `mount`."""
    guard = Guard(api.tokens, limits or Limits())
    table = operations(api)
    app = web.Application(middlewares=[guard.middleware])
    for path in dict.fromkeys(operation.path for operation in table):
        resource = app.router.add_resource(path.removeprefix(PREFIX))
        for operation in table:
            if operation.path == path:
                handler = guard.handler(operation)
                resource.add_route(operation.method, handler)
                if operation.method == "GET":
                    resource.add_route("HEAD", handler)
        resource.add_route("OPTIONS", _options(allowed(table, path)))

    async def close(_: web.Application) -> None:
        await guard.close()

    app.on_cleanup.append(close)
    return app


def mount(app: web.Application, api: web.Application) -> None:
    """Put the API into the application of the whole service, where its paths begin with `PREFIX`."""
    app.add_subapp(PREFIX, api)


def _options(methods: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """No other origin is ever allowed: a browser has no business with a token."""

    async def options(_: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers={"Allow": methods})

    return options


def _token(call: Call) -> TokenRecord:
    if call.token is None:
        raise TypeError("the operation has no scope")
    return call.token


def _check_seller(token: TokenRecord, seller: str | None) -> None:
    if token.seller is not None and seller != token.seller:
        raise Problem(
            "forbidden",
            (
                f"the token is for seller `{token.seller}` alone; name it, or use a token for every seller",
                f"该令牌仅用于商家 `{token.seller}`；请填写该商家，或使用面向所有商家的令牌",
            ),
        )


def _callee(text: str, country: str | None, place: Place) -> Number:
    number = parse(text, country)
    if not isinstance(number, Number):
        raise invalid([number_fault(place, number)])
    if not number.is_e164 or number.digits < 1000:
        raise invalid([fault(place, "number", "not_e164")])
    return number


def _conflict() -> Problem:
    return Problem(
        "conflict",
        (
            "this `Idempotency-Key` was sent with another body before; use a key of its own for each refusal",
            "该 `Idempotency-Key` 已用于另一请求正文；每条拒绝请使用各自的键",
        ),
    )


def _unrecordable(error: RegisterError) -> Problem:
    sentences = (str(error), str(error))
    return Problem("invalid", sentences, [FieldFault("body", "", "refused", (error.problem,) * 2, (error.cure,) * 2)])
