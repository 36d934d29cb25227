"""Counting INVITEs in Asterisk's packet log."""

from __future__ import annotations

import struct

from agi.pbx.capture import read_endings, read_invites

PEER, NOBODY = bytes((127, 0, 0, 2)), bytes(4)


def pcap(*packets: tuple[bytes, str]) -> bytes:
    """A capture of UDP datagrams, each with its source address, as Asterisk writes them; the first at second 7, each
    later one a quarter of a second after it."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for n, (source, message) in enumerate(packets):
        payload = message.encode()
        udp = struct.pack("!HHHH", 5060, 5060, 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 128, 17, 0) + source + NOBODY
        frame = bytes(12) + b"\x08\x00" + ip + udp
        data += struct.pack("<IIII", 7 + n // 4, n % 4 * 250_000, len(frame), len(frame)) + frame
    return data


def invite(number: str, call_id: str, to_tag: str = "", method: str = "INVITE") -> str:
    """A request with the headers that matter."""
    return f"{method} sip:{number}@127.0.0.1:5060 SIP/2.0\r\nTo: <sip:{number}@h>{to_tag}\r\nCall-ID: {call_id}\r\n\r\n"


def test_each_call_counts_once() -> None:
    """Retransmissions, re-INVITEs, other methods and what Asterisk itself sends do not count."""
    capture = pcap(
        (PEER, invite("+49123", "a")),
        (PEER, invite("+49123", "a")),
        (PEER, invite("+49123", "a", ";tag=x")),
        (PEER, invite("+49123", "b", method="OPTIONS")),
        (NOBODY, invite("+49999", "c")),
        (PEER, invite("+49456", "d")),
    )
    assert [(each.number, each.call_id) for each in read_invites(capture)] == [("+49123", "a"), ("+49456", "d")]


def test_body_cannot_pose_as_a_header() -> None:
    """A To tag inside the message body does not turn an initial INVITE into a re-INVITE."""
    assert len(read_invites(pcap((PEER, invite("1", "a") + "To: <sip:1@h>;tag=x\r\n")))) == 1


def response(status: int, call_id: str, method: str = "INVITE") -> str:
    """A response with the headers that matter."""
    return f"SIP/2.0 {status} Whatever\r\nCall-ID: {call_id}\r\nCSeq: 17 {method}\r\n\r\n"


def test_endings_are_told_with_their_time() -> None:
    """CANCEL, BYE and an INVITE's final status, once a call and of what came in alone, each with the instant of its
    first coming; provisional responses and those to other requests end nothing."""
    capture = pcap(
        (PEER, invite("+49123", "a")),
        (PEER, invite("+49123", "a", method="CANCEL")),
        (PEER, invite("+49123", "a", method="CANCEL")),
        (NOBODY, invite("+49123", "b", method="CANCEL")),
        (PEER, invite("+49123", "c", ";tag=x", method="BYE")),
        (PEER, response(183, "d")),
        (PEER, response(403, "d")),
        (PEER, response(200, "e", "OPTIONS")),
    )
    told = [(each.what, each.call_id, each.at) for each in read_endings(capture)]
    assert told == [("CANCEL", "a", 7.25), ("BYE", "c", 8.0), ("403", "d", 8.5)]
    assert [each.at for each in read_invites(capture)] == [7.0]


def test_empty_and_cut_captures_hold_nothing() -> None:
    """A file that has only its header, or ends in a record's header, is no error."""
    assert read_invites(pcap()) == []
    assert read_invites(pcap() + b"\0" * 8) == []
    assert read_invites(b"") == []
