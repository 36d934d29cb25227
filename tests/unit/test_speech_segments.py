"""Voice segmentation. The detector is scripted here: what it hears is its own matter."""

from __future__ import annotations

import numpy as np
import pytest

from dialer.speech.engine import FRAME_BYTES
from dialer.speech.segments import Level, Segment, Segmenter

VOICE = np.full(160, 3_000, dtype="<i2").tobytes()
QUIET_VOICE = np.full(160, 300, dtype="<i2").tobytes()
SILENCE = bytes(FRAME_BYTES)


class LoudIsVoice:
    """A detector for which what is not silence is voice."""

    def is_speech(self, frame: bytes, rate: int) -> bool:
        assert (len(frame), rate) == (FRAME_BYTES, 8_000)
        return frame != SILENCE


@pytest.fixture
def segmenter() -> Segmenter:
    """A segmenter with the scripted detector."""
    cut = Segmenter()
    cut._voice = LoudIsVoice()
    return cut


def run(segmenter: Segmenter, *spans: tuple[bytes, int]) -> list[Segment]:
    """Feed spans of (frame, milliseconds); the segments that ended."""
    frames = [frame for frame, milliseconds in spans for _ in range(milliseconds // 20)]
    return [segment for frame in frames if (segment := segmenter.take(frame)) is not None]


def test_segment_has_its_pre_roll_and_hang(segmenter: Segmenter) -> None:
    """A second of speech after a second of silence: 300 ms up to the start's detection before it, 500 ms after it."""
    (segment,) = run(segmenter, (SILENCE, 1_000), (VOICE, 1_000), (SILENCE, 1_000))
    assert (segment.start_ms, segment.end_ms) == (800, 2_500)
    assert segment.pcm.count(VOICE) == 50
    assert segment.pcm.endswith(SILENCE * 25)


def test_clicks_are_no_speech(segmenter: Segmenter) -> None:
    """Four voiced frames of six start nothing."""
    assert run(segmenter, *[(VOICE, 80), (SILENCE, 100)] * 10) == []
    assert not segmenter.is_open


def test_short_pause_does_not_end_a_segment(segmenter: Segmenter) -> None:
    """480 ms without voice are a pause, 500 ms are an end."""
    spans = [(SILENCE, 400), (VOICE, 300), (SILENCE, 480), (VOICE, 300), (SILENCE, 500)]
    (segment,) = run(segmenter, *spans)
    assert segment.end_ms == sum(milliseconds for _, milliseconds in spans)


def test_speech_at_once_starts_at_zero(segmenter: Segmenter) -> None:
    """Speech from the first sample has no pre-roll to take, and none is invented."""
    (segment,) = run(segmenter, (VOICE, 600), (SILENCE, 500))
    assert (segment.start_ms, segment.end_ms) == (0, 1_100)


def test_open_segment_is_seen_and_closed(segmenter: Segmenter) -> None:
    """What is still being said is there so far, and comes out at the end of the stream, once."""
    assert run(segmenter, (SILENCE, 500), (VOICE, 700)) == []
    so_far = segmenter.so_far()
    assert segmenter.is_open
    assert segmenter.close() == so_far
    assert (so_far.start_ms, so_far.end_ms) == (300, 1_200)
    assert segmenter.close() is None


def test_endless_speech_is_cut_at_its_quietest_place(segmenter: Segmenter) -> None:
    """A segment of 12 s is cut in the quiet of its last 3 s, and nothing is lost or doubled."""
    loud = [(VOICE, 10_000), (QUIET_VOICE, 100), (VOICE, 4_000), (SILENCE, 500)]
    first, second = run(segmenter, *loud)
    assert (first.start_ms, second.start_ms) == (0, first.end_ms)
    assert 10_000 < first.end_ms < 10_100
    assert first.pcm + second.pcm == b"".join(frame * (length // 20) for frame, length in loud)


def test_no_segment_is_longer_than_the_longest(segmenter: Segmenter) -> None:
    """A minute of noise that is taken for voice comes in pieces of 12 s at most, which join without a gap."""
    segments = run(segmenter, (VOICE, 60_000), (SILENCE, 500))
    assert max(segment.end_ms - segment.start_ms for segment in segments) <= 12_000
    assert [segment.start_ms for segment in segments[1:]] == [segment.end_ms for segment in segments[:-1]]


def test_second_segment_does_not_reach_into_the_first(segmenter: Segmenter) -> None:
    """The pre-roll of a segment starts after the end of the one before."""
    first, second = run(segmenter, (VOICE, 300), (SILENCE, 500), (SILENCE, 60), (VOICE, 300), (SILENCE, 500))
    assert second.start_ms >= first.end_ms


def test_quiet_speech_is_raised_for_the_detector_alone(segmenter: Segmenter) -> None:
    """The detector hears a quiet stream louder, the recogniser as it came."""
    heard: list[bytes] = []

    class Noting(LoudIsVoice):
        def is_speech(self, frame: bytes, rate: int) -> bool:
            heard.append(frame)
            return super().is_speech(frame, rate)

    segmenter._voice = Noting()
    (segment,) = run(segmenter, (QUIET_VOICE, 4_000), (SILENCE, 500))
    loudest = [int(np.abs(np.frombuffer(frame, dtype="<i2")).max()) for frame in heard]
    assert 400 <= loudest[0] < 410, "at the level that is taken for granted"
    assert loudest[0] < loudest[100] < loudest[199] <= 2_000
    assert segment.pcm == QUIET_VOICE * 200 + SILENCE * 25


def test_loud_speech_is_not_changed_for_the_detector() -> None:
    """What is loud enough stays; after it, quiet sound is raised only slowly, and by 8 at most."""
    level = Level()
    assert level.raised(VOICE) == VOICE
    assert np.frombuffer(level.raised(QUIET_VOICE), dtype="<i2").max() == 300
    for _ in range(3_000):
        raised = level.raised(np.full(160, 10, dtype="<i2").tobytes())
    assert np.frombuffer(raised, dtype="<i2").max() == 80


def test_real_detector_hears_no_voice_in_silence() -> None:
    """webrtcvad finds no segment in ten seconds of digital silence."""
    cut = Segmenter()
    assert run(cut, (SILENCE, 10_000)) == []
    assert not cut.is_open
