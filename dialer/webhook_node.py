"""Webhooks wired to the database and to the network: part of the wiring, like `dialer.app`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import metadata

from db.listen import Listener
from db.webhook_store import PostgresDeliveryStore, PostgresWebhookStore
from dialer.app import Database, clock
from dialer.config import Settings
from dialer.deliverer import Deliverer
from dialer.web.outgoing import WebhookClient
from dialer.webhook_urls import allowed_networks
from dialer.webhooks import Webhooks

_KEPT = timedelta(days=30)
_STRETCH = 10_000


def open_webhooks(settings: Settings, database: Database, by: str) -> Webhooks:
    """The register of webhooks; `by` is who changes it. Raises `ConfigError`."""
    networks = allowed_networks(settings.webhooks.allow_networks)
    return Webhooks(PostgresWebhookStore(database.pool), clock, by, networks, _agent())


def open_client(settings: Settings) -> WebhookClient:
    """The way out, as the settings bound it. Raises `ConfigError`."""
    return WebhookClient(allowed_networks(settings.webhooks.allow_networks), settings.webhooks.timeout_s)


@contextlib.asynccontextmanager
async def open_deliverer(settings: Settings, database: Database) -> AsyncIterator[Deliverer]:
    """Webhooks are told of refusals until the context ends. Raises `ConfigError`."""
    async with open_client(settings) as client:
        deliverer = Deliverer(
            PostgresDeliveryStore(database.pool),
            client,
            clock,
            _agent(),
            sending_s=settings.webhooks.timeout_s,
            give_up_h=settings.webhooks.give_up_h,
        )
        async with deliverer, Listener(database.dsn, {"heedline_webhook": lambda _: deliverer.wake()}):
            yield deliverer


async def prune_deliveries(database: Database) -> int:
    """Delete deliveries that arrived more than 30 days ago, and those of webhooks removed since; how many went."""
    return await PostgresWebhookStore(database.pool).prune(_KEPT, _STRETCH)


def _agent() -> str:
    return f"Heedline/{metadata.version('heedline')}"
