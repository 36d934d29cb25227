"""One question to a channel within an AGI session, whose answer may hold any text that a caller sent.

AGI answers with a line, and a value may hold a line break: such text could pass for what the PBX itself says next. So
each value stands behind a mark drawn at random for this question alone, and the answer ends at a last one of its own,
wherever line breaks may be.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence

_HANGUP = b"HANGUP\n"
_EXPRESSION = re.compile(r"[A-Za-z_]+(?:\([A-Za-z0-9_,\-]*\))?")
# What is kept of an answer. Asterisk 22 gives 4096 bytes of one value at most.
_MOST = 64 * 1024


class Question:
    """Reads dialplan functions or variables (`PJSIP_HEADER(read,From)`) of a channel by one command.

    `told` becomes the values, in order, hostile bytes each; or None when the PBX did not answer as asked.
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        """Raises `ValueError` for what is no plain name or call: a programming error, never a caller's text."""
        if not expressions or not all(_EXPRESSION.fullmatch(each) for each in expressions):
            raise ValueError(f"these cannot be asked: {list(expressions)!a}")
        mark, last = secrets.token_hex(8), secrets.token_hex(8)
        asked = "".join(f"{mark}${{{each}}}" for each in expressions)
        self.command = f"GET FULL VARIABLE {asked}{last}\n".encode()
        self.told: asyncio.Future[list[bytes] | None] = asyncio.get_running_loop().create_future()
        self.over = False
        self._count, self._mark = len(expressions), mark.encode()
        self._begin, self._end = b"200 result=1 (" + self._mark, last.encode() + b")\n"
        self._buffer = bytearray()
        self._searched = 0
        self._too_long = False

    def feed(self, data: bytes) -> bytes:
        """Take what the PBX said; returned is what does not belong to the answer."""
        self._buffer += data
        before = self._hangups()
        begun = self._buffer.startswith(self._begin) or self._too_long
        if not begun and self._begin.startswith(self._buffer):
            return before
        end = self._find_end() if begun else self._buffer.find(b"\n") + 1
        if not end:
            return before
        values = bytes(self._buffer[: end - len(self._end)]).split(self._mark)[1:] if begun else []
        rest = bytes(self._buffer[end:])
        self.close(None if self._too_long or len(values) != self._count else values)
        return before + rest

    def close(self, values: list[bytes] | None = None) -> None:
        """No more will be said."""
        self.over = True
        self._buffer.clear()
        if not self.told.done():
            self.told.set_result(values)

    def _hangups(self) -> bytes:
        """What Asterisk may say before the answer, and what may become that."""
        count = 0
        while self._buffer.startswith(_HANGUP):
            del self._buffer[: len(_HANGUP)]
            count += 1
        return _HANGUP * count

    def _find_end(self) -> int:
        """Where the answer ends, or 0. Of one that is too long only what its end may be in is kept."""
        found = self._buffer.find(self._end, self._searched)
        if found >= 0:
            return found + len(self._end)
        if len(self._buffer) > _MOST:
            self._too_long = True
            del self._buffer[: -len(self._end)]
        self._searched = max(0, len(self._buffer) - len(self._end))
        return 0
