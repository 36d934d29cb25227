"""The real recognisers on committed clips of telephone speech, through `heedline speech` as people run it."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dialer.phrases import Meaning
from dialer.speech.clips import Clip, read_clips
from dialer.speech.engine import Engine, Hypothesis
from dialer.speech.folders import Kind, recognise
from dialer.speech.hearing import Hearing
from dialer.speech.load import EngineSettings, load_engine
from dialer.speech.wav import read_wav

CLIPS = Path(__file__).parents[1] / "corpus" / "clips"
SILENCE = bytes(24_000)

needs_english = pytest.mark.skipif(
    importlib.util.find_spec("sherpa_onnx") is None, reason="the extra `speech` is not installed"
)
needs_mandarin = pytest.mark.skipif(
    importlib.util.find_spec("ctranslate2") is None, reason="the extra `mandarin` is not installed"
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all tests here share."""
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="module")
def english(cache: Path) -> Engine:
    """The English engine."""
    return load_engine(EngineSettings("en", cache))


@pytest.fixture(scope="module")
def mandarin(cache: Path) -> Engine:
    """The Mandarin engine."""
    return load_engine(EngineSettings("zh", cache))


def clips_in(language: str) -> list[Clip]:
    """The committed clips of a language."""
    return [clip for clip in read_clips(CLIPS) if clip.language == language]


def heard(engine: Engine, clip: Clip, *, partials: bool = False, step: int = 320) -> list[Hypothesis]:
    """All hypotheses of a clip, fed in steps of so many bytes."""
    stream = engine.open(partials=partials)
    pcm = read_wav(clip.file) + SILENCE
    fed = [hypothesis for at in range(0, len(pcm), step) for hypothesis in stream.feed(pcm[at : at + step])]
    return fed + stream.close() + stream.close()


def refuses(engine: Engine, clip: Clip, *, partials: bool) -> bool:
    """Whether a clip is heard as a refusal."""
    hearing = Hearing(clip.language)
    found = [hearing.take(hypothesis) for hypothesis in heard(engine, clip, partials=partials)]
    return any(detection is not None and detection.meaning is Meaning.REFUSAL for detection in found)


def heedline(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "dialer.cli", "speech", *arguments]
    environment = {"HEEDLINE_HOME": str(home), "PATH": "/usr/bin:/bin", "HEEDLINE_LANGUAGE": "en"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)


@needs_english
@pytest.mark.parametrize("partials", [False, True])
def test_english_refusals_are_heard(english: Engine, partials: bool) -> None:
    """Each spoken refusal is found and nothing that resembles one is, with partials and without."""
    clips = clips_in("en")
    assert {clip.text for clip in clips if refuses(english, clip, partials=partials)} == {
        clip.text for clip in clips if clip.refusal
    }


@needs_english
def test_spans_lie_around_the_speech(english: Engine) -> None:
    """The final of a sentence begins before its speech ends, and ends after; engine and hash are told."""
    for clip in clips_in("en"):
        assert clip.speech_end_s is not None
        finals = [hypothesis for hypothesis in heard(english, clip) if hypothesis.final]
        spans = [(hypothesis.start_ms / 1000, hypothesis.end_ms / 1000) for hypothesis in finals]
        assert any(start < clip.speech_end_s <= end for start, end in spans), clip.text
        assert {(hypothesis.engine, len(hypothesis.model)) for hypothesis in finals} == {("moonshine", 64)}


@needs_english
def test_how_audio_is_cut_does_not_matter(english: Engine) -> None:
    """One frame at a time, odd pieces, or all at once give the same hypotheses."""
    clip = clips_in("en")[0]
    assert heard(english, clip, step=320) == heard(english, clip, step=1_001) == heard(english, clip, step=1 << 20)


@needs_english
def test_partials_precede_their_final(english: Engine) -> None:
    """Partials come while the sentence is open, every 0.5 s, with its start; without partials there are none."""
    clip = max(clips_in("en"), key=lambda clip: len(clip.text))
    hypotheses = heard(english, clip, partials=True)
    assert not any(not hypothesis.final for hypothesis in heard(english, clip))
    finals = [hypothesis for hypothesis in hypotheses if hypothesis.final]
    partials = [hypothesis for hypothesis in hypotheses if not hypothesis.final]
    ends = [partial.end_ms for partial in partials if partial.start_ms == finals[0].start_ms]
    assert len(ends) >= 2
    assert all(later - earlier == 500 for earlier, later in itertools.pairwise(ends))
    assert ends[-1] < finals[0].end_ms


