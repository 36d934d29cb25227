"""`heedline webhook`: other systems that are told of each new refusal."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, group, run, say, table

if TYPE_CHECKING:
    from dialer.ports_webhooks import DeliveryRecord, Outcome, WebhookRecord
    from dialer.webhooks import Added, Webhooks

app = group("Webhooks: other systems that are told of each new refusal.")

Name = Annotated[str, typer.Argument(help="The webhook's name.", metavar="NAME")]
AnyName = Annotated[str | None, typer.Argument(help="The webhook's name. Default: all.", metavar="[NAME]")]
Limit = Annotated[int, typer.Option(help="How many at most, the newest first.", min=1, max=10_000, metavar="N")]


@contextlib.asynccontextmanager
async def _opened() -> AsyncIterator[Webhooks]:
    from dialer.app import open_database
    from dialer.commands.terminal import actor, settings
    from dialer.webhook_node import open_webhooks

    chosen = settings()
    async with open_database(chosen) as database:
        yield open_webhooks(chosen, database, actor())


@app.command()
def add(
    name: Name,
    url: Annotated[str, typer.Argument(help="Where refusals are sent to, by POST.", metavar="URL")],
    seller: Annotated[
        str | None, typer.Option(help="Only refusals that bind this seller. Default: all.", metavar="CODE")
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the secret that signs. Default: one is made.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a webhook. The secret that is made is shown once; the receiver needs it to verify what it is sent.

    \b
    Examples:
      heedline webhook add crm https://crm.example/heedline
      heedline webhook add acme https://acme.example/hook --seller acme --secret-file secret.txt
    """
    from dialer.config import read_secret

    given = read_secret(secret_file, "name a readable file with the secret") if secret_file else None

    async def work() -> Added:
        async with _opened() as webhooks:
            return await webhooks.add(name, url, seller, given)

    added = run(work())
    shown = None if given else added.secret

    def text() -> None:
        typer.echo(say(f"webhook `{name}` is registered: {added.url}", f"已登记 Webhook `{name}`：{added.url}"))
        if shown:
            typer.echo(say(f"secret (it is not shown again): {shown}", f"密钥（不会再次显示）：{shown}"))

    document = {"id": added.id, "name": name, "url": added.url, "seller": seller, "secret": shown}
    answer(as_json, document, text)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the webhooks."""

    async def work() -> list[WebhookRecord]:
        async with _opened() as webhooks:
            return await webhooks.all()

    found = run(work())
    answer(
        as_json,
        [asdict(each) for each in found],
        lambda: table(
            [say("name", "名称"), "URL", say("seller", "商家"), say("since", "登记时间"), say("by", "登记人")],
            [[each.name, each.url, each.seller or "*", each.created_at, each.created_by] for each in found],
        ),
    )


@app.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a webhook. What it was still to be told is given up."""

    async def work() -> None:
        async with _opened() as webhooks:
            await webhooks.remove(name)

    run(work())
    answer(
        as_json,
        {"name": name, "removed": True},
        lambda: typer.echo(say(f"webhook `{name}` is removed", f"已移除 Webhook `{name}`")),
    )


@app.command("test")
def send_test(name: Name, as_json: AsJson = False) -> None:
    """Send a webhook a message of the type `webhook.test`, once. Exit 1 when it does not take it."""

    async def work() -> Outcome:
        from dialer.commands.terminal import settings
        from dialer.webhook_node import open_client

        async with _opened() as webhooks, open_client(settings()) as client:
            return await webhooks.test(name, client)

    outcome = run(work())
    arrived = outcome.fate == "delivered"

    def text() -> None:
        if arrived:
            typer.echo(say(f"`{name}` took it: {outcome.status}", f"`{name}` 已接收：{outcome.status}"))
        else:
            typer.echo(say(f"`{name}` did not take it: {outcome.error}", f"`{name}` 未接收：{outcome.error}"), err=True)

    answer(as_json, {"name": name, "delivered": arrived, "status": outcome.status, "error": outcome.error}, text)
    if not arrived:
        raise typer.Exit(1)


@app.command()
def deliveries(name: AnyName = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the newest deliveries: what arrived, what waits, what was given up."""
    _show(name, False, limit, as_json)


@app.command()
def dead(name: AnyName = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the deliveries that were given up, with what went wrong at the last try."""
    _show(name, True, limit, as_json)


@app.command()
def retry(
    name: AnyName = None,
    delivery: Annotated[
        int | None, typer.Option(help="Only this delivery.", min=1, max=2**63 - 1, metavar="ID")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try deliveries again that were given up; the service that runs does it at once.

    \b
    Examples:
      heedline webhook retry crm
      heedline webhook retry --delivery 17
    """
    if name is not None and delivery is not None:
        raise typer.BadParameter("give a name or `--delivery ID`, not both", param_hint="--delivery")

    async def work() -> int:
        async with _opened() as webhooks:
            return await webhooks.retry(name, delivery)

    count = run(work())
    answer(
        as_json,
        {"retried": count},
        lambda: typer.echo(say(f"deliveries to be tried again: {count}", f"将重新投递：{count}")),
    )


def _show(name: str | None, only_dead: bool, limit: int, as_json: bool) -> None:
    async def work() -> list[DeliveryRecord]:
        async with _opened() as webhooks:
            return await webhooks.deliveries(name, dead=only_dead, limit=limit)

    found = run(work())
    states = {
        "delivered": say("delivered", "已送达"),
        "waiting": say("waiting", "等待中"),
        "dead": say("dead", "已放弃"),
    }
    headers = [
        "id",
        "webhook",
        say("refusal", "拒绝"),
        say("state", "状态"),
        say("tries", "次数"),
        say("since", "开始"),
        say("next", "下次"),
        say("last status", "最后状态码"),
        say("last error", "最后错误"),
    ]
    rows: list[list[Any]] = [
        [
            each.id,
            each.webhook,
            each.refusal_id,
            states[each.state],
            each.tries,
            each.created_at,
            each.next_at if each.state == "waiting" else None,
            each.last_status,
            each.last_error,
        ]
        for each in found
    ]
    answer(as_json, [{**asdict(each), "state": each.state} for each in found], lambda: table(headers, rows))
