"""Nodes that deliver refusals to webhooks together, and end in the middle of it, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg

from db.listen import Listener
from db.webhook_store import PostgresDeliveryStore
from dialer.app import Database, Registers, clock
from dialer.config import Settings
from dialer.config import Webhooks as WebhookSettings
from dialer.deliverer import Deliverer
from dialer.errors import StoreUnavailable
from dialer.ports_webhooks import Claimed, Fate, Message, Outcome
from dialer.web.outgoing import WebhookClient
from dialer.webhook_node import open_deliverer
from dialer.webhooks import Webhooks
from tests.receivers import answering, holding, in_turn, receiver
from tests.webhook_world import Counting, deliverer, later, refuse, states, told


async def test_few_are_on_their_way_together(
    webhooks: Webhooks, registers: Registers, database: Database, owner: asyncpg.Connection
) -> None:
    """At most three in all and two to one webhook, however many are due; and none is left behind."""
    for name in ("one", "two", "three"):
        await webhooks.add(name, f"https://{name}.example/")
    await refuse(registers, 30)
    sender = Counting()
    await deliverer(database, sender, at_once=3).deliver_due()
    assert await states(owner) == {"delivered": 90}
    assert sender.most.pop("") <= 3
    assert set(sender.most.values()) <= {1, 2}


async def test_a_webhook_that_does_not_answer_does_not_hold_up_another(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient
) -> None:
    """While two deliveries to one hang, all others arrive; the hanging ones end with the deliverer, and wait again."""
    never = asyncio.Event()
    async with receiver(holding(never, answering(200))) as slow, receiver() as server:
        await webhooks.add("slow", slow.url())
        await webhooks.add("crm", server.url())
        ids = await refuse(registers, 30)
        async with deliverer(database, client):
            while len(server.received) < 30:
                server.arrival.clear()
                await server.arrival.wait()
            assert len(slow.received) == 2
            never.set()
    assert told(server) == Counter(ids)


async def test_two_deliverers_deliver_each_refusal_once(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """Nodes at work together share what is due; no refusal comes twice, none is missing."""
    async with receiver() as server:
        await webhooks.add("crm", server.url())
        ids = await refuse(registers, 200)
        nodes = [deliverer(database, client) for _ in range(2)]
        await asyncio.gather(*[node.deliver_due() for node in nodes])
    assert told(server) == Counter(ids)
    assert sum(node.stats.delivered for node in nodes) == 200
    assert await states(owner) == {"delivered": 200}


NODE = """
import asyncio, sys
from dialer.app import open_database
from dialer.config import load
from dialer.webhook_node import open_deliverer

async def main():
    settings = load()
    async with open_database(settings) as database, open_deliverer(settings, database):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_node_killed_in_mid_delivery_loses_none(
    webhooks: Webhooks,
    registers: Registers,
    database: Database,
    client: WebhookClient,
    owner: asyncpg.Connection,
    settings: Settings,
) -> None:
    """Killed between sending and recording, it leaves its deliveries to others once its lease has ended, no sooner."""
    settings.make_home()
    settings.file.write_text('[webhooks]\nallow_networks = ["127.0.0.0/8"]\n', "utf-8")
    environment = {**os.environ, "HEEDLINE_HOME": str(settings.home), "HEEDLINE_DATABASE_URL": settings.database.url}
    async with receiver(holding(asyncio.Event(), answering(200))) as server:
        await webhooks.add("crm", server.url())
        ids = await refuse(registers, 5)
        node = await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, env=environment)
        try:
            await server.arrival.wait()
        finally:
            node.send_signal(signal.SIGKILL)
            await node.wait()
        server.behave = answering(200)
        server.received.clear()
        assert await owner.fetchval("select count(*) from webhook_deliveries where tries > 0") in (1, 2)
        await deliverer(database, client).deliver_due()
        assert 3 <= len(server.received) <= 4
        await later(owner, minutes=2)
        await deliverer(database, client).deliver_due()
    assert told(server) == Counter(ids)
    assert await states(owner) == {"delivered": 5}


