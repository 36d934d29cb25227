"""Count the INVITEs that an Asterisk received, from the SIP messages on the wire.

Asterisk's own packet logger writes them to a pcap file as they arrive; the dialplan has no say in it.
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
_INVITE = re.compile(rb"INVITE sips?:([^@;>\s]*)\S* SIP/2\.0\r\n")
_IN_DIALOG = re.compile(rb"(?im)^(?:to|t)\s*:[^\r\n]*;\s*tag=")
_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)\s*:\s*([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Invite:
    """One initial INVITE: the user part of its Request-URI, its Call-ID, and the whole message."""

    number: str
    call_id: str
    message: str


class Tap:
    """The packet log of one running Asterisk."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._current: Path | None = None
        self._files = 0
        self._seen: dict[str, Invite] = {}

    async def start(self) -> None:
        """Begin to log."""
        await self._turn()
        await self._instance.cli("pjsip set logger on")

    async def invites(self) -> list[Invite]:
        """Every initial INVITE that was sent to this Asterisk since `start`, oldest first."""
        # One socket, read in order: when the ping is answered, whatever was sent before has been logged.
        await ping(self._instance.address, self._instance.sip_port)
        complete = self._current
        await self._turn()
        if complete is not None:
            for invite in read_invites(complete.read_bytes()):
                self._seen.setdefault(invite.call_id, invite)
        return list(self._seen.values())

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
    for message in _received(capture):
        line = _INVITE.match(message)
        head = message.split(b"\r\n\r\n", 1)[0]
        call_id = _CALL_ID.search(head)
        if line and call_id and not _IN_DIALOG.search(head):
            ident = call_id[1].decode(errors="replace")
            found.setdefault(ident, Invite(line[1].decode(errors="replace"), ident, message.decode(errors="replace")))
    return list(found.values())


def _received(capture: bytes) -> Iterator[bytes]:
    """Payload of each UDP datagram (Ethernet, IPv4) that came in.

    Asterisk knows the other side alone: it writes 0.0.0.0 as the source of what it sends, and the peer's address as
    the source of what it receives.
    """
    offset = _FILE_HEADER
    while offset + _RECORD.size <= len(capture):
        length = _RECORD.unpack_from(capture, offset)[2]
        start = offset + _RECORD.size + _ETHERNET
        offset += _RECORD.size + length
        packet = capture[start:offset]
        if packet[9] == socket.IPPROTO_UDP and packet[12:16] != bytes(4):
            yield packet[(packet[0] & 0x0F) * 4 + _UDP_HEADER :]