@needs_english
def test_streams_do_not_disturb_each_other(english: Engine) -> None:
    """Calls in several threads hear what each hears alone."""
    clips = clips_in("en")
    alone = [heard(english, clip) for clip in clips]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda clip: heard(english, clip), clips)) == alone


@needs_english
def test_closed_stream_hears_no_more(english: Engine) -> None:
    """Audio after the end is ignored."""
    stream = english.open(partials=True)
    stream.close()
    pcm = read_wav(clips_in("en")[0].file)
    assert stream.feed(pcm + SILENCE) == stream.close() == []


@needs_english
def test_model_folder_is_read_like_the_packaged_weights(english: Engine, cache: Path, tmp_path: Path) -> None:
    """The same weights in an administrator's folder give the same words by the engine for folders."""
    from dialer.speech import weights  # noqa: PLC0415 - needs the extra

    files = weights.moonshine(cache)
    for file in (files.encoder, files.decoder, files.tokens):
        shutil.copy(file, tmp_path / file.name)
    assert recognise(tmp_path).kind is Kind.MOONSHINE_MERGED
    engine = load_engine(EngineSettings("en", cache, tmp_path))
    clip = clips_in("en")[0]
    assert engine.name == "sherpa"
    assert [found.text for found in heard(engine, clip)] == [found.text for found in heard(english, clip)]


@needs_mandarin
def test_mandarin_refusals_are_heard(mandarin: Engine) -> None:
    """Spoken refusals in Mandarin are found and nothing that resembles one is."""
    clips = clips_in("zh")
    assert {clip.text for clip in clips if refuses(mandarin, clip, partials=False)} == {
        clip.text for clip in clips if clip.refusal
    }


@needs_english
def test_evaluate_prints_the_figures_as_json(tmp_path: Path) -> None:
    """The JSON has the agreed keys by language, and the figures of these clips."""
    ran = heedline(tmp_path, "evaluate", str(CLIPS), "--json", "--language", "en", "--no-partials")
    figures: dict[str, dict[str, Any]] = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert list(figures["en"])[:7] == [
        "refusals",
        "recalled",
        "negatives",
        "false_alarms",
        "false_alarms_per_hour",
        "latency_p50_s",
        "latency_p95_s",
    ]
    assert {"streams_per_core", "rss_mb"} <= figures["en"].keys()
    assert (figures["en"]["refusals"], figures["en"]["negatives"]) == (4, 4)
    assert 0 < figures["en"]["latency_p50_s"] < 3
    assert figures["en"]["streams_per_core"] > 1
    assert figures["en"]["rss_mb"] > 44, "the weights alone are larger"


@needs_english
def test_language_that_cannot_be_heard_costs_only_itself(tmp_path: Path) -> None:
    """A broken model folder for Mandarin is a note under zh; English is evaluated, and the command succeeds."""
    model = tmp_path / "model"
    model.mkdir()
    for name in ("model.onnx", "tokens.txt"):
        (model / name).write_bytes(b"no model at all")
    index = (CLIPS / "clips.tsv").read_text("utf-8").splitlines()
    kept = tmp_path / "clips"
    kept.mkdir()
    (kept / "clips.tsv").write_text("\n".join([*index[:2], index[-1]]) + "\n", "utf-8")
    for line in (index[1], index[-1]):
        shutil.copy(CLIPS / line.split("\t")[0], kept)
    ran = heedline(tmp_path, "evaluate", str(kept), "--json", "--no-partials", "--model-dir", f"zh={model}")
    figures = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert figures["en"]["recalled"] == 1
    assert list(figures["zh"]) == ["error"]
    assert str(model) in figures["zh"]["error"]


def test_evaluation_of_nothing_fails(tmp_path: Path) -> None:
    """A folder that is none is one line and exit code 1; a model folder that does not exist fails its language."""
    ran = heedline(tmp_path, "evaluate", str(tmp_path / "none"))
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "none` is no folder" in ran.stderr
    ran = heedline(tmp_path, "evaluate", str(CLIPS), "--language", "zh", "--model-dir", f"zh={tmp_path / 'none'}")
    assert ran.returncode == 1
    assert "none` does not exist" in ran.stdout


@needs_english
def test_models_lists_engine_and_hash(tmp_path: Path, english: Engine) -> None:
    """What is installed is listed with the hash that evidence names."""
    ran = heedline(tmp_path, "models", "--json")
    rows = {row["language"]: row for row in json.loads(ran.stdout)}
    assert (rows["en"]["engine"], rows["en"]["model"]) == ("moonshine", english.model)
