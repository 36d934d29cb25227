"""One call's ear: the queue of its audio, its recogniser's stream, and what was understood.

The loop puts audio in; one worker at a time takes a turn. Times are milliseconds of what was recognised, silence that
stands for missing audio included.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, thread_time
from typing import Protocol, cast

from dialer.hostile import printable
from dialer.speech.engine import FRAME_BYTES, FRAME_MS, Engine, Hypothesis, Stream
from dialer.speech.hearing import Detection, Hearing
from dialer.speech.recent import AFTER_MS, Recent

GAP_S = 0.3
"""A callee who sends nothing for longer is silent: switches pass on only what comes."""

QUEUE_S = 15.0
"""Audio that may wait. When there is more, all but the last `KEPT_S` is dropped and counted: what is recognised of
an overloaded call are whole stretches, none of them old."""

KEPT_S = 5.0

_BYTES_PER_S = FRAME_BYTES * 1_000 // FRAME_MS
# A turn is asked for when so much waits, and takes no more than that: calls take turns.
_TURN_BYTES, _LONGEST_TURN_BYTES = _BYTES_PER_S // 10, _BYTES_PER_S
# Nobody speaks when nothing came of so much audio: of one that gives partials, and of one that gives finals alone.
_QUIET_MS, _LONGEST_SEGMENT_MS = 1_500, 15_000
# In place of audio that was dropped: longer than a pause within a sentence (`dialer.speech.hearing.JOIN_GAP_MS`).
_BREAK = bytes(2 * _BYTES_PER_S)


@dataclass(frozen=True, slots=True)
class Told:
    """A detection, and the WAV file of what was said with what surrounds it."""

    detection: Detection
    clip: bytes


class Desk(Protocol):
    """What an ear needs of those who listen."""

    @property
    def partials(self) -> bool:
        """Whether callees are recognised while they still speak."""

    def wants_turn(self, ear: Ear) -> None:
        """The ear has something to recognise, and is in no worker's hands. Any thread."""

    def shed(self, seconds: float) -> None:
        """Audio was not recognised; on the loop."""

    def to_loop(self, call: Callable[[], None]) -> None:
        """Call on the loop, from a worker."""

    def tells(self, told: Callable[[Told], None], what: Told) -> None:
        """Deliver a detection; on the loop."""

    def left(self, ear: Ear, heard_s: float, failure: str) -> None:
        """The ear is done; on the loop."""


