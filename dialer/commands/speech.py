"""`heedline speech`: judge recognisers of spoken refusals on a folder of clips, and see which are installed."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, group, pairs, say, settings, table

if TYPE_CHECKING:
    from dialer.speech.evaluate import Outcome

app = group("Recognisers of spoken refusals: judge them on recordings, see what is installed.")

FIGURES = (
    "refusals",
    "recalled",
    "negatives",
    "false_alarms",
    "false_alarms_per_hour",
    "latency_p50_s",
    "latency_p95_s",
    "streams_per_core",
    "rss_mb",
    "near_misses",
    "engine",
)


@app.command("evaluate")
def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with `clips.tsv` and WAV files.")],
    as_json: AsJson = False,
    language: Annotated[
        str | None, typer.Option("--language", metavar="en|zh", help="Only the clips of this language.")
    ] = None,
    model_dir: Annotated[
        list[str] | None,
        typer.Option(
            "--model-dir", metavar="LANG=DIR", help="Use the model in a folder for a language; may be repeated."
        ),
    ] = None,
    partials: Annotated[
        bool, typer.Option("--partials/--no-partials", help="Judge what is heard while the callee still speaks, too.")
    ] = True,
    misses: Annotated[
        bool, typer.Option("--misses", help="List on standard error what was missed or wrongly taken for a refusal.")
    ] = False,
) -> None:
    """Print recall, false alarms, latency and cost of the recognisers, per language.

    `clips.tsv` is tab-separated with the columns file, refusal (1 or 0) and lang (en or zh); speech_end_s (seconds) is
    needed for the latency. Recordings are mono WAV: µ-law, A-law or 16-bit PCM.
    """
    from dialer.speech.clips import read_clips
    from dialer.speech.evaluation import Plan, evaluate_languages

    if language not in (None, "en", "zh"):
        raise typer.BadParameter(f"`{str(language)[:16]}` is not one of en, zh", param_hint="--language")
    folders = dict(_model_dir(text) for text in model_dir or [])
    clips = [clip for clip in read_clips(folder) if language in (None, clip.language)]
    if not clips:
        raise typer.BadParameter(f"the folder has no clips in `{language}`", param_hint="--language")
    plan = Plan(clips=clips, cache=settings().home / "speech", partials=partials, model_dirs=folders)
    figures = evaluate_languages(plan, _progress(misses=misses))
    _clear_progress()
    answer(as_json, figures, lambda: _show(figures))
    if all("error" in found for found in figures.values()):
        raise typer.Exit(1)


@app.command("models")
def models(as_json: AsJson = False) -> None:
    """List the recognisers that can be used as installed, with the hash that names each in evidence."""
    from dialer.errors import SpeechError
    from dialer.speech.load import LANGUAGES, EngineSettings, load_engine

    found: list[dict[str, Any]] = []
    for language in LANGUAGES:
        try:
            engine = load_engine(EngineSettings(language, settings().home / "speech"))
            found.append({"language": language, "engine": engine.name, "model": engine.model, "problem": None})
        except SpeechError as error:
            found.append({"language": language, "engine": None, "model": None, "problem": str(error)})

    def show() -> None:
        headers = say("language,engine,model", "语言,引擎,模型").split(",")
        usable = [[row["language"], row["engine"], row["model"]] for row in found if row["engine"]]
        if usable:
            table(headers, usable)
        for row in found:
            if row["problem"]:
                typer.echo(f"{row['language']}: {row['problem']}")

    answer(as_json, found, show)


def _model_dir(text: str) -> tuple[str, Path]:
    language, mark, folder = text.partition("=")
    if not mark or language not in ("en", "zh") or not folder:
        raise typer.BadParameter(f"`{text[:64]}` is not like `zh=/path/to/model`", param_hint="--model-dir")
    return language, Path(folder).expanduser()


def _show(figures: dict[str, dict[str, Any]]) -> None:
    for number, (language, found) in enumerate(figures.items()):
        if number:
            typer.echo()
        if "error" in found:
            typer.echo(say(f"{language}: not evaluated: {found['error']}", f"{language}:未评估:{found['error']}"))
            continue
        pairs([("language", language), *((name, found[name]) for name in FIGURES)])


def _progress(*, misses: bool) -> Any:
    """Shows how far it is on a terminal, and the clips that went wrong if they are asked for."""

    def show(language: str, done: int, count: int, outcome: Outcome) -> None:
        if misses and outcome.clip.refusal is not (outcome.refusal is not None):
            _clear_progress()
            word = say("missed", "漏掉") if outcome.clip.refusal else say("false alarm", "误报")
            name, heard = outcome.clip.file.name, outcome.transcript
            print(f"{language} {word}: {name}: {outcome.clip.text!r}: {heard!r}", file=sys.stderr)
        if sys.stderr.isatty():
            print(f"\r{language} {done}/{count}", end="", file=sys.stderr, flush=True)

    return show


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
