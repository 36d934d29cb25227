"""Time stamps of RFC 3161 on a checkpoint. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from .chain import chain_fault, name_of, purpose_fault
from .cms import SHA256, SignatureFault, Signed, read_signed
from .der import OID, DerFault, Element, read
from .report import Check, Place, Report
from .words import Words

_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_GRANTED = (0, 1)


@dataclass(frozen=True, slots=True)
class Token:
    """A time stamp token: that `imprint` (a digest by the algorithm) was there at an instant."""

    algorithm: str
    imprint: bytes
    at: datetime
    signed: Signed


def read_token(data: bytes) -> Token:
    """A token from a TimeStampResp or by itself, in DER. Raises `DerFault`."""
    outer = read(data)
    parts = outer.children()
    if parts and parts[0].tag != OID:
        status = parts[0].children()
        if not status or status[0].integer() not in _GRANTED or len(parts) != 2:
            raise DerFault("the authority did not grant a time stamp", "时间戳机构没有签发时间戳")
        outer = parts[1]
    signed = read_signed(outer)
    if signed.content_type != _TST_INFO:
        raise DerFault("it is no time stamp", "不是时间戳")
    algorithm, imprint, at = _info(read(signed.content))
    return Token(algorithm, imprint, at, signed)


def _info(info: Element) -> tuple[str, bytes, datetime]:
    fields = info.children()
    if len(fields) < 5 or fields[0].integer() != 1:
        raise DerFault
    imprint = fields[2].children()
    algorithm = imprint[0].children() if imprint else []
    if len(imprint) != 2 or not algorithm:
        raise DerFault
    fields[3].integer()
    return algorithm[0].oid(), imprint[1].octets(), fields[4].instant()


def check_timestamps(
    report: Report, tokens: Sequence[tuple[Place, bytes]], text: bytes, anchors: Sequence[x509.Certificate]
) -> None:
    """Report on the tokens over the SHA-256 of a text. `anchors`: certificates that the reader trusts, if any."""
    right = [_check(report, place, data, text, anchors) for place, data in tokens]
    if anchors and not any(right):
        said = Words("no time stamp is by an authority that you gave", "没有您所给机构签发的时间戳")
        report.false(Check.TIMESTAMP, Place("timestamps/"), said)


def _check(report: Report, place: Place, data: bytes, text: bytes, anchors: Sequence[x509.Certificate]) -> bool:
    """Whether a token is right and by an authority that the reader trusts."""
    try:
        token = read_token(data)
        if token.algorithm != SHA256 or token.imprint != hashlib.sha256(text).digest():
            raise SignatureFault("it is not of this checkpoint", "它不是此检查点的时间戳")
        certificate = token.signed.certificate(anchors)
        if certificate is not None:
            token.signed.check(certificate)
    except (DerFault, SignatureFault) as fault:
        report.false(Check.TIMESTAMP, place, fault.said)
        return False
    when = f"{token.at:%Y-%m-%d %H:%M:%S} UTC"
    if certificate is None:
        said = Words(
            f"it claims {when}; its certificate is not in it, so that nothing was checked: give it with --tsa",
            f"它声称时间为 {when}；其中没有证书，未作核对：请用 --tsa 给出",
        )
        report.warn(Check.TIMESTAMP, place, said)
        return False
    return _check_authority(report, place, token, certificate, anchors, when)


def _check_authority(
    report: Report,
    place: Place,
    token: Token,
    certificate: x509.Certificate,
    anchors: Sequence[x509.Certificate],
    when: str,
) -> bool:
    name = name_of(certificate)
    if fault := purpose_fault(certificate, token.at):
        report.false(Check.TIMESTAMP, place, fault)
        return False
    if not anchors:
        said = Words(
            f"it claims {when} by `{name}`; that this is an authority was not checked: give its certificate by --tsa",
            f"它声称由 `{name}` 于 {when} 签发；未核对其是否为时间戳机构：请用 --tsa 给出其证书",
        )
        report.warn(Check.TIMESTAMP, place, said)
        return False
    if fault := chain_fault(certificate, token.signed.certificates, anchors, token.at):
        report.warn(Check.TIMESTAMP, place, fault)
        return False
    said = Words(f"the checkpoint was there at {when}, says `{name}`", f"`{name}` 证明检查点于 {when} 已存在")
    report.right(Check.TIMESTAMP, place, said)
    return True
