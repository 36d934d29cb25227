"""A PBX that is not ours: an INVITE by hand over UDP, whose headers hold what no switch of the lab would send."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Mapping

from agi.pbx.instance import Instance


async def foreign_call(source: str, switch: Instance, callee: str, shown: str, headers: Mapping[str, str]) -> int:
    """Call a switch from an address of which it knows the peer; the final status. TimeoutError when none comes."""
    loop = asyncio.get_running_loop()
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
        udp.setblocking(False)
        udp.bind((source, 0))
        own = f"{source}:{udp.getsockname()[1]}"
        address = (switch.address, switch.sip_port)
        offer = ["v=0", f"o=- 1 1 IN IP4 {source}", "s=-", f"c=IN IP4 {source}", "t=0 0", "m=audio 4000 RTP/AVP 0 8"]
        body = "".join(f"{line}\r\n" for line in offer)
        lines = [
            f"INVITE sip:{callee}@{switch.address}:{switch.sip_port} SIP/2.0",
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{secrets.token_hex(8)};rport",
            f"From: <sip:{shown}@{own}>;tag={secrets.token_hex(4)}",
            f"To: <sip:{callee}@{switch.address}>",
            f"Call-ID: {secrets.token_hex(8)}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{own}>",
            "Max-Forwards: 70",
            *(f"{name}: {value}" for name, value in headers.items()),
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        ]
        await loop.sock_sendto(udp, ("\r\n".join(lines) + "\r\n\r\n" + body).encode(), address)
        async with asyncio.timeout(20):
            while (status := int((await loop.sock_recv(udp, 65536)).split(b" ", 2)[1])) < 200:
                pass
        return status
