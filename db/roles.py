"""Logins: the service's own, which may do what `heedline_service` may and no more, and what a login may do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import asyncpg

from db.pool import SERVICE_ROLE
from db.sql import queries
from dialer.errors import DatabaseError

_ITERATIONS = 4096  # PostgreSQL's own default; a random password of 32 bytes needs no more


@dataclass(frozen=True, slots=True)
class Login:
    """What a login is: `server` its PostgreSQL, `service` whether it may act as the service role, `owner` whether the
    tables are its own."""

    server: str
    major: int
    login: str
    superuser: bool
    service_exists: bool
    service: bool
    owner: bool

    @property
    def may_read(self) -> bool:
        """Whether the tables, the schema's revision among them, can be read."""
        return self.service or self.owner or self.superuser


async def describe(dsn: str) -> Login:
    """The login of `dsn`. Raises `asyncpg.PostgresError` or `OSError` when the database cannot be reached."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        row = await connection.fetchrow(queries("roles")["login"], SERVICE_ROLE)
        if row is None:
            raise DatabaseError("the server does not know its own user", "it may have been dropped; log in anew")
        return Login(**dict(row))
    finally:
        await connection.close()


async def ensure_service_login(dsn: str, name: str, password: str) -> None:
    """Create the login `name`, or renew its password, and let it act as the service; `dsn` has the owner's rights.

    Raises `DatabaseError`, and has then changed nothing, when `name` is a role that may do more than the service.
    """
    sql = queries("roles")
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        async with connection.transaction():
            if create := await connection.fetchval(sql["create_login"], name):
                await connection.execute(create)
            elif more := await _more_than_service(connection, name):
                raise DatabaseError(f"the role `{name}` {more}", "choose another name for the service's login")
            # The server is told the verifier alone, so that its log cannot hold the password.
            for statement, argument in (("set_password", scram_verifier(password)), ("grant_service", SERVICE_ROLE)):
                await connection.execute(await connection.fetchval(sql[statement], name, argument))
    finally:
        await connection.close()


async def _more_than_service(connection: asyncpg.Connection, name: str) -> str:
    """What a role that is there may do beyond the service, in words; empty when it is nothing."""
    sql = queries("roles")
    if await connection.fetchval(sql["is_privileged"], name):
        return "has rights over the server"
    if others := await connection.fetch(sql["memberships"], name, SERVICE_ROLE):
        return "is a member of " + ", ".join(f"`{row['role']}`" for row in others)
    return ""


def scram_verifier(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """What PostgreSQL keeps of a password (RFC 5803, RFC 7677): the server cannot log in with it elsewhere.

    Raises `ValueError` unless the password is printable ASCII, which needs no SASLprep (RFC 4013).
    """
    if not (password.isascii() and password.isprintable() and password):
        raise ValueError("a password must be printable ASCII")
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = (_base64(salt), _base64(stored), _base64(_hmac(salted, b"Server Key")))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
