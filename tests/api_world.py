"""The HTTP API as it is served, on a real database, with a client of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from aiohttp import ClientResponse, web
from aiohttp.test_utils import BaseTestServer, TestClient, TestServer

from db.refusal_store import PostgresRefusalStore
from dialer.app import Database, clock, open_registers, open_tokens
from dialer.complaint_node import open_lookups
from dialer.gate import Gate
from dialer.ports import Clock
from dialer.ports_tokens import Scope
from dialer.web.api import Api, api_app, mount
from dialer.web.bounds import Rate
from dialer.web.guard import Limits
from tests.gate_world import SELLER, packs

READ, WRITE = Scope.REFUSALS_READ, Scope.REFUSALS_WRITE
GENEROUS = Limits(address=Rate(1e6, 10**6), token=Rate(1e6, 10**6), failures=Rate(1e6, 10**6))
"""Bounds that no test meets by accident."""
PATH = "/api/v1/refusals"

CALLEE = "+8613800138000"
FORM_BODY = {"sha256": "AB" * 32, "media_type": "application/pdf", "location": "forms/7.pdf"}


def body(**changes: Any) -> dict[str, Any]:
    """A plain refusal of the callee to the seller."""
    return {"number": CALLEE, "seller": SELLER, **changes}


@dataclass
class ApiClient:
    """A client with a token; every path is of the API."""

    http: TestClient[Any, Any]
    token: str

    async def post(self, body: Any, key: str | None = None, **options: Any) -> ClientResponse:
        """Tell a refusal."""
        headers = self.headers(options.pop("headers", None))
        if key is not None:
            headers["Idempotency-Key"] = key
        wanted = {"data": body} if isinstance(body, (bytes, str)) else {"json": body}
        if "data" in wanted:
            headers.setdefault("Content-Type", "application/json")
        return await self.http.post(PATH, headers=headers, **wanted, **options)

    async def get(self, path: str = PATH, headers: dict[str, str] | None = None, **query: Any) -> ClientResponse:
        """Read."""
        return await self.http.get(path, params=query, headers=self.headers(headers))

    def headers(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """Those of a request, with the token."""
        return {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **(more or {})}

    def holding(self, token: str) -> ApiClient:
        """The same with another token."""
        return replace(self, token=token)


def make_api(database: Database, gate: Gate, now: Clock = clock) -> Api:
    """The API as a node wires it."""
    return Api(
        lambda by: open_registers(database, by, packs()).refusals,
        PostgresRefusalStore(database.pool),
        open_tokens(database, "api"),
        gate.check,
        now,
        lambda by: open_lookups(database, by),
    )


@asynccontextmanager
async def serving(api: Api, limits: Limits = GENEROUS) -> AsyncIterator[BaseTestServer]:
    """The API mounted into a service and served on a port."""
    app = web.Application()
    mount(app, api_app(api, limits))
    async with TestServer(app) as server:
        yield server


@asynccontextmanager
async def client_of(api: Api, limits: Limits = GENEROUS) -> AsyncIterator[ApiClient]:
    """A client without a token."""
    async with serving(api, limits) as server:
        http: TestClient[Any, Any] = TestClient(server)
        async with http:
            yield ApiClient(http, "")


async def make_token(database: Database, name: str, *scopes: Scope, seller: str | None = None) -> str:
    """A token of those scopes (both, when none is named)."""
    _, token = await open_tokens(database, "test").add(name, scopes or tuple(Scope), seller)
    return token


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    """The problem that a response is; it must be one, of that status and type."""
    document: dict[str, Any] = await response.json(content_type="application/problem+json")
    assert (response.status, document["type"]) == (status, f"/api/v1/problems#{code}"), document
    assert document["status"] == status
    assert set(document) == {"type", "title", "status", "detail", "errors"}
    return document


async def count(owner: asyncpg.Connection) -> int:
    """Refusals on record."""
    found: int = await owner.fetchval("select count(*) from refusals")
    return found
