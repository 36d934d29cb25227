"""Webhooks as data, and what telling others of refusals asks of its store and of its way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A webhook as registered, without its secret; `seller` None: told of refusals to any seller."""

    id: int
    name: str
    url: str
    seller: str | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One refusal on its way to one webhook. `tries` have begun, the next is due at `next_at`; `dead_at`: given up."""

    id: int
    webhook: str
    refusal_id: int
    created_at: datetime
    tries: int
    next_at: datetime
    delivered_at: datetime | None
    dead_at: datetime | None
    last_status: int | None
    last_error: str | None

    @property
    def state(self) -> str:
        """`delivered`, `dead` or `waiting`."""
        return "delivered" if self.delivered_at else "dead" if self.dead_at else "waiting"


@dataclass(frozen=True, slots=True)
class ToldRefusal:
    """What others are told of a refusal. `callee` is E.164 digits, `artefact` its document, which names clips by their
    SHA-256 and holds no audio."""

    id: int
    callee: int
    seller: str | None
    how: str
    at: datetime
    recorded_at: datetime
    call_id: str | None
    agent: str | None
    attempt: int | None
    artefact: Mapping[str, Any] | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this node makes now; `tries` counts this one in, and tells it from another node's later one."""

    id: int
    tries: int
    webhook_id: int
    webhook: str
    url: str
    secret: str
    refusal: ToldRefusal


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request to make."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Fate(StrEnum):
    """What became of a message."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # 410: the receiver wants no more of them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: the HTTP status where there was one, and what went wrong, in words."""

    fate: Fate
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries in the store that are not delivered, of webhooks that are not removed."""

    waiting: int
    dead: int


class Sender(Protocol):
    """The way out."""

    async def send(self, message: Message) -> Outcome:
        """Send once, within a bounded time. Whatever goes wrong is an outcome, not an exception."""


class WebhookTransaction(Protocol):
    """One transaction of the register of webhooks; commits on a clean exit, otherwise leaves nothing."""

    async def witness(self, at: datetime, kind: str, subject: int | None, payload: str) -> None:
        """Write one evidence entry."""

    async def seller_known(self, code: str) -> bool: ...

    async def add(self, name: str, url: str, secret: str, seller: str | None, by: str) -> int | None:
        """Its id; None when the name is taken."""

    async def remove(self, name: str, at: datetime) -> int | None:
        """Its id; what was still to be delivered to it is dead. None when there is none of that name."""


class WebhookStore(Protocol):
    """Where webhooks are registered. Every method raises `StoreUnavailable`."""

    def transaction(self) -> AbstractAsyncContextManager[WebhookTransaction]: ...

    async def webhooks(self) -> list[WebhookRecord]:
        """All that are not removed, by name."""

    async def secret(self, name: str) -> tuple[WebhookRecord, str] | None:
        """One of them, with the secret that signs what it is sent."""

    async def deliveries(self, name: str | None, *, dead: bool, limit: int) -> list[DeliveryRecord]:
        """The newest deliveries to one webhook or (None) to all; with `dead` only those that were given up."""

    async def retry(self, name: str | None, delivery: int | None) -> int:
        """Dead deliveries (of one webhook, or one of them, or all) are due now and have their whole time again; how
        many. Those of a removed webhook stay dead."""

    async def prune(self, age: timedelta, stretch: int) -> int:
        """Delete what was delivered longer ago, and what is as old and belongs to a removed webhook; each transaction
        looks at `stretch` deliveries. How many went."""


class DeliveryStore(Protocol):
    """Deliveries as the nodes share them, scheduled by the store's clock. Every method raises `StoreUnavailable`."""

    async def claim(self, busy: Mapping[int, int], each: int, room: int, lease: timedelta) -> Sequence[Claimed]:
        """Up to `room` deliveries that are due, `each` a webhook at most less those that are `busy` (by webhook). No
        other node gets them before the `lease` ends."""

    async def next_due(self, full: Sequence[int]) -> timedelta | None:
        """How long until the next delivery is due, but for these webhooks; None: nothing waits."""

    async def delivered(self, claimed: Claimed, status: int | None) -> bool:
        """It arrived; False when another node had it delivered before."""

    async def failed(self, claimed: Claimed, outcome: Outcome, again: timedelta, give_up: timedelta) -> bool:
        """Try again after that time, at the end of its time `give_up` for the last time; whether it is dead now."""

    async def gone(self, claimed: Claimed, outcome: Outcome) -> int:
        """Everything that waits for this webhook is dead; how many."""

    async def release(self, claimed: Sequence[Claimed]) -> None:
        """They were not tried to the end: due at once, for any node."""

    async def backlog(self) -> Backlog:
        """What is not delivered."""
