"""Audio as it comes, cut into whole frames."""

from __future__ import annotations

from collections.abc import Iterator

from dialer.speech.engine import FRAME_BYTES


class Frames:
    """Cuts a stream of bytes into 20 ms frames; what is left over waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, pcm: bytes) -> Iterator[bytes]:
        """The whole frames there are now."""
        heard = self._rest + pcm if self._rest else pcm
        whole = len(heard) // FRAME_BYTES * FRAME_BYTES
        self._rest = heard[whole:]
        for at in range(0, whole, FRAME_BYTES):
            yield heard[at : at + FRAME_BYTES]
