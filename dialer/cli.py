"""`heedline`: assembles the commands, and turns every error into one line and an exit code.

Exit codes: 0 done (for `check`: may be called), 1 an error, 2 wrong usage, 3 must not be called, 4 may be called later,
130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from dialer.commands import (
    check,
    clock,
    complaints,
    consents,
    database,
    demo,
    doctor,
    evidence,
    lists,
    originate,
    pbx,
    policy,
    refusals,
    routes,
    sellers,
    serve,
    speech,
    status,
    tokens,
    trace,
    trunks,
    webhooks,
)
from dialer.commands.terminal import choose_language, language
from dialer.errors import HeedlineError

GROUPS: dict[str, typer.Typer] = {
    "seller": sellers.app,
    "trunk": trunks.app,
    "route": routes.app,
    "consent": consents.app,
    "refusal": refusals.app,
    "complaint": complaints.app,
    "list": lists.app,
    "token": tokens.app,
    "webhook": webhooks.app,
    "evidence": evidence.app,
    "policy": policy.app,
    "clock": clock.app,
    "speech": speech.app,
    "pbx": pbx.app,
    "db": database.app,
}
"""Groups of commands by name; a new one is one line here."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("originate")(originate.originate)
app.command("refuse")(refusals.add)
app.command("trace")(trace.trace)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)
app.command("status")(status.status)
app.command("demo")(demo.demo)
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only when it is asked for

        typer.echo(f"heedline {version('heedline')}")
        raise typer.Exit


@app.callback()
def root(
    language: Annotated[
        str | None,
        typer.Option("--language", envvar="HEEDLINE_LANGUAGE", metavar="en|zh", help="Language of messages."),
    ] = None,
    _: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Heedline: consent-aware dialer and caller-ID guard for Asterisk and FreeSWITCH.

    \b
    First steps:
      heedline seller add acme --name "Acme Ltd"
      heedline trunk add carrier --country GB --origin domestic
      heedline consent add +442079460123 --seller acme
      heedline check +442079460123 --seller acme
    """
    if language not in (None, "", "en", "zh"):
        raise typer.BadParameter(f"`{str(language)[:16]}` is not one of en, zh", param_hint="--language")
    choose_language(language)


def main(arguments: list[str] | None = None) -> None:
    """The program. Ends by `SystemExit`; a traceback never reaches a person unless HEEDLINE_DEBUG is set."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        typer.main.get_command(app).main(arguments, prog_name="heedline")
    except HeedlineError as error:
        _fail(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has had enough; Python must not complain of it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("HEEDLINE_DEBUG"):
            raise
        _fail(f"{type(error).__name__}: {error}; this is a fault of Heedline: set HEEDLINE_DEBUG=1 to see where")


def _fail(message: str) -> None:
    word = "错误" if language() == "zh" else "error"
    # One line, whatever a driver or a file name put into it.
    print(f"{word}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
