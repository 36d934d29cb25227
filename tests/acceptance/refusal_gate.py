"""What the tests of keys add to the fake gate and to the lab: refusals that were told, and what a switch then keeps."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from agi.pbx.lab import Lab
from agi.pbx.manager import Packet
from tests.acceptance.fakegate import Answer, FakeGate

SELLER = {"HEEDLINE_SELLER": "acme", "HEEDLINE_TRUNK": "one"}
PRESSES = "+4917600091"
PRESSES_AND_GOES = "+4917600094"
SAYS_NOTHING = "+4917600093"
ENTRY = f"{PRESSES}/acme"
PRERECORDED = SELLER | {"HEEDLINE_KIND": "prerecorded"}
FIELDS = ("how", "prompt", "receipt", "attempt", "number", "seller", "key", "epoch", "agent", "did", "call")


class Reply(Enum):
    """What the service does when it is told of a refusal."""

    RECORDED = "RECORDED"
    SPOOLED = "SPOOLED"
    INVALID = "INVALID"
    FAILED = "FAILED"
    SILENT = "silent"  # closes without a word
    ABORT = "abort"  # resets the connection in mid-request
    HANG = "hang"  # never answers


UNANSWERED = [Reply.FAILED, Reply.SILENT, Reply.ABORT, Reply.HANG]


@dataclass
class RefusalGate(FakeGate):
    """A gate that allows, and is told of refusals: `told` by the names of `FIELDS`. `stream` is the stream that an
    announcement gets, `ended` what is answered when it has ended."""

    reply: Reply = Reply.RECORDED
    language: str = "en"
    hangup: str = "no"
    stream: str = ""
    ended: str = ""
    told: list[dict[str, str]] = field(default_factory=list)

    def reset(self) -> None:
        super().reset()
        self.reply, self.language, self.hangup = Reply.RECORDED, "en", "no"
        self.stream = self.ended = ""
        self.told.clear()

    async def _answer(
        self, answer: Answer, request: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        script, *arguments = request
        if script == "stream":
            await self._set({"HEEDLINE_STREAM": self.ended if arguments[2] else self.stream}, reader, writer)
        elif script == "refusal":
            self.told.append(dict(zip(FIELDS, arguments, strict=True)))
            await self._reply(reader, writer)
        else:
            await super()._answer(answer, request, reader, writer)

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match self.reply:
            case Reply.SILENT:
                return
            case Reply.ABORT:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case Reply.HANG:
                await reader.read()  # until Asterisk closes
            case status:
                values = {"REFUSAL_STATUS": status.value}
                if status is not Reply.FAILED:
                    values |= {"REFUSAL_LANGUAGE": self.language, "REFUSAL_HANGUP": self.hangup}
                await self._set(values, reader, writer)

    @staticmethod
    async def _set(values: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pairs = ",".join(f"{name}={value}" for name, value in values.items())
        writer.write(f'EXEC MSet "{pairs}"\n'.encode())
        await reader.readline()


async def refusal_event(lab: Lab, within: float = 20) -> Packet:
    """The first refusal that the call centre's switch has come to an end with; its prompt is about to be played."""
    return await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusal", within)


async def heard(lab: Lab, prompt: str, within: float = 20) -> None:
    """Wait until the call centre's switch has played a prompt (`en/heedline-offer`) to its end, or until a key."""
    manager = lab.pbx.manager
    begun = await manager.expect(
        lambda event: event.get("Event") == "Newexten" and event.get("AppData", "").endswith(f"/{prompt}"), within
    )
    status = {"Playback": "PLAYBACKSTATUS", "BackGround": "BACKGROUNDSTATUS"}[begun["Application"]]
    ended = await manager.expect(
        lambda event: (
            event.get("Event") == "VarSet"
            and (event.get("Variable"), event.get("Channel")) == (status, begun["Channel"])
            and manager.events.index(event) > manager.events.index(begun)
        ),
        within,
    )
    assert ended["Value"] == "SUCCESS"


async def kept(lab: Lab) -> dict[str, str]:
    """What the call centre's switch keeps in AstDB: values by callee and seller."""
    entries = {}
    for line in (await lab.pbx.cli("database show heedline-refusal")).splitlines():
        key, separator, value = line.partition(": ")
        if separator and key.startswith("/heedline-refusal/"):
            entries[key.strip().removeprefix("/heedline-refusal/")] = value.strip()
    return entries


async def hung_up(lab: Lab, channel: str, within: float = 20) -> Packet:
    """Wait until a channel of the call centre's switch has ended."""
    return await lab.pbx.manager.expect(
        lambda event: event.get("Event") == "Hangup" and event.get("Channel") == channel, within
    )


async def denied(lab: Lab, callee: str, seller: str = "acme") -> Packet:
    """A call that the switch denies; the event that says so."""
    lab.pbx.manager.events.clear()
    await (await lab.originate(callee, variables=SELLER | {"HEEDLINE_SELLER": seller})).ended()
    return await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineDeny", 10)


@asynccontextmanager
async def without_func_db(lab: Lab) -> AsyncIterator[None]:
    """The dialplan of the call centre's switch neither reads nor writes AstDB meanwhile."""
    manager = lab.pbx.manager
    await manager.action("ModuleLoad", {"LoadType": "unload", "Module": "func_db.so"})
    try:
        yield
    finally:
        await manager.action("ModuleLoad", {"LoadType": "load", "Module": "func_db.so"})
