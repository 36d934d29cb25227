"""The register of webhooks, and the way out to receivers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from db.webhook_store import PostgresWebhookStore
from dialer.app import Database, clock
from dialer.web.outgoing import WebhookClient
from dialer.webhooks import Webhooks
from tests.webhook_world import LOOPBACK


@pytest.fixture
def webhooks(database: Database) -> Webhooks:
    """The register, where loopback is allowed."""
    return Webhooks(PostgresWebhookStore(database.pool), clock, "test", LOOPBACK, "Heedline/test")


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    """The way out, where loopback is allowed."""
    async with WebhookClient(LOOPBACK, 20) as client:
        yield client
