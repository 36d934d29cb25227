"""`heedline speech evaluate` over all languages of a folder: each in a process of its own.

So memory and CPU time are one recogniser's alone, and a model that takes its process down costs only its own language.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dialer.errors import HeedlineError
from dialer.speech.clips import Clip
from dialer.speech.evaluate import Outcome, evaluate
from dialer.speech.load import EngineSettings, load_engine


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate. `model_dirs`: languages whose recogniser is in a folder."""

    clips: Sequence[Clip]
    cache: Path
    partials: bool
    model_dirs: Mapping[str, Path] = field(default_factory=dict)


Progress = Callable[[str, int, int, Outcome], None]
"""Language, clips done, clips in all, and the last one's outcome."""


def evaluate_languages(plan: Plan, progress: Progress) -> dict[str, dict[str, Any]]:
    """Figures by language, in the order en, zh, others; `{"error": ...}` for a language that could not be evaluated."""
    languages = sorted(
        {clip.language for clip in plan.clips}, key=lambda language: (language not in ("en", "zh"), language)
    )
    return {language: _in_own_process(plan, language, progress) for language in languages}


def _in_own_process(plan: Plan, language: str, progress: Progress) -> dict[str, Any]:
    clips = [clip for clip in plan.clips if clip.language == language]
    settings = EngineSettings(language, plan.cache, plan.model_dirs.get(language))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(theirs, clips, settings, plan.partials), daemon=True)
    worker.start()
    theirs.close()
    try:
        return _followed(ours, language, len(clips), progress)
    except EOFError:
        worker.join()
        return {"error": f"the recogniser ended its process (exit code {worker.exitcode}); try another model folder"}
    finally:
        ours.close()
        worker.terminate()
        worker.join()


def _followed(worker: Connection, language: str, count: int, progress: Progress) -> dict[str, Any]:
    """Its outcomes one by one, then its figures."""
    done = 0
    while True:
        told = worker.recv()
        if isinstance(told, dict):
            return told
        done += 1
        progress(language, done, count, told)


def _work(parent: Connection, clips: Sequence[Clip], settings: EngineSettings, partials: bool) -> None:
    try:
        figures = evaluate(clips, load_engine(settings), partials=partials, told=parent.send)
    except HeedlineError as error:
        figures = {"error": str(error)}
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        figures = {"error": f"{type(error).__name__}: {error}"}
    except KeyboardInterrupt:
        return
    parent.send(figures)
