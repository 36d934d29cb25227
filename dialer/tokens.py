"""Use cases of the HTTP API's tokens: making one, which shows it once; listing, revoking, and knowing one again."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dialer.errors import AlreadyRegistered, NotRegistered, RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_tokens import Scope, TokenRecord, TokenStore, TokenTransaction
from dialer.registers import unknown_seller

PREFIX = "hdl_"
"""How every token begins, so that one that leaked is found by whoever searches for it."""
_RANDOM_BYTES = 32
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Tokens:
    """Who may use the HTTP API. `by` is who changes them, for evidence."""

    def __init__(self, store: TokenStore, clock: Clock, by: str) -> None:
        self._store, self._clock, self._by = store, clock, by

    async def add(
        self, name: str, scopes: Sequence[Scope], seller: str | None = None, expires: datetime | None = None
    ) -> tuple[TokenRecord, str]:
        """Make a token; the record and the token itself, which cannot be had again.

        Raises `AlreadyRegistered`, `NotRegistered` (the seller), `RegisterError`, `StoreUnavailable`.
        """
        self._check(name, scopes, expires)
        token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        wanted = tuple(scope for scope in Scope if scope in scopes)
        async with self._store.transaction() as transaction:
            if seller is not None and not await transaction.seller_known(seller):
                raise unknown_seller(seller)
            record = await transaction.add_token(name, digest_of(token), wanted, seller, self._by, expires)
            if record is None:
                raise AlreadyRegistered(
                    f"token `{name}` is registered already, or was", "a name is used once: choose another"
                )
            await self._witness(
                transaction,
                "token.added",
                record,
                scopes=[scope.value for scope in wanted],
                seller=seller,
                expires_at=instant(expires),
            )
        return record, token

    async def all(self) -> list[TokenRecord]:
        """All tokens by name, revoked ones included."""
        return await self._store.tokens()

    async def revoke(self, name: str) -> TokenRecord:
        """When this has returned, the token opens nothing, on whichever node. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            record = await transaction.revoke_token(name, self._clock())
            if record is None:
                raise NotRegistered(f"no token `{printable(name, 64)}` is in force", "see `heedline token list`")
            await self._witness(transaction, "token.revoked", record)
        return record

    async def authenticate(self, token: str) -> TokenRecord | None:
        """The token's record, when it is good now. Raises `StoreUnavailable`.

        It is looked up by its SHA-256, so that how long the answer takes tells nothing of another token.
        """
        if not _TOKEN.fullmatch(token):
            return None
        record = await self._store.token(digest_of(token))
        return record if record is not None and record.good(self._clock()) else None

    def _check(self, name: str, scopes: Sequence[Scope], expires: datetime | None) -> None:
        if not _NAME.fullmatch(name):
            raise RegisterError(
                f"`{printable(name, 64)}` is no name for a token", "use letters, digits, `_`, `.` and `-`, at most 64"
            )
        if not scopes:
            raise RegisterError("a token without a scope opens nothing", f"use one of {', '.join(Scope)}")
        if expires is not None and expires <= self._clock():
            raise RegisterError(f"`{instant(expires)}` is past", "a token ends later than it begins")

    async def _witness(self, transaction: TokenTransaction, kind: str, record: TokenRecord, **what: Any) -> None:
        now = self._clock()
        payload = canonical({"kind": kind, "at": instant(now), "by": self._by, "token": record.name, **what})
        await transaction.witness(now, kind, record.id, payload)


def digest_of(token: str) -> bytes:
    """What is kept of a token. It is 32 random bytes, so a plain hash cannot be searched."""
    return hashlib.sha256(token.encode()).digest()
