"""Use cases of webhooks: which other systems are told of refusals, and what became of the telling."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.errors import AlreadyRegistered, NotRegistered, RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_webhooks import (
    DeliveryRecord,
    Outcome,
    Sender,
    WebhookRecord,
    WebhookStore,
    WebhookTransaction,
)
from dialer.registers import checked_code, unknown_seller
from dialer.webhook_messages import KEY_BYTES, key_of, secret_of, test_message
from dialer.webhook_urls import Network, checked_url

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Added:
    """A webhook that was registered. `url` is in the form in which it is used; `secret` cannot be had again."""

    id: int
    name: str
    url: str
    seller: str | None
    secret: str


class Webhooks:
    """The register of webhooks. `networks` are those that may be reached though they are not public; `by` is who
    changes the register, for evidence; `agent` is the User-Agent of messages."""

    def __init__(
        self,
        store: WebhookStore,
        clock: Clock,
        by: str,
        networks: Sequence[Network],
        agent: str,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._store, self._clock, self._by = store, clock, by
        self._networks, self._agent, self._random = networks, agent, random

    async def add(self, name: str, url: str, seller: str | None = None, secret: str | None = None) -> Added:
        """Register a webhook: it is told of every refusal that is recorded from now on, to `seller` or (None) to any.

        A secret is made unless one is given. Raises `AlreadyRegistered`, `NotRegistered`, `RegisterError`."""
        _check_name(name)
        used = checked_url(url, self._networks)
        if secret is None:
            secret = secret_of(self._random(KEY_BYTES))
        key_of(secret)
        if seller is not None:
            checked_code(seller, "seller")
        async with self._store.transaction() as transaction:
            if seller is not None and not await transaction.seller_known(seller):
                raise unknown_seller(seller)
            id = await transaction.add(name, used, secret, seller, self._by)
            if id is None:
                raise AlreadyRegistered(
                    f"webhook `{name}` is registered already", f"remove it first: `heedline webhook remove {name}`"
                )
            await self._witness(transaction, "webhook.added", id, webhook=name, url=used, seller=seller)
        return Added(id, name, used, seller, secret)

    async def all(self) -> list[WebhookRecord]:
        """All webhooks by name."""
        return await self._store.webhooks()

    async def remove(self, name: str) -> None:
        """It is told nothing any more; what was still to be delivered to it is given up. Raises `NotRegistered`."""
        _check_known_form(name)
        async with self._store.transaction() as transaction:
            id = await transaction.remove(name, self._clock())
            if id is None:
                raise _unknown(name)
            await self._witness(transaction, "webhook.removed", id, webhook=name)

    async def test(self, name: str, sender: Sender) -> Outcome:
        """Send it a message of the type `webhook.test`, once. Raises `NotRegistered`."""
        record, secret = await self._known(name)
        return await sender.send(test_message(record.url, secret, name, self._random(16), self._clock(), self._agent))

    async def deliveries(
        self, name: str | None = None, *, dead: bool = False, limit: int = 100
    ) -> list[DeliveryRecord]:
        """The newest deliveries to one webhook or to all, or the newest that were given up. Raises `NotRegistered`."""
        if name is not None:
            await self._known(name)
        return await self._store.deliveries(name, dead=dead, limit=limit)

    async def retry(self, name: str | None = None, delivery: int | None = None) -> int:
        """Try deliveries again that were given up: one, those to one webhook, or all; how many. Each has its whole time
        again. Raises `NotRegistered` when the one that is named is not dead, or there is no such webhook."""
        if name is not None:
            await self._known(name)
        count = await self._store.retry(name, delivery)
        if delivery is not None and not count:
            raise NotRegistered(f"there is no dead delivery `{delivery}`", "see `heedline webhook dead`")
        return count

    async def _known(self, name: str) -> tuple[WebhookRecord, str]:
        _check_known_form(name)
        found = await self._store.secret(name)
        if found is None:
            raise _unknown(name)
        return found

    async def _witness(self, transaction: WebhookTransaction, kind: str, id: int, **what: Any) -> None:
        now = self._clock()
        await transaction.witness(now, kind, id, canonical({"kind": kind, "at": instant(now), "by": self._by, **what}))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RegisterError(
            f"`{printable(name, 64)}` is no name for a webhook", "use letters, digits, `.`, `-` and `_`, at most 64"
        )


def _check_known_form(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise _unknown(name)


def _unknown(name: str) -> NotRegistered:
    return NotRegistered(
        f"webhook `{printable(name, 64)}` is not registered", "see `heedline webhook list`, or `heedline webhook add`"
    )
