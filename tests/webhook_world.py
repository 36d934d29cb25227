"""What tests of webhooks share: deliverers, refusals to deliver, and a look at what became of them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg

from db.webhook_store import PostgresDeliveryStore
from dialer.app import Database, Registers, clock
from dialer.deliverer import Deliverer
from dialer.ports_refusals import KeyArtefact, NewRefusal, Prompt
from dialer.ports_webhooks import Fate, Message, Outcome
from dialer.webhook_urls import allowed_networks
from tests.receivers import Received, Receiver

LOOPBACK = allowed_networks(["127.0.0.0/8"])
CALLEE = 442079460123


def deliverer(database: Database, sender: Any, **changes: Any) -> Deliverer:
    """A deliverer whose failures are tried again at once, unless told otherwise."""
    plain = {"sending_s": 20, "give_up_h": 72, "chance": lambda: 0.0}
    return Deliverer(PostgresDeliveryStore(database.pool), sender, clock, "Heedline/test", **{**plain, **changes})


async def refuse(registers: Registers, count: int = 1, seller: str | None = None) -> list[int]:
    """Refusals of so many callees; their ids."""
    return [
        await registers.refusals.add(
            NewRefusal(CALLEE + n, seller, "keyed", clock(), artefact=KeyArtefact("9", Prompt.CALL))
        )
        for n in range(count)
    ]


async def states(owner: asyncpg.Connection) -> Counter[str]:
    """How many deliveries are in each state."""
    statement = (
        "select case when delivered_at is not null then 'delivered' when dead_at is not null then 'dead'"
        " else 'waiting' end from webhook_deliveries"
    )
    return Counter([row[0] for row in await owner.fetch(statement)])


async def later(owner: asyncpg.Connection, **by: float) -> None:
    """As if so much time had passed since everything that is noted of deliveries."""
    await owner.execute(
        "update webhook_deliveries set created_at = created_at - $1::interval, next_at = next_at - $1::interval,"
        " trying_since = trying_since - $1::interval, delivered_at = delivered_at - $1::interval,"
        " dead_at = dead_at - $1::interval",
        timedelta(**by),
    )


def verified(request: Received, secret: str) -> dict[str, Any]:
    """What a receiver reads when the signature is right, computed as a receiver does."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    document: dict[str, Any] = json.loads(request.body)
    return document


def told(server: Receiver) -> Counter[int]:
    """How often each refusal came."""
    return Counter(json.loads(request.body)["data"]["id"] for request in server.received)


class Counting:
    """A sender that knows how many messages are on their way together, in all and to each URL."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def send(self, message: Message) -> Outcome:
        for key in ("", message.url):
            self.now[key] += 1
            self.most[key] = max(self.most[key], self.now[key])
        await asyncio.sleep(0)
        self.now.subtract(["", message.url])
        return Outcome(Fate.DELIVERED, 200)
