"""`heedline evidence consistency`: the newer log begins with the older one."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, language, opened, run, say, writing
from dialer.errors import HeedlineError

if TYPE_CHECKING:
    from dialer.consistency import Compared

CANNOT = 2
_SIDE = "A size, `latest`, a file with a checkpoint, or a bundle."


def consistency(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_SIDE)],
    new: Annotated[str, typer.Argument(metavar="NEW", help=_SIDE)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the proof, for others to verify.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Does the log at NEW begin with the log at OLD? Proves that nothing was changed, taken out or reordered between.

    The proof (RFC 9162, section 2.1.4) comes from this database; the roots come from what OLD and NEW say, and their
    signatures are checked. `heedline evidence verify` checks the file that --output writes without a database.

    Exits 0 when it does, 1 when it does not, 2 when it could not be told.

    \b
    Examples:
      heedline evidence consistency bundle-of-march.zip latest
      heedline evidence consistency 1000 latest -o proof.json
    """
    try:
        compared = run(_compare(old, new))
        if output is not None and compared.fault is None:
            with writing(output) as stream:
                stream.write(json.dumps(compared.proof(), ensure_ascii=False, indent=1) + "\n")
    except HeedlineError as error:
        typer.echo(f"{say('error', '错误')}: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(CANNOT) from error
    answer(as_json, _document(compared), lambda: _tell(compared))
    raise typer.Exit(0 if compared.fault is None else 1)


async def _compare(old: str, new: str) -> Compared:
    from dialer.consistency import compare
    from dialer.evidence_node import open_proofs

    async with opened() as (database, _):
        return await compare(open_proofs(database), old, new)


def _document(compared: Compared) -> dict[str, Any]:
    sides = {
        name: side and {"name": side.origin, "size": side.size, "root": side.root}
        for name, side in (("old", compared.old), ("new", compared.new))
    }
    fault = compared.fault
    return {
        "consistent": fault is None,
        **sides,
        "path": len(compared.path),
        "fault": fault and fault.what.by(language()),
        "suggests": fault and fault.suggests.by(language()),
    }


def _tell(compared: Compared) -> None:
    fault, spoken = compared.fault, language()
    if fault is not None:
        typer.echo(f"{say('NOT CONSISTENT', '不一致')}: {fault.what.by(spoken)}")
        typer.echo(f"    {say('suggests', '可能原因')}: {fault.suggests.by(spoken)}")
        return
    if compared.old is None or compared.new is None:
        return
    before, after = compared.old.size, compared.new.size
    typer.echo(
        say(
            f"consistent: the log of {after} leaves begins with the one of {before}; nothing of it was changed, taken "
            "out or reordered",
            f"一致：{after} 片叶的日志以 {before} 片叶的日志为开头；其中没有任何内容被修改、抽走或重新排序",
        )
    )
