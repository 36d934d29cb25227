"""The way out to witnesses of the log and to time-stamping authorities: one POST to an address that may be reached
(`dialer.web.reaching`), and the whole of its short answer.

Without TLS too, for what is asked is public and what is answered is signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

import aiohttp

from dialer.errors import RegisterError
from dialer.ports_witness import Reply, Unanswered
from dialer.web.reaching import Guard, LookUp, Lookups, guarded_session, look_up, redirect, what_went_wrong
from dialer.webhook_urls import Network, Purpose, checked_url

_BLOCK = 8 * 1024


class AskingClient:
    """Implements `dialer.ports_witness.Asker`, from entering the context until leaving it.

    `timeout_s` bounds a request from resolving the name to the answer's end, `limit` the bytes of an answer.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        purpose: Purpose,
        agent: str,
        *,
        timeout_s: float = 10.0,
        limit: int = 64 * 1024,
        look_up: LookUp = look_up,
    ) -> None:
        self._networks, self._purpose, self._agent = networks, purpose, agent
        self._timeout_s, self._limit = timeout_s, limit
        self._lookups = Lookups(look_up, threads=4)

    async def __aenter__(self) -> Self:
        self._session = guarded_session(Guard(self._lookups, self._networks, plain=False), None, _BLOCK)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._lookups.close()

    async def post(self, url: str, kind: str, body: bytes) -> Reply:
        """Post once, a body of the media type `kind`. Raises `Unanswered`."""
        try:
            checked = checked_url(url, self._networks, self._purpose)
        except RegisterError as error:
            raise Unanswered(error.problem, error.cure) from error
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(checked, kind, body)
        except TimeoutError:
            raise Unanswered(f"no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(what_went_wrong(error)) from error

    async def _exchange(self, url: str, kind: str, body: bytes) -> Reply:
        headers = {"Content-Type": kind, "User-Agent": self._agent, "Accept-Encoding": "identity"}
        response = await self._session.post(url, data=body, headers=headers, allow_redirects=False)
        try:
            if 300 <= response.status < 400:
                raise Unanswered(f"it answered {response.status}{redirect(response)}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise Unanswered("its answer is compressed, which was not asked for")
            return Reply(response.status, response.content_type.lower(), await self._whole(response))
        finally:
            response.close()  # without reading what else it says

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        while block := await response.content.read(_BLOCK):
            body += block
            if len(body) > self._limit:
                raise Unanswered(f"its answer has more than {self._limit} bytes")
        return bytes(body)
