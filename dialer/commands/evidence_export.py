"""`heedline evidence export`: one matter as one file that an authority can check without us."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, Country, answer, language, run, say

if TYPE_CHECKING:
    from dialer.bundles import Asked, Exported, Languages

OutputFile = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the bundle goes (.zip).")]
Why = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the log: a case number, a request.")
]


class ReportLanguage(StrEnum):
    """In which language the reports are."""

    EN = "en"
    ZH = "zh"
    BOTH = "both"

    @property
    def languages(self) -> Languages:
        """As bundles take them."""
        chosen: dict[ReportLanguage, Languages] = {ReportLanguage.EN: ("en",), ReportLanguage.ZH: ("zh",)}
        return chosen.get(self, ("en", "zh"))


ReportIn = Annotated[ReportLanguage, typer.Option("--language", help="Language of the reports.")]


def export(
    output: OutputFile,
    number: Annotated[str | None, typer.Argument(metavar="NUMBER", help="A callee's number.")] = None,
    call: Annotated[
        str | None, typer.Option("--call", metavar="ID", help="A decision's id, or the switch's call id.")
    ] = None,
    complaint: Annotated[int | None, typer.Option("--complaint", metavar="ID", help="A complaint's id.", min=1)] = None,
    reason: Why = None,
    languages: ReportIn = ReportLanguage.BOTH,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Export everything on a callee, a call or a complaint as a bundle that proves itself. The export is logged.

    \b
    Examples:
      heedline evidence export +442079460123 -o matter.zip --reason "case 2026-117"
      heedline evidence export --call 4711 -o call.zip
      heedline-verify matter.zip --key log.example.key
    """
    made = run(_export(_asked(number, call, complaint, country), output, reason, languages.languages))
    tell(made, as_json)


def _asked(number: str | None, call: str | None, complaint: int | None, country: str | None) -> Asked:
    from dialer.bundles import Asked
    from dialer.registers import parsed_callee

    if sum(given is not None for given in (number, call, complaint)) != 1:
        raise typer.BadParameter("give one of NUMBER, `--call` and `--complaint`", param_hint="NUMBER")
    digits = parsed_callee(number, country, language()).digits if number is not None else None
    return Asked(digits, call, complaint)


async def _export(asked: Asked, output: Path, reason: str | None, languages: Languages) -> Exported:
    from dialer.commands.terminal import actor, opened, settings
    from dialer.evidence_node import open_bundles

    async with opened() as (database, _):
        bundles = open_bundles(settings(), database, actor())
        return await bundles.export(asked, output, reason=reason, languages=languages)


def tell(made: Exported, as_json: bool) -> None:
    """What was made, and what of it is not as it should be."""
    answer(as_json, _document(made), lambda: _text(made))


def _document(made: Exported) -> dict[str, Any]:
    return {
        "file": str(made.file),
        "id": made.id,
        "entry": made.entry,
        "size": made.size,
        "entries": made.entries,
        "files": made.files,
        "cosignatures": made.cosignatures,
        "timestamps": made.timestamps,
        "missing": [each.document() for each in made.missing],
        "left_out": [{"file": file, "why": why} for file, why in made.left_out],
    }


def _text(made: Exported) -> None:
    from dialer.report.labels import label

    typer.echo(
        say(
            f"{made.file}: {made.entries} entries, {made.files} files, under the checkpoint of {made.size} leaves "
            f"({made.cosignatures} cosignatures, {made.timestamps} time stamps); the export is entry {made.entry}",
            f"{made.file}：{made.entries} 个条目，{made.files} 个文件，检查点含 {made.size} 片叶子"
            f"（{made.cosignatures} 个共签，{made.timestamps} 个时间戳）；本次导出为条目 {made.entry}",
        )
    )
    for each in made.missing:
        of, why = ", ".join(each.of), label("missing", each.missing, language())
        typer.echo(say(f"missing: {each.sha256} of {of}: {why}", f"缺失：{of} 的 {each.sha256}：{why}"))
    for file, why in made.left_out:
        typer.echo(say(f"left out: {file}: {why}", f"未生成：{file}：{why}"))
    check = f"heedline evidence verify {made.file}"
    typer.echo(say(f"check it: {check}", f"核验：{check}"))
