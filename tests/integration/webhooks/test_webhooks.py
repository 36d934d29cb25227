"""Telling other systems of refusals, on a real PostgreSQL and to real HTTP servers on loopback."""

from __future__ import annotations

import contextlib
import io
import json
import socket
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db.webhook_store import PostgresDeliveryStore, PostgresWebhookStore
from dialer.app import Database, Registers, clock, open_imports
from dialer.config import Settings
from dialer.errors import AlreadyRegistered, NotRegistered, RegisterError
from dialer.import_rows import REFUSALS
from dialer.imports import Sheet
from dialer.ports_refusals import NewRefusal
from dialer.ports_webhooks import Fate, Outcome
from dialer.web.outgoing import WebhookClient
from dialer.webhook_node import open_webhooks, prune_deliveries
from dialer.webhook_urls import allowed_networks
from dialer.webhooks import Webhooks
from tests.receivers import answering, dripping, in_turn, receiver, saying
from tests.webhook_world import CALLEE, LOOPBACK, deliverer, later, refuse, states, told, verified

# The register.


async def test_a_webhooks_life_is_witnessed_without_its_secret(webhooks: Webhooks, owner: asyncpg.Connection) -> None:
    """Adding and removing leave one entry each, with where and for whom; the secret is in neither."""
    added = await webhooks.add("crm", "https://CRM.example/hook")
    assert [(each.name, each.url) for each in await webhooks.all()] == [("crm", "https://crm.example/hook")]
    await webhooks.remove("crm")
    assert await webhooks.all() == []
    rows = await owner.fetch("select kind, subject, payload from evidence_entries order by id")
    assert [(row["kind"], row["subject"]) for row in rows] == [
        ("webhook.added", added.id),
        ("webhook.removed", added.id),
    ]
    payload = json.loads(rows[0]["payload"])
    assert (payload["url"], payload["seller"], payload["by"]) == ("https://crm.example/hook", None, "test")
    assert not any(added.secret in row["payload"] or added.secret[6:] in row["payload"] for row in rows)


async def test_what_cannot_be_registered_leaves_nothing(webhooks: Webhooks, owner: asyncpg.Connection) -> None:
    """A taken name, an unknown seller, a bad name, URL or secret are each refused."""
    await webhooks.add("crm", "https://crm.example/")
    with pytest.raises(AlreadyRegistered):
        await webhooks.add("crm", "https://other.example/")
    with pytest.raises(NotRegistered):
        await webhooks.add("other", "https://crm.example/", "nobody")
    for name, url, secret in (
        ("a b", "https://crm.example/", None),
        ("x", "https://10.0.0.1/", None),
        ("x", "https://crm.example/", "hunter2hunter2hunter2"),
    ):
        with pytest.raises(RegisterError):
            await webhooks.add(name, url, None, secret)
    with pytest.raises(NotRegistered):
        await webhooks.remove("other")
    assert await owner.fetchval("select count(*) from evidence") == 1


async def test_a_name_is_free_again_after_removal(webhooks: Webhooks) -> None:
    """Another webhook of that name has another secret."""
    first = await webhooks.add("crm", "https://crm.example/")
    await webhooks.remove("crm")
    assert (await webhooks.add("crm", "https://crm.example/")).secret != first.secret


# What is told.


