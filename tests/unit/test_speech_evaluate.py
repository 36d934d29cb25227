"""The evaluation: what it reads, how it reckons. The recogniser and the matcher are scripted here."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dialer.errors import FileError
from dialer.phrases import Heard, Meaning
from dialer.speech import hearing
from dialer.speech.clips import Clip, read_clips
from dialer.speech.engine import FRAME_BYTES, FRAME_MS, Hypothesis
from dialer.speech.evaluate import evaluate, feed_clip
from dialer.speech.offline import OfflineEngine
from dialer.speech.resample import Samples


def ulaw_wav(seconds: float) -> bytes:
    """Silence as a switch records it."""
    data = b"\xff" * int(seconds * 8_000)
    form = struct.pack("<HHIIHH", 7, 1, 8_000, 8_000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@dataclass
class Script:
    """An engine that says given texts at given milliseconds; what is due later comes at the end of the stream."""

    says: dict[int, str]
    fed: list[int] = field(default_factory=list)
    name: str = "scripted"
    language: str = "en"
    model: str = "00"

    def open(self, *, partials: bool) -> ScriptedCall:
        """A new stream."""
        self.fed.append(0)
        return ScriptedCall(self)


@dataclass
class ScriptedCall:
    """One stream of it."""

    script: Script

    def feed(self, pcm: bytes) -> list[Hypothesis]:
        """What is said within these frames."""
        assert len(pcm) == FRAME_BYTES
        self.script.fed[-1] += FRAME_MS
        return list(self._said(self.script.fed[-1] - FRAME_MS, self.script.fed[-1]))

    def close(self) -> list[Hypothesis]:
        """What is said after the end."""
        return list(self._said(self.script.fed[-1], 1_000_000))

    def _said(self, start: int, end: int) -> Iterator[Hypothesis]:
        for at, text in self.script.says.items():
            if start < at <= end:
                yield Hypothesis(text, True, max(0, at - 500), at, "en", "scripted", "00")


@pytest.fixture(autouse=True)
def _matcher_and_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matcher that knows three words, and CPU time that stands still."""
    meanings = {"stop": Meaning.REFUSAL, "hm": Meaning.NEAR_MISS}
    monkeypatch.setattr(hearing, "judge", lambda text, _: Heard(meanings.get(text, Meaning.NOTHING), text, "rule"))
    monkeypatch.setattr(time, "process_time", lambda: 0.0)


def clip(tmp_path: Path, *, refusal: bool, seconds: float = 2.0, speech_end_s: float | None = 1.5) -> Clip:
    """A clip of silence; what is heard in it is the script's."""
    file = tmp_path / f"{refusal}-{seconds}.wav"
    file.write_bytes(ulaw_wav(seconds))
    return Clip(file, refusal, "en", speech_end_s, "words")


def folder(tmp_path: Path, *lines: str) -> Path:
    """A folder of clips with this index, and one recording in each place."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").write_bytes(ulaw_wav(0.1))
    (tmp_path / "b.wav").write_bytes(ulaw_wav(0.1))
    (tmp_path / "clips.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def test_latency_is_from_the_end_of_the_speech(tmp_path: Path) -> None:
    """A refusal that is heard 0.5 s after the speech has ended has that latency."""
    outcome = feed_clip(clip(tmp_path, refusal=True), Script({2_000: "stop"}).open(partials=False))
    assert outcome.refusal is not None
    assert outcome.latency_s == pytest.approx(0.5)


def test_latency_is_negative_before_the_end(tmp_path: Path) -> None:
    """A partial may find a refusal before it is spoken to the end."""
    outcome = feed_clip(clip(tmp_path, refusal=True), Script({1_000: "stop"}).open(partials=True))
    assert outcome.latency_s == pytest.approx(-0.5)


def test_silence_follows_each_clip(tmp_path: Path) -> None:
    """What comes only at the end of the stream comes 1.5 s after the recording's end."""
    script = Script({900_000: "stop"})
    outcome = feed_clip(clip(tmp_path, refusal=True, seconds=2.01), script.open(partials=False))
    assert script.fed == [3_520]
    assert outcome.latency_s == pytest.approx(2.02)


def test_slow_decoding_counts_as_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU time is added, and a recogniser slower than the call falls ever further behind."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(time, "process_time", lambda: next(ticks) * 0.03)
    outcome = feed_clip(clip(tmp_path, refusal=True), Script({2_000: "stop"}).open(partials=False))
    assert outcome.latency_s == pytest.approx(0.02 + 100 * 0.03 - 1.5)


def test_figures_count_each_kind(tmp_path: Path) -> None:
    """Recalled refusals, false alarms and near misses are counted by clip, false alarms also by hour of negatives."""
    clips = [
        clip(tmp_path, refusal=True),
        clip(tmp_path, refusal=True, speech_end_s=None),
        clip(tmp_path, refusal=False, seconds=36.0),
    ]
    told: list[bool] = []
    figures = evaluate(
        clips, Script({2_000: "stop"}), partials=False, told=lambda outcome: told.append(outcome.refusal is not None)
    )
    assert told == [True] * 3
    assert (figures["refusals"], figures["recalled"], figures["negatives"], figures["false_alarms"]) == (2, 2, 1, 1)
    assert figures["false_alarms_per_hour"] == 100.0
    assert figures["latency_p50_s"] == figures["latency_p95_s"] == 0.5
    assert figures["engine"] == "scripted"
    assert figures["rss_mb"] > 1


