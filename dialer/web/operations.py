"""The HTTP API's operations as data: one table both routes requests and describes itself, so the two cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from dialer.ports_tokens import Scope, TokenRecord
from dialer.verdict import Language
from dialer.web.models import KeyHeader, NoQuery

PREFIX = "/api"
"""The path under which the application is mounted; every operation's begins with it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was read: whatever its operation asks for is there. `key` is the idempotency key, made when none
    was sent, `sha256` (hexadecimal) the body's. `token` is None where none is needed."""

    path: Mapping[str, str]
    language: Language
    token: TokenRecord | None
    query: Any
    body: Any
    sha256: str
    key: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer."""

    status: int
    document: BaseModel | bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Coroutine[Any, Any, Reply]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer of one status holds, for the description. `model` None: any JSON object."""

    text: str
    model: type[BaseModel] | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `problems` are the codes of those that are its own; those that every operation shares are
    `problems_of`. `recording`: it reads a body, and told again with the same key it is done once."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    handle: Handler
    answers: Mapping[int, Answer]
    scope: Scope | None = None
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    headers: type[BaseModel] = KeyHeader
    problems: tuple[str, ...] = ()
    path_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def recording(self) -> bool:
        """Whether it changes what is on record."""
        return self.body is not None

    @property
    def all_problems(self) -> tuple[str, ...]:
        """The codes of every problem that may be its answer."""
        found = [*self.problems, "invalid", "too-many", "internal", "unavailable"]
        if self.scope is not None:
            found += ["unauthorized", "forbidden"]
        if self.recording:
            found += ["malformed", "slow", "conflict", "too-large", "media-type"]
        return tuple(dict.fromkeys(found))


def allowed(operations: tuple[Operation, ...], path: str) -> str:
    """`Allow` of a path."""
    methods = {operation.method for operation in operations if operation.path == path}
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))


def response_of(reply: Reply, language: Language) -> web.Response:
    """The response of a good answer."""
    document = reply.document
    body = document if isinstance(document, bytes) else document.model_dump_json(by_alias=True).encode()
    return web.Response(
        status=reply.status,
        body=body,
        content_type="application/json",
        headers={"Content-Language": language, **reply.headers},
    )