async def test_a_refusal_is_delivered_once_and_verifiable(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """It comes once, signed with the webhook's secret, and says what was recorded."""
    async with receiver() as server:
        added = await webhooks.add("crm", server.url())
        (id,) = await refuse(registers)
        await deliverer(database, client).deliver_due()
        await deliverer(database, client).deliver_due()
    (request,) = server.received
    document = verified(request, added.secret)
    assert document["type"] == "refusal.recorded"
    data = document["data"]
    assert (data["id"], data["number"], data["how"], data["seller"]) == (id, f"+{CALLEE}", "keyed", None)
    assert data["artefact"] == {"kind": "key", "key": "9", "prompt": "call"}
    assert request.headers["user-agent"] == "Heedline/test"
    assert abs(int(request.headers["webhook-timestamp"]) - clock().timestamp()) < 300
    assert await states(owner) == {"delivered": 1}


async def test_whom_a_refusal_concerns_is_told(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient
) -> None:
    """A seller's webhook hears of refusals to it and to all sellers; one without a seller hears of every one."""
    await registers.sellers.add("acme", "Acme Ltd")
    await registers.sellers.add("other", "Other Ltd")
    async with receiver() as of_acme, receiver() as of_all:
        await webhooks.add("acme", of_acme.url(), "acme")
        await webhooks.add("all", of_all.url())
        ids = [(await refuse(registers, 1, seller))[0] for seller in ("acme", "other", None)]
        await deliverer(database, client).deliver_due()
    assert told(of_acme) == Counter([ids[0], ids[2]])
    assert told(of_all) == Counter(ids)


async def test_what_was_rolled_back_is_not_told(
    webhooks: Webhooks, registers: Registers, owner: asyncpg.Connection
) -> None:
    """The delivery is in the refusal's transaction: without the one there is no other."""
    await webhooks.add("crm", "https://crm.example/")
    refusal = NewRefusal(CALLEE, None, "keyed", clock())
    with contextlib.suppress(RuntimeError):
        async with registers.store.transaction() as transaction:
            await transaction.add_refusal(refusal, None, None, b"", "{}")
            raise RuntimeError
    assert await states(owner) == {}
    await registers.refusals.add(refusal)
    assert await states(owner) == {"waiting": 1}


async def test_a_bulk_import_is_told_refusal_by_refusal(
    webhooks: Webhooks, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """A file of 1,000 refusals makes 1,000 deliveries, and each refusal comes once."""
    async with receiver() as server:
        await webhooks.add("crm", server.url())
        rows = "".join(f"+{CALLEE + n}\n" for n in range(1000))
        sheet = Sheet(io.BytesIO(f"number\n{rows}".encode()), "refusals", REFUSALS.columns)
        assert (await open_imports(database, "test").refusals(sheet, seller="*")).added == 1000
        assert await states(owner) == {"waiting": 1000}
        await deliverer(database, client).deliver_due()
    assert await states(owner) == {"delivered": 1000}
    assert set(told(server).values()) == {1}
    assert len(told(server)) == 1000


# When it does not go well.


async def test_a_failure_is_tried_again_with_the_same_id(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """After two answers of 500 the third try arrives; all three are one message, and each is signed."""
    async with receiver(in_turn(answering(500, b"oops"), answering(500), answering(200))) as server:
        added = await webhooks.add("crm", server.url())
        await refuse(registers)
        running = deliverer(database, client)
        await running.deliver_due()
    assert [verified(request, added.secret)["type"] for request in server.received] == ["refusal.recorded"] * 3
    assert len({request.headers["webhook-id"] for request in server.received}) == 1
    assert await owner.fetchval("select tries from webhook_deliveries") == 3
    assert (running.stats.delivered, running.stats.failed, running.stats.dead) == (1, 2, 0)


async def test_a_failure_waits_as_its_backoff_says(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """With the whole jitter the first wait is ten seconds and the second twenty, and until then nothing is sent."""
    async with receiver(answering(500, b"oops")) as server:
        await webhooks.add("crm", server.url())
        await refuse(registers)
        running = deliverer(database, client, chance=lambda: 1.0)
        for tries, seconds in ((1, 10), (2, 20)):
            before = await owner.fetchval("select clock_timestamp()")
            await running.deliver_due()
            after = await owner.fetchval("select clock_timestamp()")
            assert len(server.received) == tries
            due = await owner.fetchval("select next_at from webhook_deliveries")
            assert before + timedelta(seconds=seconds) <= due <= after + timedelta(seconds=seconds)
            await later(owner, seconds=seconds)
    (delivery,) = await webhooks.deliveries("crm")
    assert (delivery.state, delivery.last_status, delivery.last_error) == ("waiting", 500, "it answered 500: oops")


async def test_what_fails_for_long_is_dead_until_somebody_asks(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """It is tried for the last time when its hours end, then never by itself; asked for again it has all its time."""
    async with receiver(answering(503)) as server:
        await webhooks.add("crm", server.url())
        await refuse(registers)
        running = deliverer(database, client, chance=lambda: 1.0, give_up_h=1)
        await later(owner, minutes=30)
        await owner.execute("update webhook_deliveries set tries = 9")  # the next wait would be an hour
        await running.deliver_due()
        assert await owner.fetchval("select next_at - trying_since from webhook_deliveries") == timedelta(hours=1)
        await later(owner, minutes=31)
        await running.deliver_due()
        (dead,) = await webhooks.deliveries(dead=True)
        assert (dead.tries, dead.last_status, running.stats.dead) == (11, 503, 1)
        await later(owner, hours=100)
        await running.deliver_due()
        assert len(server.received) == 2
        with pytest.raises(NotRegistered):
            await webhooks.retry(delivery=dead.id + 1)
        assert await webhooks.retry(delivery=dead.id) == 1
        assert await webhooks.retry("crm") == 0
        await running.deliver_due()
        assert await states(owner) == {"waiting": 1}  # failed again, and not dead at once
        server.behave = answering(204)
        await later(owner, seconds=10)
        await running.deliver_due()
    assert await states(owner) == {"delivered": 1}


async def test_gone_ends_all_that_waits(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """One answer of 410 and the whole backlog of that webhook is dead, that of another is not."""
    async with receiver(answering(410)) as gone, receiver() as server:
        await webhooks.add("gone", gone.url())
        await webhooks.add("crm", server.url())
        await refuse(registers, 20)
        running = deliverer(database, client)
        await running.deliver_due()
    assert await states(owner) == {"delivered": 20, "dead": 20}
    assert len(gone.received) <= 2
    assert running.stats.dead == 20
    assert {each.last_status for each in await webhooks.deliveries("gone", dead=True)} == {410}


async def test_every_kind_of_bad_receiver_leaves_the_good_one_alone(
    webhooks: Webhooks, registers: Registers, database: Database, owner: asyncpg.Connection
) -> None:
    """Dead, slow, looping, redirecting to a private address, endless, cut, private by its name: each costs its own
    deliveries, with its own words, and none of another's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
        async with contextlib.AsyncExitStack() as stack:
            good, slow, loop, private, huge, cut = [await stack.enter_async_context(receiver()) for _ in range(6)]
            slow.behave = dripping(b"HTTP/1.1 200 OK" + b" " * 5000)
            loop.behave = answering(302, b"", f"Location: {loop.url()}")
            private.behave = answering(307, b"", "Location: http://169.254.169.254/latest/meta-data/")
            huge.behave = saying(b"HTTP/1.1 500 Word\r\n\r\n" + b"x" * 2**20)
            cut.behave = saying(b"HTTP/1.1 200")
            for name, url in (
                ("dead", dead),
                *(("slow", slow.url()), ("loop", loop.url()), ("private", private.url()), ("huge", huge.url())),
                *(("cut", cut.url()), ("good", good.url())),
            ):
                await webhooks.add(name, url)
            ids = await refuse(registers, 5)
            client = await stack.enter_async_context(WebhookClient(LOOPBACK, 0.3))
            await deliverer(database, client, chance=lambda: 1.0).deliver_due()
            assert told(good) == Counter(ids)
            assert len(loop.received) == len(private.received) == 5
    rows = await owner.fetch(
        "select distinct w.name, d.last_error from webhook_deliveries d join webhooks w on w.id = d.webhook_id"
        " where d.delivered_at is null"
    )
    words = {row["name"]: row["last_error"] for row in rows}
    assert {name: words[name].split(":")[0].split(",")[0] for name in words} == {
        "dead": "no connection",
        "slow": "no answer within 0.3 s",
        "loop": "it answered 302",
        "private": "it answered 307",
        "huge": "it answered 500",
        "cut": "it closed the connection before it had answered",
    }
    assert await states(owner) == {"delivered": 5, "waiting": 30}


async def test_a_name_that_comes_to_loopback_is_refused_without_leave(
    registers: Registers, database: Database, owner: asyncpg.Connection
) -> None:
    """The same webhook is delivered to once the network is allowed."""

    def resolve(host: str, port: int) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with receiver() as server:
        open_to_all = Webhooks(PostgresWebhookStore(database.pool), clock, "test", LOOPBACK, "x")
        await open_to_all.add("crm", server.url(host="crm.example"))
        await refuse(registers)
        for networks in (allowed_networks(["10.0.0.0/8"]), LOOPBACK):
            async with WebhookClient(networks, 20, look_up=resolve) as client:
                await deliverer(database, client, chance=lambda: 1.0).deliver_due()
            error = await owner.fetchval("select last_error from webhook_deliveries")
            assert len(server.received) == (networks == LOOPBACK)
            assert error == (
                None if networks == LOOPBACK else "it is not connected to: `127.0.0.1` is a loopback address"
            )
            await later(owner, seconds=10)


async def test_a_removed_webhook_is_told_nothing_more(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """What waited for it is dead and cannot be tried again, and new refusals make no delivery for it."""
    async with receiver() as server:
        await webhooks.add("crm", server.url())
        await refuse(registers)
        await webhooks.remove("crm")
        await refuse(registers)
        assert await webhooks.retry() == 0
        await deliverer(database, client).deliver_due()
    assert server.received == []
    assert await states(owner) == {"dead": 1}
    assert (await PostgresDeliveryStore(database.pool).backlog()).dead == 0


# Upkeep.


async def test_old_deliveries_are_pruned(
    webhooks: Webhooks, registers: Registers, database: Database, client: WebhookClient, owner: asyncpg.Connection
) -> None:
    """After 30 days what arrived goes, and what belonged to a removed webhook; what waits or is dead stays."""
    async with receiver() as server, receiver(answering(410)) as gone:
        await webhooks.add("crm", server.url())
        await webhooks.add("gone", gone.url())
        await refuse(registers, 3)
        await deliverer(database, client).deliver_due()
    await later(owner, days=29)
    assert await prune_deliveries(database) == 0
    await later(owner, days=2)
    await refuse(registers, 1)
    assert await PostgresWebhookStore(database.pool).prune(timedelta(days=30), 2) == 3
    assert await states(owner) == {"dead": 3, "waiting": 2}
    await webhooks.remove("gone")
    assert await prune_deliveries(database) == 3
    assert await states(owner) == {"waiting": 1, "dead": 1}


async def test_a_test_message_says_what_came_of_it(webhooks: Webhooks, client: WebhookClient) -> None:
    """It is signed, it is no refusal, and a failure is an outcome; nothing of it is kept."""
    async with receiver(in_turn(answering(200), answering(401, b"who are you"))) as server:
        added = await webhooks.add("crm", server.url())
        assert await webhooks.test("crm", client) == Outcome(Fate.DELIVERED, 200)
        assert verified(server.received[0], added.secret)["type"] == "webhook.test"
        assert await webhooks.test("crm", client) == Outcome(Fate.FAILED, 401, "it answered 401: who are you")
    with pytest.raises(NotRegistered):
        await webhooks.test("other", client)
    assert await webhooks.deliveries() == []


async def test_the_register_of_the_settings(settings: Settings, database: Database) -> None:
    """Without an allowed network the settings' register takes public webhooks with TLS alone."""
    register = open_webhooks(settings, database, "test")
    await register.add("crm", "https://crm.example/")
    with pytest.raises(RegisterError, match="loopback"):
        await register.add("own", "https://127.0.0.1/")
    assert (await register.all())[0].created_at < datetime.now(UTC) + timedelta(minutes=1)
