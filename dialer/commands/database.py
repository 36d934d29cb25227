"""`heedline db`: set up a database server, and examine it."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, group, run, say, settings

if TYPE_CHECKING:
    from dialer.app import DatabaseState

app = group("The database: bring its schema up to date, examine it.")

_MINIMUM_SERVER = 16


@app.callback()
def database() -> None:
    """The database: bring its schema up to date, examine it."""


@app.command()
def migrate(
    service_login: Annotated[
        str, typer.Option(metavar="NAME", help="Also make this login, which may do what the service may and no more.")
    ] = "",
    service_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds that login's password; a changed one takes effect.")
    ] = None,
) -> None:
    """Bring the schema to the newest revision, with the owner's login. Run it before the service of a new version.

    It may run again, and from several places at once.

    \b
    Examples:
      heedline db migrate
      heedline db migrate --service-login heedline --service-password-file /run/secrets/service_password
    """
    from dialer.app import migrate_database

    if bool(service_login) != bool(service_password_file):
        raise typer.BadParameter("`--service-login` and `--service-password-file` go together")
    password = _password(service_password_file) if service_password_file else ""
    revision = run(migrate_database(settings(), service_login, password))
    typer.echo(say(f"the schema is at its newest revision, `{revision}`", f"数据库结构已是最新版本 `{revision}`"))
    if service_login:
        typer.echo(say(f"the service may log in as `{service_login}`", f"服务可以用 `{service_login}` 登录"))


@app.command()
def check(as_json: AsJson = False) -> None:
    """Examine the database with the service's login; nothing is changed. Exits 0 when the service can work, else 1.

    Example: `heedline db check --json`
    """
    from dialer.app import database_state

    state = run(database_state(settings()))
    problems = _problems(state)
    answer(as_json, _document(state, problems), lambda: _tell(state, problems))
    raise typer.Exit(1 if problems else 0)


def _password(file: Path) -> str:
    from dialer.config import read_secret
    from dialer.errors import ConfigError

    password = read_secret(file, "write the login's password into it")
    if not (password.isascii() and password.isprintable()):
        raise ConfigError(f"the password in `{file}` is not printable ASCII", "make a random one")
    return password


def _problems(state: DatabaseState) -> list[str]:
    """What keeps the service from working, each with its cure."""
    found = []
    if state.login.major < _MINIMUM_SERVER:
        found.append(
            say(
                f"PostgreSQL {state.login.server} is older than {_MINIMUM_SERVER}; upgrade the server",
                f"PostgreSQL {state.login.server} 低于 {_MINIMUM_SERVER}；请升级服务器",
            )
        )
    unknown = state.login.service_exists and not state.login.may_read
    if state.present != state.newest and not unknown:
        found.append(
            say(
                f"the schema is `{state.present or 'missing'}`, not `{state.newest}`; run `heedline db migrate`",
                f"数据库结构为 `{state.present or '无'}`，而非 `{state.newest}`；请运行 `heedline db migrate`",
            )
        )
    if state.login.service_exists and not state.login.service:
        found.append(
            say(
                f"`{state.login.login}` may not act as the service; run `heedline db migrate --service-login`",
                f"`{state.login.login}` 无权作为服务运行；请运行 `heedline db migrate --service-login`",
            )
        )
    return found


def _powerful(state: DatabaseState) -> bool:
    return state.login.owner or state.login.superuser


def _document(state: DatabaseState, problems: list[str]) -> dict[str, Any]:
    return {
        "healthy": not problems,
        "server": state.login.server,
        "login": state.login.login,
        "revision": state.present,
        "newest": state.newest,
        "owner": _powerful(state),
        "problems": problems,
    }


def _tell(state: DatabaseState, problems: list[str]) -> None:
    typer.echo(
        say(
            f"PostgreSQL {state.login.server}, logged in as `{state.login.login}`, schema `{state.present or 'none'}`",
            f"PostgreSQL {state.login.server}，登录名 `{state.login.login}`，结构 `{state.present or '无'}`",
        )
    )
    if _powerful(state):
        typer.echo(
            say(
                "note: this login owns the tables; on a server, give the service one that does not",
                "提示：此登录名拥有数据表；在服务器上，请给服务另设一个登录名",
            )
        )
    for problem in problems:
        typer.echo(f"{say('FAIL', '失败')}: {problem}")
    if not problems:
        typer.echo(say("the service can work on it", "服务可以使用此数据库"))
