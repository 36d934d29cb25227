"""Whether a certificate of a time stamp authority leads to one that the reader trusts (RFC 5280, RFC 3161). Pure.

Revocation is not looked up: there is no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from .words import Words, shown

_DEEPEST = 6
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}


def purpose_fault(certificate: x509.Certificate, at: datetime) -> Words | None:
    """Why a certificate is not one for time stamps at that instant: the purpose must be critical and the only one."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        is_right = found.critical and list(found.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    except (x509.ExtensionNotFound, ValueError):
        is_right = False
    if not is_right:
        return Words(
            f"the certificate of `{name_of(certificate)}` is not for time stamps alone",
            f"`{name_of(certificate)}` 的证书不是专用于时间戳的",
        )
    return _own_fault(certificate, at)


def chain_fault(
    certificate: x509.Certificate, others: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], at: datetime
) -> Words | None:
    """Why a certificate does not lead to one of the anchors by way of the others, all valid at that instant."""
    reasons: list[Words] = []
    if _leads(certificate, others, anchors, at, 0, reasons):
        return None
    return (
        reasons[0]
        if reasons
        else Words(
            f"the certificate of `{name_of(certificate)}` does not lead to one that you gave",
            f"`{name_of(certificate)}` 的证书不通向您给出的证书",
        )
    )


def name_of(certificate: x509.Certificate) -> str:
    """The subject, for people."""
    try:
        return shown(certificate.subject.rfc4514_string())
    except ValueError:
        return "?"


def _leads(
    certificate: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: datetime,
    depth: int,
    reasons: list[Words],
) -> bool:
    if certificate in anchors:
        return True
    if depth == _DEEPEST:
        return False
    for issuer in [*anchors, *others]:
        if not _is_issued(certificate, issuer):
            continue
        fault = _own_fault(issuer, at) or _authority_fault(issuer, depth)
        if fault:
            reasons.append(fault)
        elif _leads(issuer, [one for one in others if one != issuer], anchors, at, depth + 1, reasons):
            return True
    return False


def _is_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _own_fault(certificate: x509.Certificate, at: datetime) -> Words | None:
    name = name_of(certificate)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return Words(f"the certificate of `{name}` was not valid then", f"`{name}` 的证书当时无效")
    try:
        odd = [one for one in certificate.extensions if one.critical and one.oid not in _UNDERSTOOD]
    except ValueError:
        return Words(f"the certificate of `{name}` cannot be read", f"`{name}` 的证书无法读取")
    if odd:
        oid = odd[0].oid.dotted_string
        return Words(
            f"the certificate of `{name}` demands what is not known here ({oid})",
            f"`{name}` 的证书有此处不认得的要求（{oid}）",
        )
    return None


def _authority_fault(issuer: x509.Certificate, below: int) -> Words | None:
    """`below`: how many authorities stand between it and the signer."""
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_right = basic.ca and (basic.path_length is None or below <= basic.path_length)
        usage = [one.value for one in issuer.extensions if isinstance(one.value, x509.KeyUsage)]
        is_right = is_right and all(one.key_cert_sign for one in usage)
    except (x509.ExtensionNotFound, ValueError):
        is_right = False
    if is_right:
        return None
    name = name_of(issuer)
    return Words(f"the certificate of `{name}` may not issue this one", f"`{name}` 的证书无权签发此证书")
