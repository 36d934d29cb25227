"""The HTTP API without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock, MagicMock

from dialer.policy.facts import CallRequest
from dialer.ports_tokens import Scope, TokenRecord
from dialer.web.api import Api

NOW = datetime(2026, 10, 21, 2, tzinfo=UTC)
CALLEE, SELLER = "+8613800138000", "acme"
FORM_BODY = {"sha256": "AB" * 32, "media_type": "application/pdf", "location": "forms/7.pdf"}


def unreachable(*_: Any) -> Any:
    """What no wrong request may come to."""
    raise AssertionError("the request came through")


async def no_check(_: CallRequest) -> Any:
    """As `unreachable`, of the gate."""
    unreachable()


def make_api(refusals: Any = unreachable) -> Api:
    """The API with one token, which is good for everything."""
    tokens = MagicMock()
    tokens.authenticate = AsyncMock(return_value=TokenRecord(1, "crm", tuple(Scope), None, NOW, "test"))
    pages = MagicMock(page=AsyncMock(side_effect=unreachable))
    return Api(refusals, pages, tokens, no_check, lambda: NOW, unreachable)


def body(**changes: Any) -> dict[str, Any]:
    """A plain refusal of the callee to the seller."""
    return {"number": CALLEE, "seller": SELLER, **changes}
