"""The way out to webhooks: one POST to one address that may be reached (`dialer.web.reaching`), and whatever comes of
it as an outcome. Of an answer no more than 4 KiB is read, for its text alone.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Self

import aiohttp

from dialer.errors import RegisterError
from dialer.hostile import printable
from dialer.ports_webhooks import Fate, Message, Outcome
from dialer.web.reaching import (
    SHOWN_LIMIT,
    Guard,
    LookUp,
    Lookups,
    guarded_session,
    look_up,
    redirect,
    what_went_wrong,
)
from dialer.webhook_urls import Network, checked_url

_ANSWER_LIMIT = 4096
_GONE = 410


class WebhookClient:
    """Implements `dialer.ports_webhooks.Sender`, from entering the context until leaving it.

    `timeout_s` bounds a message from resolving the name to the answer's end. `tls` is for certificates that the system
    does not know.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        timeout_s: float,
        *,
        look_up: LookUp = look_up,
        tls: ssl.SSLContext | None = None,
        threads: int = 8,
    ) -> None:
        self._networks, self._timeout_s, self._tls = networks, timeout_s, tls
        self._lookups = Lookups(look_up, threads)
        self._sessions: Mapping[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._sessions = {scheme: self._session(plain=scheme == "http") for scheme in ("http", "https")}
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()
        self._lookups.close()

    async def send(self, message: Message) -> Outcome:
        """Send once; never raises but when it is cancelled."""
        try:
            url = checked_url(message.url, self._networks)  # as it was registered, by the settings of today
        except RegisterError as error:
            return Outcome(Fate.FAILED, None, error.problem)
        session = self._sessions[url.partition(":")[0]]
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(session, url, message)
        except TimeoutError:
            return Outcome(Fate.FAILED, None, f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(Fate.FAILED, None, what_went_wrong(error))

    async def _exchange(self, session: aiohttp.ClientSession, url: str, message: Message) -> Outcome:
        response = await session.post(url, data=message.body, headers=message.headers, allow_redirects=False)
        try:
            if 200 <= response.status < 300:
                return Outcome(Fate.DELIVERED, response.status)
            said = f"it answered {response.status}{await self._said(response)}"
            return Outcome(Fate.GONE if response.status == _GONE else Fate.FAILED, response.status, said)
        finally:
            response.close()  # without reading what else it says

    async def _said(self, response: aiohttp.ClientResponse) -> str:
        """The beginning of an answer that is no success, for people."""
        if 300 <= response.status < 400:
            return redirect(response)
        text = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s / 4):
                while len(text) < _ANSWER_LIMIT and (part := await response.content.read(_ANSWER_LIMIT - len(text))):
                    text += part
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            pass  # the status says enough
        shown = printable(" ".join(text.decode("utf-8", "replace").split()), SHOWN_LIMIT)
        return f": {shown}" if shown else ""

    def _session(self, *, plain: bool) -> aiohttp.ClientSession:
        return guarded_session(Guard(self._lookups, self._networks, plain=plain), self._tls, _ANSWER_LIMIT)
