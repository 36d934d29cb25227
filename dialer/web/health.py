"""Health of a running service over HTTP, for people (`heedline status`), load balancers and containers.

`GET /health`: the process is alive. `GET /ready`: 200 when the gate can decide now, else 503. `GET /status`: figures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Status = Callable[[], Awaitable[dict[str, Any]]]


def health_app(status: Status) -> web.Application:
    """The application; `status()` returns JSON-able figures with a boolean `ready`."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(_: web.Request) -> web.Response:
        figures = await status()
        return web.json_response({"ready": figures["ready"]}, status=200 if figures["ready"] else 503)

    async def full(_: web.Request) -> web.Response:
        return web.json_response(await status())

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/ready", ready), web.get("/status", full)])
    return app
