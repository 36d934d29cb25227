"""Tokens of the HTTP API as data, and what they ask of their store."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a token is good for."""

    REFUSALS_READ = "refusals:read"
    REFUSALS_WRITE = "refusals:write"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as registered; of the token itself only its SHA-256 is kept. `seller` (a code) None: for every seller."""

    id: int
    name: str
    scopes: tuple[Scope, ...]
    seller: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def good(self, now: datetime) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenTransaction(Protocol):
    """One transaction of the tokens."""

    async def seller_known(self, code: str) -> bool: ...

    async def add_token(
        self, name: str, hash: bytes, scopes: tuple[Scope, ...], seller: str | None, by: str, expires: datetime | None
    ) -> TokenRecord | None:
        """None when a token of that name is, or was, registered."""

    async def revoke_token(self, name: str, at: datetime) -> TokenRecord | None:
        """The token, which opens nothing any more; None when none of that name is in force."""

    async def witness(self, at: datetime, kind: str, subject: int, payload: str) -> None:
        """Write one evidence entry of the token whose id is `subject`."""


class TokenStore(Protocol):
    """Where tokens are kept. Each method raises `StoreUnavailable`."""

    def transaction(self) -> AbstractAsyncContextManager[TokenTransaction]:
        """Commits on a clean exit, otherwise leaves nothing."""

    async def tokens(self) -> list[TokenRecord]:
        """All tokens by name, revoked ones included."""

    async def token(self, hash: bytes) -> TokenRecord | None:
        """The token with that SHA-256, whether it is still good or not."""
