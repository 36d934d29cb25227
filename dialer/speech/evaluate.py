"""How well, how fast and at what price a recogniser finds refusals in a folder of clips.

Each clip is fed as a call would be, 20 ms at a time, through what the live listener uses: engine, `Hearing`, matcher.
Time is reckoned, not waited for: the clock stands at the audio consumed so far, plus the CPU time that it cost.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dialer.phrases import Meaning
from dialer.speech.clips import Clip
from dialer.speech.engine import FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ, Engine, Hypothesis, Stream
from dialer.speech.hearing import Detection, Hearing
from dialer.speech.wav import read_wav

TRAILING_SILENCE_MS: Final = 1_500
"""Fed after each clip, as the line stays open after a sentence."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one clip led to. `latency_s`: from the end of the speech to the refusal; negative when it came before."""

    clip: Clip
    audio_s: float
    refusal: Detection | None
    near_miss: Detection | None
    latency_s: float | None
    transcript: str


@dataclass(slots=True)
class _Feed:
    """One clip's simulated call."""

    clip: Clip
    hearing: Hearing
    consumed_s: float = 0.0
    clock_s: float = 0.0
    refusal: Detection | None = None
    refused_at_s: float = 0.0
    near_miss: Detection | None = None
    finals: list[str] = field(default_factory=list)

    def step(self, hypotheses: Callable[[], list[Hypothesis]]) -> None:
        started = time.process_time()
        detections = [self.hearing.take(hypothesis) for hypothesis in self._noted(hypotheses())]
        self.clock_s = max(self.clock_s, self.consumed_s) + time.process_time() - started
        for detection in detections:
            if detection is None:
                continue
            if detection.meaning is Meaning.REFUSAL:
                self.refusal, self.refused_at_s = detection, self.clock_s
            else:
                self.near_miss = self.near_miss or detection

    def _noted(self, hypotheses: list[Hypothesis]) -> Iterable[Hypothesis]:
        self.finals += [hypothesis.text for hypothesis in hypotheses if hypothesis.final]
        return hypotheses


def feed_clip(clip: Clip, stream: Stream) -> Outcome:
    """Feed one clip and the silence after it. Raises `FileError` when it cannot be read."""
    pcm = read_wav(clip.file)
    audio_s = len(pcm) / 2 / SAMPLE_RATE_HZ
    pcm += bytes(-len(pcm) % FRAME_BYTES + FRAME_BYTES * TRAILING_SILENCE_MS // FRAME_MS)
    call = _Feed(clip, Hearing(clip.language))
    for at in range(0, len(pcm), FRAME_BYTES):
        call.consumed_s += FRAME_MS / 1000
        frame = pcm[at : at + FRAME_BYTES]
        call.step(lambda frame=frame: stream.feed(frame))  # type: ignore[misc]
    call.step(stream.close)
    known = call.refusal is not None and clip.speech_end_s is not None
    latency_s = call.refused_at_s - (clip.speech_end_s or 0.0) if known else None
    return Outcome(clip, audio_s, call.refusal, call.near_miss, latency_s, " / ".join(call.finals))


def evaluate(
    clips: Sequence[Clip], engine: Engine, *, partials: bool, told: Callable[[Outcome], None]
) -> dict[str, Any]:
    """The figures of one language's clips; `told` of each clip as it is done. Raises `FileError`.

    Counts CPU time and memory of the whole process: nothing else should run in it.
    """
    outcomes: list[Outcome] = []
    cpu_s = 0.0
    for clip in clips:
        started = time.process_time()
        outcomes.append(feed_clip(clip, engine.open(partials=partials)))
        cpu_s += time.process_time() - started
        told(outcomes[-1])
    return {
        **_figures(outcomes),
        "streams_per_core": round(_fed_seconds(outcomes) / max(cpu_s, 1e-6), 1),
        "rss_mb": round(resident_bytes() / 1e6),
        "engine": engine.name,
        "model": engine.model,
        "partials": partials,
    }


def _fed_seconds(outcomes: Sequence[Outcome]) -> float:
    return sum(outcome.audio_s + TRAILING_SILENCE_MS / 1000 for outcome in outcomes)


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    refusals = [outcome for outcome in outcomes if outcome.clip.refusal]
    negatives = [outcome for outcome in outcomes if not outcome.clip.refusal]
    alarms = sum(outcome.refusal is not None for outcome in negatives)
    hours = sum(outcome.audio_s for outcome in negatives) / 3600
    latencies = sorted(
        outcome.latency_s for outcome in refusals if outcome.refusal is not None and outcome.latency_s is not None
    )
    return {
        "refusals": len(refusals),
        "recalled": sum(outcome.refusal is not None for outcome in refusals),
        "negatives": len(negatives),
        "false_alarms": alarms,
        "false_alarms_per_hour": round(alarms / hours, 2) if hours else None,
        "latency_p50_s": _rounded(statistics.median(latencies)) if latencies else None,
        "latency_p95_s": _rounded(latencies[math.ceil(0.95 * len(latencies)) - 1]) if latencies else None,
        "near_misses": sum(outcome.near_miss is not None and outcome.refusal is None for outcome in outcomes),
        "audio_s": round(sum(outcome.audio_s for outcome in outcomes), 1),
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 2)


def resident_bytes() -> int:
    """Memory of this process that is resident now; the most it ever was where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
