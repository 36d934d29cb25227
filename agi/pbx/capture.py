"""What an Asterisk received, from the SIP messages on the wire: INVITEs, and how calls ended.

Asterisk's own packet logger writes them to a pcap file as they arrive, with the time by this machine's clock; the
dialplan has no say in it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agi.pbx.instance import Instance

_PING_SECONDS = 5
_FILE_HEADER = 24  # bytes
_ETHERNET = 14  # bytes
_UDP_HEADER = 8  # bytes
_RECORD = struct.Struct("<IIII")  # seconds, microseconds, bytes kept, bytes on the wire
_REQUEST = re.compile(rb"([A-Z]+) sips?:([^@;>\s]*)\S* SIP/2\.0\r\n")
_FINAL = re.compile(rb"SIP/2\.0 ([2-6][0-9]{2}) ")
_IN_DIALOG = re.compile(rb"(?im)^(?:to|t)\s*:[^\r\n]*;\s*tag=")
_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)\s*:\s*([^\r\n]*)")
_OF_INVITE = re.compile(rb"(?im)^cseq\s*:\s*[0-9]+\s+INVITE\s*$")


@dataclass(frozen=True, slots=True)
class Invite:
    """One initial INVITE: the user part of its Request-URI, its Call-ID, the whole message, and when it came (seconds
    since 1970-01-01T00:00:00Z, to the microsecond)."""

    number: str
    call_id: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class Ending:
    """What ended, or shall end, the call of a Call-ID: a request (`CANCEL`, `BYE`), or the final status of an INVITE
    (`200` among them, which begins the talk). `at` as in `Invite`."""

    what: str
    call_id: str
    message: str
    at: float


class Tap:
    """The packet log of one running Asterisk."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._current: Path | None = None
        self._files = 0
        self._seen: dict[str, Invite] = {}
        self._endings: dict[tuple[str, str], Ending] = {}

    async def start(self) -> None:
        """Begin to log."""
        await self._turn()
        await self._instance.cli("pjsip set logger on")

    async def invites(self) -> list[Invite]:
        """Every initial INVITE that was sent to this Asterisk since `start`, oldest first."""
        await self._read()
        return list(self._seen.values())

    async def endings(self) -> list[Ending]:
        """Every CANCEL, BYE and final response to an INVITE that was sent to this Asterisk since `start`, the first of
        each kind and Call-ID, oldest first."""
        await self._read()
        return list(self._endings.values())

    async def _read(self) -> None:
        # One socket, read in order: when the ping is answered, whatever was sent before has been logged.
        await ping(self._instance.address, self._instance.sip_port)
        complete = self._current
        await self._turn()
        if complete is not None:
            capture = complete.read_bytes()
            for invite in read_invites(capture):
                self._seen.setdefault(invite.call_id, invite)
            for ending in read_endings(capture):
                self._endings.setdefault((ending.what, ending.call_id), ending)

    async def _turn(self) -> None:
        # The logger flushes a file only when it closes it, which happens under its lock when it is given the next.
        self._files += 1
        self._current = self._instance.folder / "log" / f"wire-{self._files}.pcap"
        await self._instance.cli(f"pjsip set logger pcap {self._current}")


async def ping(address: str, port: int) -> None:
    """Send OPTIONS from the same address and await any answer; TimeoutError after 5 s."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((address, 0))
        sock.connect((address, port))
        own = f"{address}:{sock.getsockname()[1]}"
        ident = secrets.token_hex(8)
        request = (
            f"OPTIONS sip:ping@{address}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{ident}\r\n"
            f"From: <sip:ping@{own}>;tag={ident}\r\nTo: <sip:ping@{address}>\r\nCall-ID: {ident}\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        async with asyncio.timeout(_PING_SECONDS):
            await loop.sock_sendall(sock, request.encode())
            await loop.sock_recv(sock, 65535)


def read_invites(capture: bytes) -> list[Invite]:
    """Initial INVITEs received, one a Call-ID: retransmissions and re-INVITEs do not count."""
    found: dict[str, Invite] = {}
    for at, message in _received(capture):
        line = _REQUEST.match(message)
        head = message.split(b"\r\n\r\n", 1)[0]
        call_id = _CALL_ID.search(head)
        if line and line[1] == b"INVITE" and call_id and not _IN_DIALOG.search(head):
            ident = _text(call_id[1])
            found.setdefault(ident, Invite(_text(line[2]), ident, _text(message), at))
    return list(found.values())


def read_endings(capture: bytes) -> list[Ending]:
    """CANCELs, BYEs and final responses to INVITEs received, the first of each kind and Call-ID."""
    found: dict[tuple[str, str], Ending] = {}
    for at, message in _received(capture):
        head = message.split(b"\r\n\r\n", 1)[0]
        line, call_id = _REQUEST.match(message) or _FINAL.match(message), _CALL_ID.search(head)
        if line is None or call_id is None:
            continue
        what = _text(line[1])
        if what in ("CANCEL", "BYE") or (what.isdecimal() and _OF_INVITE.search(head)):
            ident = _text(call_id[1])
            found.setdefault((what, ident), Ending(what, ident, _text(message), at))
    return list(found.values())


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _received(capture: bytes) -> Iterator[tuple[float, bytes]]:
    """When each UDP datagram (Ethernet, IPv4) came in, and its payload.

    Asterisk knows the other side alone: it writes 0.0.0.0 as the source of what it sends, and the peer's address as
    the source of what it receives.
    """
    offset = _FILE_HEADER
    while offset + _RECORD.size <= len(capture):
        seconds, micros, length, _ = _RECORD.unpack_from(capture, offset)
        start = offset + _RECORD.size + _ETHERNET
        offset += _RECORD.size + length
        packet = capture[start:offset]
        if packet[9] == socket.IPPROTO_UDP and packet[12:16] != bytes(4):
            yield seconds + micros / 1e6, packet[(packet[0] & 0x0F) * 4 + _UDP_HEADER :]