def test_near_miss_is_neither(tmp_path: Path) -> None:
    """A near miss is no recalled refusal and no false alarm."""
    clips = [clip(tmp_path, refusal=True), clip(tmp_path, refusal=False)]
    figures = evaluate(clips, Script({1_000: "hm"}), partials=False, told=lambda _: None)
    assert (figures["recalled"], figures["false_alarms"], figures["near_misses"]) == (0, 0, 2)
    assert figures["latency_p50_s"] is None


def test_false_alarms_an_hour_need_negatives(tmp_path: Path) -> None:
    """Without negatives there is no such figure."""
    figures = evaluate([clip(tmp_path, refusal=True)], Script({}), partials=False, told=lambda _: None)
    assert figures["false_alarms_per_hour"] is None


def test_latency_at_95_percent_is_one_that_was_measured(tmp_path: Path) -> None:
    """Of twenty the nineteenth."""
    clips = [clip(tmp_path, refusal=True, speech_end_s=number / 10) for number in range(20)]
    figures = evaluate(clips, Script({2_000: "stop"}), partials=False, told=lambda _: None)
    assert (figures["latency_p50_s"], figures["latency_p95_s"]) == (1.05, 1.9)


def test_clips_are_found_in_both_places(tmp_path: Path) -> None:
    """Files are looked for in `clips/` and beside the index; quotation marks belong to the text; lines may be empty."""
    index = ("file\trefusal\tlang\tspeech_end_s\ttext", 'a.wav\t1\ten-GB\t1.25\t"stop', "", "b.wav\t0\tzh\t\t")
    first, second = read_clips(folder(tmp_path, *index))
    assert (first.file.parent.name, first.refusal, first.language, first.text) == ("clips", True, "en", '"stop')
    assert (second.file.name, second.refusal, second.language, second.speech_end_s) == ("b.wav", False, "zh", None)


def test_three_columns_are_enough(tmp_path: Path) -> None:
    """Any order of columns, and only the needed ones."""
    (found,) = read_clips(folder(tmp_path, "lang\tfile\trefusal", "zh\ta.wav\t0"))
    assert (found.language, found.speech_end_s) == ("zh", None)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((), "line 1 has no column `file`"),
        (("file\tlang", "a.wav\ten"), "line 1 has no column `refusal`"),
        (("file\trefusal\tlang",), "lists no clips"),
        (("file\trefusal\tlang", "a.wav\t1\ten", "a.wav\tyes\ten"), "line 3: `refusal` is `yes`"),
        (("file\trefusal\tlang", "a.wav"), "line 2: `refusal` is ``"),
        (("file\trefusal\tlang", "a.wav\t1\t"), "line 2: `lang` is ``"),
        (("file\trefusal\tlang", "c.wav\t1\ten"), "line 2: there is no `c.wav`"),
        (("file\trefusal\tlang", "../a.wav\t1\ten"), r"line 2: `file` is `\.\./a\.wav`"),
        (("file\trefusal\tlang", "/etc/hostname\t1\ten"), "line 2: `file` is `/etc/hostname`"),
        (("file\trefusal\tlang\tspeech_end_s", "a.wav\t1\ten\tnan"), "line 2: `speech_end_s` is `nan`"),
        (("file\trefusal\tlang", "clips.tsv\t1\ten"), r"clips\.tsv` is no WAV file"),
    ],
)
def test_bad_folder_is_one_clear_error(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    """The error names the file, and the line where there is one."""
    with pytest.raises(FileError, match=problem):
        read_clips(folder(tmp_path, *lines))


def test_index_of_other_bytes_is_an_error(tmp_path: Path) -> None:
    """An index that is no text, or is not there, is named."""
    with pytest.raises(FileError, match=r"clips\.tsv` cannot be read"):
        read_clips(tmp_path)
    (tmp_path / "clips.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="it is not UTF-8"):
        read_clips(tmp_path)
    with pytest.raises(FileError, match="is no folder"):
        read_clips(tmp_path / "clips.tsv")


@pytest.mark.parametrize(("finals_alone", "expected"), [(False, 2), (True, 1)])
def test_engine_of_finals_alone_gives_no_partials(finals_alone: bool, expected: int) -> None:
    """A model whose pieces all cost the same is not asked while the callee speaks, whatever is wished."""
    asked: list[int] = []

    def decode(samples: Samples) -> str:
        asked.append(samples.size)
        return "words"

    stream = OfflineEngine("scripted", "en", "00", decode, finals_alone=finals_alone).open(partials=True)
    stream._segmenter._frames = [bytes(FRAME_BYTES)]
    stream._segmenter._unvoiced = -10
    assert len(stream.feed(bytes(FRAME_BYTES * 36))) == expected
    assert len(asked) == expected
