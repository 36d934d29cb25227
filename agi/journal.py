"""What the FastAGI server writes down: counters, and log lines that hostile text can neither break nor flood."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from agi.wire import Failure, Wire

_log = logging.getLogger("heedline.agi")

# The peer's own doing, and common: worth a line, not an operator's attention.
_ORDINARY = frozenset({Failure.HANGUP, Failure.CLOSED})
_LINES_A_SECOND = 10
_SHOWN = (("route", "agi_network_script"), ("channel", "agi_channel"), ("uniqueid", "agi_uniqueid"))


@dataclass(slots=True)
class ServerStats:
    """Counters since the start. `accepted` = `answered` + all `refused` + those `connections` that are undecided."""

    accepted: int = 0
    answered: int = 0
    refused: dict[Failure, int] = field(default_factory=lambda: dict.fromkeys(Failure, 0))
    connections: int = 0
    in_progress: int = 0
    log_lines_dropped: int = 0


class Journal:
    """Log lines of `key=value`, at most `_LINES_A_SECOND` of each kind. Hostile text is quoted and clipped."""

    def __init__(self, stats: ServerStats) -> None:
        self._stats = stats
        self._written: dict[str, tuple[int, int]] = {}

    def refusal(self, wire: Wire, headers: Mapping[str, str] | None, failure: Failure) -> None:
        """A request that failed."""
        if self._may_write(failure.value):
            level = logging.INFO if failure in _ORDINARY else logging.WARNING
            _log.log(level, "agi refused failure=%s %s", failure.value, _who(wire, headers))

    def fault(self, wire: Wire, headers: Mapping[str, str] | None, error: Exception) -> None:
        """An exception of a route or a hook."""
        if self._may_write("exception"):
            what, who = _what(error), _who(wire, headers)
            _log.error("agi fault %s %s", what, who)

    def _may_write(self, kind: str) -> bool:
        second = int(monotonic())
        last, lines = self._written.get(kind, (second, 0))
        lines = lines + 1 if last == second else 1
        self._written[kind] = (second, lines)
        if lines > _LINES_A_SECOND:
            self._stats.log_lines_dropped += 1
        return lines <= _LINES_A_SECOND


def _what(error: Exception) -> str:
    # no traceback: it would print the exception's text as it is, which may hold the caller's
    frames = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    where = " < ".join(os.path.basename(frame) for frame in reversed(frames[-3:]))
    return f"error={type(error).__name__} text={_quote(str(error), 200)} where={_quote(where, 200)}"


def _who(wire: Wire, headers: Mapping[str, str] | None) -> str:
    peer = f"peer={_quote(peer_name(wire))}"
    if headers is None:
        return peer
    texts = [f"{name}={_quote(headers.get(key, ''))}" for name, key in _SHOWN]
    return " ".join([peer, *texts])


def peer_name(wire: Wire) -> str:
    """Address of the other end, `host:port`; empty when the connection is gone."""
    name: Any = wire.transport.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else ""


def _quote(text: str, most: int = 64) -> str:
    """ASCII between double quotes, on one line whatever the text holds."""
    return json.dumps(text[:most])