async def test_a_node_that_was_slower_than_its_lease_does_not_undo(
    webhooks: Webhooks, registers: Registers, database: Database, owner: asyncpg.Connection
) -> None:
    """Its failure changes nothing when another node has the delivery, its success counts, and counts once."""
    await webhooks.add("crm", "https://crm.example/")
    await refuse(registers)
    store = PostgresDeliveryStore(database.pool)
    hour = timedelta(hours=1)

    async def claim() -> Claimed:
        (claimed,) = await store.claim({}, 2, 8, hour)
        return claimed

    slow = await claim()
    assert list(await store.claim({}, 2, 8, hour)) == []
    await later(owner, hours=2)
    quick = await claim()
    due = await owner.fetchval("select next_at from webhook_deliveries")
    assert not await store.failed(slow, Outcome(Fate.FAILED, 500), timedelta(0), hour)
    await store.release([slow])
    assert await owner.fetchval("select next_at from webhook_deliveries") == due
    assert await store.delivered(slow, 200)
    assert not await store.delivered(quick, 200)
    assert not await store.failed(quick, Outcome(Fate.FAILED, 500), timedelta(0), timedelta(0))
    assert await states(owner) == {"delivered": 1}


# A node.


async def test_a_running_node_hears_of_refusals(
    webhooks: Webhooks, registers: Registers, database: Database, settings: Settings
) -> None:
    """A refusal that is recorded while the node waits is delivered, and one that waited before it started."""
    allowing = settings.model_copy(update={"webhooks": WebhookSettings(allow_networks=("127.0.0.0/8",))})
    async with receiver() as server:
        await webhooks.add("crm", server.url())
        (first,) = await refuse(registers)
        async with open_deliverer(allowing, database) as node:
            await server.arrival.wait()
            server.arrival.clear()
            (second,) = await refuse(registers)
            await server.arrival.wait()
        assert told(server) == Counter([first, second])
        assert (await node.status()).waiting == 0


async def test_a_retry_that_is_asked_for_wakes_a_node(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient
) -> None:
    """What was dead is delivered by a node that waits, without its time to come."""
    async with receiver(answering(410)) as server:
        await webhooks.add("crm", server.url())
        await refuse(registers)
        await deliverer(database, client).deliver_due()
        server.behave = answering(200)
        server.arrival.clear()
        async with (
            deliverer(database, client) as node,
            Listener(database.dsn, {"heedline_webhook": lambda _: node.wake()}),
        ):
            assert await webhooks.retry("crm") == 1
            await server.arrival.wait()


async def test_what_becomes_due_is_delivered_without_news(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient
) -> None:
    """A failure that is to be tried again soon is, though nobody says anything."""
    async with receiver(in_turn(answering(500), answering(200))) as server:
        await webhooks.add("crm", server.url())
        await refuse(registers)
        async with deliverer(database, client, chance=lambda: 0.001):
            while len(server.received) < 2:
                server.arrival.clear()
                await server.arrival.wait()


async def test_a_database_that_is_away_does_not_end_the_telling(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient
) -> None:
    """Claims that fail are made again; the figures say that it is not known what waits."""

    class Faulty(PostgresDeliveryStore):
        faults = 2

        async def claim(self, *arguments: Any) -> Any:
            if self.faults:
                self.faults -= 1
                node.wake()
                raise StoreUnavailable("the database is away")
            return await super().claim(*arguments)

        async def backlog(self) -> Any:
            raise StoreUnavailable("the database is away")

    store = Faulty(database.pool)
    async with receiver() as server:
        await webhooks.add("crm", server.url())
        await refuse(registers)
        node = Deliverer(store, client, clock, "x", sending_s=20, give_up_h=72)
        async with node:
            await server.arrival.wait()
            assert (await node.status()).waiting is None
    assert store.faults == 0


async def test_what_is_on_its_way_when_a_node_ends_is_another_ones_at_once(
    webhooks: Webhooks, registers: Registers, database: Database, owner: asyncpg.Connection
) -> None:
    """A delivery that does not end in time is given back: it does not wait for the lease."""
    begun = asyncio.Event()

    class Hanging:
        async def send(self, message: Message) -> Outcome:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

    await webhooks.add("crm", "https://crm.example/")
    await refuse(registers)
    async with deliverer(database, Hanging()):
        await begun.wait()
    sender = Counting()
    await deliverer(database, sender).deliver_due()
    assert await states(owner) == {"delivered": 1}


async def test_a_fault_of_ours_is_a_failure_that_ends(
    webhooks: Webhooks, registers: Registers, database: Database, owner: asyncpg.Connection
) -> None:
    """A sender that raises what it should not costs tries, and in the end the delivery, not the deliverer."""

    class Broken:
        async def send(self, message: Message) -> Outcome:
            raise ZeroDivisionError("x")

    await webhooks.add("crm", "https://crm.example/")
    await refuse(registers, 2)
    await later(owner, hours=73)
    await deliverer(database, Broken()).deliver_due()
    assert await states(owner) == {"dead": 2}
