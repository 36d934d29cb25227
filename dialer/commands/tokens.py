"""`heedline token`: who may use the HTTP API."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, group, run, say, settings, table

if TYPE_CHECKING:
    from dialer.ports_tokens import TokenRecord
    from dialer.tokens import Tokens

app = group("Tokens of the HTTP API: what another system shows to record or read refusals.")

Name = Annotated[str, typer.Argument(help="The token's name; never used again.", metavar="NAME")]


class ScopeName(StrEnum):
    """What a token is good for."""

    READ = "refusals:read"
    WRITE = "refusals:write"


@app.command()
def add(
    name: Name,
    scope: Annotated[list[ScopeName], typer.Option("--scope", help="What it is good for; may be repeated.")],
    seller: Annotated[
        str | None, typer.Option(help="For refusals of this seller alone. Default: of every seller.", metavar="CODE")
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="Days until it ends. Default: never.", min=1, max=3650, metavar="N")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it. It is shown this once: only its hash is kept.

    \b
    Example:
      heedline token add crm --scope refusals:write --scope refusals:read --seller acme --days 365
    """
    from datetime import timedelta

    from dialer.app import clock
    from dialer.ports_tokens import Scope

    expires = clock() + timedelta(days=days) if days else None

    async def work() -> tuple[TokenRecord, str]:
        async with _opened() as tokens:
            return await tokens.add(name, [Scope(each.value) for each in scope], seller, expires)

    record, token = run(work())

    def tell() -> None:
        typer.echo(token)
        note = say(
            f"token `{name}` is made; keep it now, it is not shown again",
            f"已创建令牌 `{name}`；请立即保存，不会再次显示",
        )
        typer.echo(note, err=True)

    answer(as_json, {**document(record), "token": token}, tell)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all tokens by name, revoked and ended ones too."""

    async def work() -> list[TokenRecord]:
        async with _opened() as tokens:
            return await tokens.all()

    found = run(work())
    headers = [say("name", "名称"), say("scopes", "权限"), say("seller", "商家"), say("made", "创建时间")]
    headers += [say("ends", "到期时间"), say("revoked", "撤销时间")]
    answer(
        as_json,
        [document(record) for record in found],
        lambda: table(
            headers,
            [[r.name, r.scopes, r.seller or "*", r.created_at, r.expires_at, r.revoked_at] for r in found],
        ),
    )


@app.command()
def revoke(name: Name, as_json: AsJson = False) -> None:
    """End a token: from now on it opens nothing."""

    async def work() -> TokenRecord:
        async with _opened() as tokens:
            return await tokens.revoke(name)

    record = run(work())
    answer(
        as_json,
        document(record),
        lambda: typer.echo(say(f"token `{name}` opens nothing any more", f"令牌 `{name}` 已撤销")),
    )


@asynccontextmanager
async def _opened() -> AsyncIterator[Tokens]:
    from dialer.app import open_database, open_tokens
    from dialer.commands.terminal import actor

    async with open_database(settings()) as database:
        yield open_tokens(database, actor())


def document(record: TokenRecord) -> dict[str, Any]:
    """A token for programs, without itself; `seller` null: for every seller."""
    return {
        "id": record.id,
        "name": record.name,
        "scopes": [scope.value for scope in record.scopes],
        "seller": record.seller,
        "created_at": record.created_at,
        "created_by": record.created_by,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
    }
