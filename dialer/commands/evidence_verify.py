"""`heedline evidence verify`: the offline verifier, which is distributed by itself too. No database, no network."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dialer.commands.terminal import AsJson, language


def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The bundle (.zip), or the proof of consistency (.json).")
    ],
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="KEY", help="A key of the log that you trust, or a file with such keys."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="KEY", help="A key of a witness who must have cosigned the checkpoint."),
    ] = None,
    tsa: Annotated[
        list[Path] | None,
        typer.Option(
            "--tsa", metavar="CERT", help="Certificates (PEM or DER) of an authority that must have stamped it."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Is everything in a bundle of evidence as the log has it? Says which entry or file is not, and why.

    Without --key the log's key is the bundle's own word: get it from the log's keeper by another way. Exit codes: 0 all
    is right, 1 something is false, 2 it cannot be read. `heedline-verify` does the same without Heedline.

    \b
    Example:
      heedline evidence verify bundle.zip --key log.example.key
    """
    from dialer.verifier.command import UNREADABLE, verify_and_tell

    text, code = verify_and_tell(file, key or [], witness or [], tsa or [], language=language(), as_json=as_json)
    typer.echo(text, err=code == UNREADABLE and not as_json)
    raise typer.Exit(code)
