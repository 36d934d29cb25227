"""Entry point `stream`: a call that plays an announcement asks for a stream of its audio (AudioSocket), and after it
whether all was said.

Arguments: attempt, the callee's number, the stream that has ended (if one has), the name of the message to play (if it
is not the offer to refuse alone). The answer is one variable: the UUID of a stream to connect to; `done` when the
stream that ended had nothing more to say; or nothing, and then the dialplan plays the announcement itself.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from agi.dialplan.variables import HEEDLINE_STREAM
from agi.server import AgiCall, Route

DONE: Final = "done"

_ATTEMPT = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"\+?[0-9]{2,15}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The dialplan names a sound of the switch, perhaps with its folder; here it is the last part that counts.
_MESSAGE = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}/){0,8}([A-Za-z0-9][A-Za-z0-9_-]{0,63})")
_UNIQUE_ID = re.compile(r"[A-Za-z0-9_.-]{1,120}")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A call that wants a stream: `number` is the callee's, `message` empty for the offer to refuse alone, `call_id`
    the channel's unique id."""

    attempt: int
    number: str
    message: str
    call_id: str


class Announcer(Protocol):
    """What `agi.announce.Announcements` does here. Both methods return at once."""

    def announce(self, request: StreamRequest) -> uuid.UUID | None:
        """Expect the stream of a call; None: there will be none."""

    def said_all(self, stream: uuid.UUID) -> bool:
        """Whether a stream that has ended had nothing more to say."""


def stream(announcer: Announcer) -> Route:
    """The entry point."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        ended = (*call.args, "", "", "")[2]
        if ended:
            known = bool(_UUID.fullmatch(ended)) and announcer.said_all(uuid.UUID(ended))
            return {HEEDLINE_STREAM: DONE if known else ""}
        request = read_request(call)
        ident = announcer.announce(request) if request is not None else None
        return {HEEDLINE_STREAM: str(ident) if ident is not None else ""}

    return Route(entry, fallback={HEEDLINE_STREAM: ""})


def read_request(call: AgiCall) -> StreamRequest | None:
    """What the channel asks; None when it names no attempt, no number, or a message that cannot be one."""
    attempt, number, _, message = (*call.args, *[""] * 4)[:4]
    named = _MESSAGE.fullmatch(message)
    if not _ATTEMPT.fullmatch(attempt) or not int(attempt) or not _NUMBER.fullmatch(number):
        return None
    if message and named is None:
        return None
    call_id = call.uniqueid if _UNIQUE_ID.fullmatch(call.uniqueid) else ""
    return StreamRequest(int(attempt), number, named[1] if named else "", call_id)
