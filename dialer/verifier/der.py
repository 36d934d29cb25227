"""DER (X.690) as far as time stamps need it: definite, shortest lengths, one-byte tags, nothing behind. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from .words import Fault

BOOLEAN, INTEGER, OCTETS, NULL, OID, TIME = 0x01, 0x02, 0x04, 0x05, 0x06, 0x18
SEQUENCE, SET = 0x30, 0x31
_MOST_CHILDREN = 1000
_TIME = re.compile(rb"([0-9]{14})(?:\.([0-9]{1,9}))?Z")


class DerFault(Fault):
    """Bytes that are not the DER that they should be."""

    def __init__(self, english: str = "it is not DER of the form that it should have", chinese: str = "") -> None:
        super().__init__(english, chinese or "不是应有形式的 DER")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, what is in it, and all its bytes."""

    tag: int
    body: bytes
    raw: bytes

    def children(self, tag: int = SEQUENCE) -> list[Element]:
        """The elements in it, which must have that tag itself."""
        if self.tag != tag:
            raise DerFault
        found: list[Element] = []
        at = 0
        while at < len(self.body):
            element = _read(self.body, at)
            found.append(element)
            at += len(element.raw)
            if len(found) > _MOST_CHILDREN:
                raise DerFault
        return found

    def only(self, tag: int) -> Element:
        """The one element in it."""
        found = self.children(tag)
        if len(found) != 1:
            raise DerFault
        return found[0]

    def octets(self) -> bytes:
        """An OCTET STRING."""
        if self.tag != OCTETS:
            raise DerFault
        return self.body

    def integer(self) -> int:
        """An INTEGER of at most 64 bytes in its shortest form."""
        body = self.body
        if self.tag != INTEGER or not 0 < len(body) <= 64:
            raise DerFault
        if len(body) > 1 and (body[0] == 0) == (body[1] < 0x80) and body[0] in (0, 0xFF):
            raise DerFault
        return int.from_bytes(body, "big", signed=True)

    def oid(self) -> str:
        """An OBJECT IDENTIFIER, dotted."""
        if self.tag != OID or not 0 < len(self.body) <= 64 or self.body[-1] & 0x80:
            raise DerFault
        arcs, value = list[int](), 0
        for byte in self.body:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))

    def instant(self) -> datetime:
        """A GeneralizedTime in UTC, to the microsecond."""
        found = _TIME.fullmatch(self.body) if self.tag == TIME else None
        if found is None:
            raise DerFault
        fraction = (found[2] or b"").decode().ljust(6, "0")[:6]
        try:
            return datetime.strptime(found[1].decode() + fraction, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
        except ValueError:
            raise DerFault from None


def read(data: bytes) -> Element:
    """The one element that the bytes are. Raises `DerFault`."""
    element = _read(data, 0)
    if len(element.raw) != len(data):
        raise DerFault
    return element


def _read(data: bytes, at: int) -> Element:
    if len(data) - at < 2 or data[at] & 0x1F == 0x1F:
        raise DerFault
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        digits = data[start : start + count]
        if not 1 <= count <= 4 or len(digits) != count or not digits[0]:
            raise DerFault
        length, start = int.from_bytes(digits, "big"), start + count
        if length < 0x80:
            raise DerFault
    end = start + length
    if end > len(data):
        raise DerFault
    return Element(tag, data[start:end], data[at:end])