class Ear:
    """One call's. `audio`, `close`, `fill_gap` and `lag` are the loop's, `turn` a worker's."""

    def __init__(self, engine: Engine, told: Callable[[Told], None], desk: Desk) -> None:
        self._engine, self._told, self._desk = engine, told, desk
        self._hearing = Hearing(engine.language)
        self._recent = Recent()
        self._lock = threading.Lock()  # of the fields up to `_deaf`; held for an instant
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._waiting_bytes = 0
        self._broken = False  # audio was dropped before what waits
        self._in_turn = False
        self._turn_since: float | None = None
        self._closed = False
        self._deaf = False  # nothing more is recognised
        self._given_up = False
        self._last_audio: float | None = None
        self._filled_until = 0.0
        self._stream: Stream | None = None
        self._with_partials = False
        self._start_ms = 0  # of the recogniser's stream
        self._done_ms = 0
        self._spoke_ms = 0
        self._rest = b""

    # The loop's side.

    def audio(self, pcm: bytes) -> None:
        """What was heard now; any even number of bytes."""
        self._last_audio = self._filled_until = monotonic()
        self._put(self._last_audio, pcm)

    def fill_gap(self, now: float) -> None:
        """Where audio is missing up to now, the callee was silent."""
        if self._last_audio is None or now - self._last_audio <= GAP_S:
            return
        samples = int((now - self._filled_until) * _BYTES_PER_S) // 2
        self._filled_until += samples * 2 / _BYTES_PER_S
        self._put(now, bytes(samples * 2))

    @property
    def deaf(self) -> bool:
        """Whether nothing more is recognised: he has refused, his recogniser failed, or he was given up."""
        return self._deaf

    def give_up(self) -> None:
        """Recognise nothing more, so that others are heard; what waits and what comes is counted as shed."""
        with self._lock:
            self._deaf = self._given_up = True
            dropped = self._waiting_bytes
            self._waiting.clear()
            self._waiting_bytes = 0
        self._desk.shed(dropped / _BYTES_PER_S)

    def close(self) -> None:
        """No more comes: what is queued is recognised to its end. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            asks = self._asks(0)
        if asks:
            self._desk.wants_turn(self)

    def lag(self, now: float) -> float:
        """How long the oldest audio has been waiting until it is recognised; seconds."""
        with self._lock:
            since = [self._turn_since] if self._turn_since is not None else []
            if self._waiting_bytes >= _TURN_BYTES:
                since.append(self._waiting[0][0])
        return max((now - at for at in since), default=0.0)

    def _put(self, now: float, pcm: bytes) -> None:
        shed, asks = 0, False
        with self._lock:
            if self._given_up:
                shed = len(pcm)
            elif not self._closed and not self._deaf:
                shed = self._drop_old() if self._waiting_bytes + len(pcm) > QUEUE_S * _BYTES_PER_S else 0
                self._waiting.append((now, pcm))
                self._waiting_bytes += len(pcm)
                asks = self._asks(_TURN_BYTES)
        if shed:
            self._desk.shed(shed / _BYTES_PER_S)
        if asks:
            self._desk.wants_turn(self)

    def _drop_old(self) -> int:
        """Make room in the queue; the bytes that were dropped. The lock is held."""
        before = self._waiting_bytes
        while self._waiting_bytes > KEPT_S * _BYTES_PER_S:
            self._waiting_bytes -= len(self._waiting.popleft()[1])
        self._broken = True
        return before - self._waiting_bytes

    def _asks(self, least: int) -> bool:
        """Whether a turn is to be asked for now; the lock is held."""
        if self._in_turn or self._waiting_bytes < least:
            return False
        self._in_turn = True
        return True

    # A worker's side.

    def turn(self) -> float:
        """Recognise a little of what waits; the seconds of computing that it took. Never raises."""
        began = thread_time()
        pcm, last = self._take()
        try:
            self._recognise(pcm, last=last)
            failure = ""
        except Exception as error:  # it costs this stream alone
            failure = printable(f"{type(error).__name__}: {error}")
        self._end_turn(last=last, failure=failure)
        return thread_time() - began

    def _take(self) -> tuple[bytes, bool]:
        """Audio for one turn, and whether it is the last."""
        taken: list[bytes] = []
        size = 0
        with self._lock:
            silence, self._broken = _BREAK if self._broken else b"", False
            self._turn_since = self._waiting[0][0] if self._waiting else None
            while self._waiting and size < _LONGEST_TURN_BYTES:
                taken.append(self._waiting.popleft()[1])
                size += len(taken[-1])
            self._waiting_bytes -= size
            return silence + b"".join(taken), self._closed and not self._waiting

    def _end_turn(self, *, last: bool, failure: str) -> None:
        done = last or bool(failure)
        with self._lock:
            self._turn_since = None
            if failure or self._hearing.refused:
                self._deaf = True
                self._waiting.clear()
                self._waiting_bytes = 0
            # one that is done stays in its last turn, and asks for none again
            self._in_turn = done
            again = self._asks(0 if self._closed else _TURN_BYTES)
        if done:
            self._desk.to_loop(partial(self._desk.left, self, self._done_ms / 1_000, failure))
        elif again:
            self._desk.wants_turn(self)

    def _recognise(self, pcm: bytes, *, last: bool) -> None:
        if self._hearing.refused:
            return
        pcm = self._whole_frames(pcm, last=last)
        if self._stream is None:
            self._open_stream()
        stream = cast("Stream", self._stream)
        self._recent.add(pcm)
        self._done_ms += len(pcm) * FRAME_MS // FRAME_BYTES
        found = stream.feed(pcm) if pcm else []
        self._understand(found)
        if last:
            self._understand(stream.close())
        elif self._desk.partials != self._with_partials and self._nobody_speaks(found):
            self._understand(stream.close())
            self._open_stream()

    def _whole_frames(self, pcm: bytes, *, last: bool) -> bytes:
        pcm = self._rest + pcm
        whole = len(pcm) // FRAME_BYTES * FRAME_BYTES
        if last and whole < len(pcm):
            return pcm.ljust(whole + FRAME_BYTES, b"\0")
        self._rest = pcm[whole:]
        return pcm[:whole]

    def _open_stream(self) -> None:
        self._with_partials = self._desk.partials
        self._stream = self._engine.open(partials=self._with_partials)
        self._start_ms = self._spoke_ms = self._done_ms

    def _nobody_speaks(self, found: list[Hypothesis]) -> bool:
        """Whether the recogniser can be exchanged without cutting a sentence."""
        if found:
            return found[-1].final
        quiet_ms = self._done_ms - self._spoke_ms
        return quiet_ms >= (_QUIET_MS if self._with_partials else _LONGEST_SEGMENT_MS)

    def _understand(self, found: list[Hypothesis]) -> None:
        if found:
            self._spoke_ms = self._done_ms
        for hypothesis in found:
            start_ms, end_ms = hypothesis.start_ms + self._start_ms, hypothesis.end_ms + self._start_ms
            detection = self._hearing.take(replace(hypothesis, start_ms=start_ms, end_ms=end_ms))
            if detection is not None:
                clip = self._recent.clip(detection.start_ms, detection.end_ms, self._rest + self._what_follows())
                self._desk.to_loop(partial(self._desk.tells, self._told, Told(detection, clip)))

    def _what_follows(self) -> bytes:
        """What waits now, as far as a clip may need it."""
        taken: list[bytes] = []
        with self._lock:
            for _, pcm in self._waiting:
                taken.append(pcm)
                if len(taken) * FRAME_MS >= AFTER_MS:
                    break
        return b"".join(taken)
