"""The log over HTTP, for whoever wants to check it: no token, and no personal data, for leaves hold none.

`GET /log/checkpoint`, `/log/tile/...` and `/log/tile/entries/...` are C2SP tlog-tiles. The newest checkpoint that a
witness has cosigned is at `GET /log/checkpoint/cosigned`, the log's keys, one a line and the oldest first, at
`GET /log/keys`.

`POST /log/witness/add-checkpoint` (C2SP tlog-witness) is for other logs, where this node is a witness of some. The
newest checkpoint of each that it has cosigned is at `GET /log/witness/<SHA-256 of the log's name>/checkpoint`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from aiohttp import web

from dialer.errors import FileError, LogFault, StoreUnavailable
from dialer.evidence.tile_paths import ENTRIES, TilePath, read_tile_path
from dialer.evidence.tiles import WIDTH
from dialer.ports_log import LogStore
from dialer.ports_witness import LeafStore, WitnessStore
from dialer.proofs import Proofs, Published
from dialer.verifier.tree import HASH_SIZE
from dialer.web.bounds import Buckets, Rate, address_key, retry_after
from dialer.web.deadlines import Deadlines
from dialer.web.problems import Problem, Text, answer, plain_answer
from dialer.web.reading import language_of
from dialer.witness import REQUEST_LIMIT, Answer, Witness

log = logging.getLogger(__name__)

PREFIX = "/log"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Server": "heedline",
}
_FRESH, _FOREVER, _NEVER = "public, max-age=2", "public, max-age=31536000, immutable", "no-store"
_TEXT = "text/plain; charset=utf-8"
_READS, _SUBMISSIONS = Rate(100, 1000), Rate(5, 50)
_BLOCK = 8 * 1024
_RETRY_S = "2"
_COMPRESSED_FROM = 1024

_NOTHING: Text = ("the log has nothing there, or not yet", "日志中没有此内容，或尚未产生")
_BROKEN: Text = ("the log cannot be read now; ask again", "暂时无法读取日志；请重试")
_FAULT: Text = ("a fault of Heedline, which is in its log; ask again", "Heedline 内部错误，详见日志；请重试")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is granted. `reads` and `submissions` are of one address; `time_s` bounds a request, `unfinished` how
    many are worked on at once."""

    reads: Rate = _READS
    submissions: Rate = _SUBMISSIONS
    time_s: float = 5.0
    unfinished: int = 50


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published: the log, and the witness that this node is of other logs, if of any."""

    proofs: Proofs
    tiles: LogStore
    leaves: LeafStore
    cosignatures: WitnessStore
    witness: Witness | None = None


def mount_log(app: web.Application, published: web.Application) -> None:
    """Put the log into the application of the whole service, where its paths begin with `PREFIX`."""
    app.add_subapp(PREFIX, published)


def log_app(publication: Publication, bounds: Bounds | None = None) -> web.Application:
    """The application of the log."""
    door = _Door(bounds or Bounds())
    pages = _Pages(publication)
    app = web.Application(middlewares=[door.middleware])
    app.add_routes(
        [
            web.get("/checkpoint", door.reading(pages.checkpoint)),
            web.get("/checkpoint/cosigned", door.reading(pages.cosigned)),
            web.get("/keys", door.reading(pages.keys)),
            web.get("/tile/{path:.+}", door.reading(pages.tile)),
        ]
    )
    if publication.witness is not None:
        app.add_routes(
            [
                web.post("/witness/add-checkpoint", door.submitting(publication.witness.add_checkpoint)),
                web.get("/witness/{digest:[0-9a-f]{64}}/checkpoint", door.reading(pages.witnessed)),
            ]
        )

    async def close(_: web.Application) -> None:
        await door.close()

    app.on_cleanup.append(close)
    return app


class _Pages:
    """What is read."""

    def __init__(self, publication: Publication) -> None:
        self._of = publication

    async def checkpoint(self, _: web.Request) -> web.Response:
        return _note(await self._of.proofs.latest())

    async def cosigned(self, _: web.Request) -> web.Response:
        size = await self._of.cosignatures.newest_cosigned()
        return _note(await self._of.proofs.at_least(size) if size is not None else None)

    async def keys(self, _: web.Request) -> web.Response:
        keys = await self._of.proofs.keys()
        return _response("".join(f"{key}\n" for key in keys).encode(), _TEXT, _FRESH)

    async def tile(self, request: web.Request) -> web.Response:
        path = read_tile_path(request.match_info["path"])
        data = await (self._bundle(path) if path.level == ENTRIES else self._hashes(path)) if path else None
        if data is None:
            raise Problem("not-found", _NOTHING)
        response = _response(data, "application/octet-stream", _FOREVER)
        if path is not None and path.level == ENTRIES:  # hashes cannot be compressed
            response.headers["Vary"] = "Accept-Encoding"
            response.enable_compression()
        return response

    async def witnessed(self, request: web.Request) -> web.Response:
        witness = self._of.witness
        note = await witness.checkpoint(request.match_info["digest"]) if witness else None
        if note is None:
            raise Problem("not-found", _NOTHING)
        return _response(note.encode(), _TEXT, _FRESH)

    async def _hashes(self, path: TilePath) -> bytes | None:
        key, wanted = (path.level, path.index), path.width * HASH_SIZE
        data = (await self._of.tiles.tiles([key])).get(key, b"")
        return data[:wanted] if len(data) >= wanted else None

    async def _bundle(self, path: TilePath) -> bytes | None:
        start = path.index * WIDTH
        if start + WIDTH > 2**63:
            return None
        leaves = await self._of.leaves.leaves(start, start + path.width)
        if len(leaves) != path.width:
            return None
        return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


class _Door:
    """Bounds on clients and on time; whatever happens to a request, its answer is one."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds, self._deadlines = bounds, Deadlines(bounds.unfinished)
        self._reads, self._submissions = Buckets(bounds.reads), Buckets(bounds.submissions)

    async def close(self) -> None:
        await self._deadlines.close()

    @property
    def middleware(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        @web.middleware
        async def outermost(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            try:
                response = await handler(request)
            except Problem as problem:
                response = answer(problem, language_of(request))
            except web.HTTPException as error:
                response = _of_router(error, request)
            except ConnectionError:
                raise  # the client is gone
            except Exception:
                log.exception("a request for the log failed")
                response = answer(Problem("internal", _FAULT), language_of(request))
            response.headers.setdefault("Cache-Control", _NEVER)
            response.headers.update(_HEADERS)
            return response

        return outermost

    def reading(
        self, page: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A page that is read."""

        async def answered(request: web.Request) -> web.Response:
            return await page(request)

        async def handle(request: web.Request) -> web.Response:
            if (wait := self._reads.take(address_key(request.remote))) > 0:
                seconds = retry_after(wait)
                detail = (f"ask again in {seconds} s", f"请在 {seconds} 秒后重试")
                raise Problem("too-many", detail, headers={"Retry-After": seconds})
            try:
                return await self._deadlines.worked(answered(request), monotonic() + self._bounds.time_s)
            except (StoreUnavailable, LogFault, FileError) as error:
                log.warning("the log was not read: %s", error)
                raise Problem("unavailable", _BROKEN, headers={"Retry-After": _RETRY_S}) from error

        return handle

    def submitting(self, add: Callable[[bytes], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Where other logs submit their checkpoints; what it answers is plain text."""

        async def answered(body: bytes) -> Answer:
            return await add(body)

        async def handle(request: web.Request) -> web.Response:
            if (wait := self._submissions.take(address_key(request.remote))) > 0:
                return _plain(
                    Answer(429, "too many checkpoints; ask again later\n"), **{"Retry-After": retry_after(wait)}
                )
            ends = monotonic() + self._bounds.time_s
            body = await _body(request, ends)
            if isinstance(body, Answer):
                response = _plain(body)
                response.force_close()
                return response
            try:
                return _plain(await self._deadlines.worked(answered(body), ends))
            except StoreUnavailable:
                return _plain(Answer(503, "this witness is busy; ask again\n"), **{"Retry-After": _RETRY_S})

        return handle


async def _body(request: web.Request, ends: float) -> bytes | Answer:
    """The body, or what is answered when there is none that is read."""
    body = bytearray()
    try:
        async with asyncio.timeout(max(0.0, ends - monotonic())):
            while (request.content_length or 0) <= REQUEST_LIMIT and len(body) <= REQUEST_LIMIT:
                if not (block := await request.content.read(_BLOCK)):
                    return bytes(body)
                body += block
    except TimeoutError:
        return Answer(408, "the request did not come in time\n")
    except web.RequestPayloadError:
        return Answer(400, "the request is cut off\n")
    return Answer(413, f"a request has at most {REQUEST_LIMIT} bytes\n")


def _note(published: Published | None) -> web.Response:
    if published is None:
        raise Problem("not-found", _NOTHING)
    return _response(str(published.note).encode(), _TEXT, _FRESH)


def _response(body: bytes, kind: str, cache: str) -> web.Response:
    headers = {"Content-Type": kind, "Cache-Control": cache}
    return web.Response(body=body, headers=headers, zlib_executor_size=_COMPRESSED_FROM)


def _plain(said: Answer, **headers: str) -> web.Response:
    kind = _TEXT if said.kind == "text/plain" else said.kind
    return web.Response(status=said.status, body=said.text.encode(), headers={"Content-Type": kind, **headers})


def _of_router(error: web.HTTPException, request: web.Request) -> web.Response:
    """A problem in place of the router's own answer."""
    language = language_of(request)
    if error.status == 404:
        return answer(Problem("not-found", _NOTHING), language)
    if isinstance(error, web.HTTPMethodNotAllowed):
        methods = ", ".join(sorted(error.allowed_methods))
        return answer(
            Problem("method-not-allowed", (f"use one of {methods}", f"请用 {methods}"), headers={"Allow": methods}),
            language,
        )
    return plain_answer(error.status, language)
