"""A FastAGI server of forty lines that answers as told: what the switches must withstand, without Heedline itself.

Run as a program (`python -m tests.acceptance.fakegate PORT`) it allows every call; signals can then stop it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
import sys
from dataclasses import dataclass, field
from enum import Enum

PRESENTED = "+4930230000"

# How many arguments a script is called with.
_ARGUMENTS = {"refusal": 11, "stream": 4}


class Answer(Enum):
    """What the gate does with a request."""

    ALLOW = "allow"
    REFUSE = "refuse"
    SILENT = "silent"  # closes without a word
    ABORT = "abort"  # resets the connection in mid-request
    HANG = "hang"  # never answers
    ALLOW_THEN_HANG = "allow then hang"
    NO_PERMIT = "no permit"  # ALLOW without a permit
    NO_CALLEE = "no callee"
    OTHER_WORD = "other word"  # allow, in small letters
    DEFER = "defer"


@dataclass
class FakeGate:
    """One server. `asked` lists `[script, arguments...]` of every request, `redeemed` the permits that were used."""

    host: str = "127.0.0.1"
    port: int = 0
    outbound: Answer = Answer.ALLOW
    egress: Answer = Answer.ALLOW
    asked: list[list[str]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    redeemed: list[str] = field(default_factory=list)
    arrivals: asyncio.Queue[list[str]] = field(default_factory=asyncio.Queue)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        self._server = await asyncio.start_server(self._on_connect, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Allow everything and forget what was asked."""
        self.outbound = self.egress = Answer.ALLOW
        for kept in (self.asked, self.issued, self.redeemed):
            kept.clear()
        self.arrivals = asyncio.Queue()

    def _on_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\n\n")).decode()
            values = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
            script = values["agi_network_script"]
            request = [script, *(values.get(f"agi_arg_{n + 1}", "") for n in range(_ARGUMENTS.get(script, 7)))]
            self.asked.append(request)
            self.arrivals.put_nowait(request)
            await self._answer(self.egress if script == "egress" else self.outbound, request, reader, writer)

    async def _answer(
        self, answer: Answer, request: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if answer is Answer.ABORT:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        if answer is not Answer.SILENT and answer is not Answer.HANG:
            pairs = ",".join(f"{name}={value}" for name, value in self._variables(answer, request).items())
            writer.write(f'EXEC MSet "{pairs}"\n'.encode())
            await reader.readline()
        if answer in (Answer.HANG, Answer.ALLOW_THEN_HANG):
            await reader.read()  # until Asterisk closes

    def _variables(self, answer: Answer, request: list[str]) -> dict[str, str]:
        if answer is Answer.REFUSE or not self._valid(request):
            return {"GATE_VERDICT": "REFUSE", "GATE_REASONS": "NO_CONSENT:REFUSED"}
        values = {
            "GATE_VERDICT": {Answer.DEFER: "DEFER", Answer.OTHER_WORD: "allow"}.get(answer, "ALLOW"),
            "GATE_PERMIT": self._permit(request),
            "GATE_CALLEE": request[1],
            "GATE_PRESENTED": PRESENTED,
            "GATE_ATTEMPT": str(len(self.asked)),
        }
        missing = {Answer.NO_PERMIT: "GATE_PERMIT", Answer.NO_CALLEE: "GATE_CALLEE"}.get(answer)
        return {name: value for name, value in values.items() if name != missing}

    def _valid(self, request: list[str]) -> bool:
        if request[0] == "egress":
            return request[2] in self.issued and request[2] not in self.redeemed
        return "invalid" not in request

    def _permit(self, request: list[str]) -> str:
        if request[0] == "egress":
            self.redeemed.append(request[2])
            return request[2]
        self.issued.append(secrets.token_hex(16))
        return self.issued[-1]


async def _main(port: int) -> None:
    gate = FakeGate(port=port)
    await gate.start()
    print("ready", flush=True)
    while True:
        print(*(await gate.arrivals.get()), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
