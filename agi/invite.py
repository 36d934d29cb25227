"""What the INVITE on a channel said, for the evidence: its raw headers, read from the channel within the AGI session.

They are read by one command whose text is always the same; what a caller wrote is only ever an answer. A failure to
read them costs the evidence its headers and the call nothing (rule 7).
"""

from __future__ import annotations

from collections.abc import Mapping

from agi.server import AgiCall
from dialer.evidence.entries import HEADER_LIMIT
from dialer.hostile import printable

#: How long a call may wait for them, seconds: with the gate's patience it stays within the server's deadline.
PATIENCE_S = 0.08

# Who is said to call, by what route, and with which program; of two, the two that RFC 3325 and a proxy may bring.
_WANTED = {
    "From": 1, "To": 1, "P-Asserted-Identity": 2, "Remote-Party-ID": 1, "Privacy": 1, "Call-ID": 1, "Contact": 1,
    "User-Agent": 1, "Via": 2,
}  # fmt: skip
_NAMES = [name for name, count in _WANTED.items() for _ in range(count)]
_EXPRESSIONS = [f"PJSIP_HEADER(read,{name},{n + 1})" for name, count in _WANTED.items() for n in range(count)]


async def read_headers(call: AgiCall, patience_s: float = PATIENCE_S) -> Mapping[str, str] | None:
    """The headers of the channel's INVITE that are present, clipped and printable; None when they cannot be had.

    Two of one name are joined by a comma (RFC 3261, section 7.3.1).
    """
    told = await call.ask(_EXPRESSIONS, patience_s)
    if told is None:
        return None
    found: dict[str, list[str]] = {}
    for name, value in zip(_NAMES, told, strict=True):
        if value:
            found.setdefault(name, []).append(value.decode("utf-8", "backslashreplace"))
    return {name: printable(", ".join(values), HEADER_LIMIT) for name, values in found.items()}
