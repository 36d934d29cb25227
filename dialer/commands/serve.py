"""`heedline serve`: run a node until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import Annotated

import typer

from dialer import config
from dialer.config import Settings


def serve(
    agi_port: Annotated[
        int | None, typer.Option(help="FastAGI port, in place of `agi.port`.", min=0, max=65535)
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Health port, in place of `http.port`.", min=0, max=65535)
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, not only what goes wrong.")
    ] = False,
) -> None:
    """Run the gate: FastAGI for the switches, their events, jobs, health. Ctrl-C or SIGTERM stops it.

    Several nodes may run over one database; each answers for itself.

    Example: `heedline serve`, then `heedline status`.
    """
    import uvloop  # noqa: PLC0415 # heavy, and not there on every platform that runs the other commands

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    settings = _override(config.load(), agi_port, http_port)
    uvloop.run(_run(settings))


def _override(settings: Settings, agi_port: int | None, http_port: int | None) -> Settings:
    agi = settings.agi if agi_port is None else settings.agi.model_copy(update={"port": agi_port})
    http = settings.http if http_port is None else settings.http.model_copy(update={"port": http_port})
    return settings.model_copy(update={"agi": agi, "http": http})


async def _run(settings: Settings) -> None:
    from dialer.service import open_service  # noqa: PLC0415 # heavy

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_service(settings) as service:
        typer.echo(
            f"heedline is up: FastAGI on {settings.agi.host}:{service.agi.port}, "
            f"health on http://{settings.http.host}:{service.http_port}/status"
        )
        # What is loaded now stays; collecting it again and again would stall calls for tens of milliseconds.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await stop.wait()
        typer.echo("stopping")
