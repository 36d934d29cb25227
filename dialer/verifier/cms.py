"""CMS SignedData (RFC 5652) with one signer and signed attributes, as time stamp tokens are (RFC 3161). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .der import INTEGER, SEQUENCE, SET, DerFault, Element, read
from .words import Fault

SIGNED_DATA = "1.2.840.113549.1.7.2"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE, _SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_RSA, _PSS, _MGF1, _ED25519 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8", "1.3.101.112"
SHA256 = "2.16.840.1.101.3.4.2.1"
_SHA1 = "1.3.14.3.2.26"
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    SHA256: hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_SIGNATURES: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_CONTEXT_0, _CONTEXT_1, _CONTEXT_2, _PRIMITIVE_0 = 0xA0, 0xA1, 0xA2, 0x80
_MOST_CERTIFICATES = 16
_DEFAULT_SALT = 20


class SignatureFault(Fault):
    """What is signed, or the signature, is not right."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A SignedData with one signer. `attributes` are the signed ones, by OID, as `raw_attributes` holds them."""

    content_type: str
    content: bytes
    certificates: list[x509.Certificate]
    signer: Element
    digest: str
    attributes: dict[str, Element]
    raw_attributes: bytes
    algorithm: Element
    signature: bytes

    def certificate(self, more: Sequence[x509.Certificate]) -> x509.Certificate | None:
        """The signer's certificate: of those that came along, or of `more`."""
        for certificate in [*self.certificates, *more]:
            if _is_of(self.signer, certificate):
                return certificate
        return None

    def check(self, certificate: x509.Certificate) -> None:
        """Raises `SignatureFault` unless the certificate's key signed the content (RFC 5652, 5.4; RFC 5035)."""
        digest = _DIGESTS.get(self.digest)
        if digest is None:
            raise SignatureFault("its digest algorithm is not SHA-2", "其摘要算法不是 SHA-2")
        if _value(self.attributes, _CONTENT_TYPE).oid() != self.content_type:
            raise SignatureFault("another kind of content was signed", "所签的是另一种内容")
        if _value(self.attributes, _MESSAGE_DIGEST).octets() != hashlib.new(digest.name, self.content).digest():
            raise SignatureFault("its content is not the one that was signed", "其内容与所签的不符")
        _check_named(self.attributes, certificate.public_bytes(Encoding.DER))
        try:
            _check_signature(certificate, self.algorithm, digest, self.signature, self.raw_attributes)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
            if isinstance(error, Fault):
                raise
            raise SignatureFault("its signature is wrong", "其签名有误") from None


def read_signed(content_info: Element) -> Signed:
    """From a ContentInfo. Raises `DerFault`."""
    kind, wrapped = _two(content_info.children())
    if kind.oid() != SIGNED_DATA:
        raise DerFault
    parts = wrapped.only(_CONTEXT_0).children()
    if len(parts) < 4:
        raise DerFault
    content_type, content = _two(parts[2].children())
    optional = {part.tag: part for part in parts[3:-1]}
    certificates = optional.pop(_CONTEXT_0, None)
    if set(optional) - {_CONTEXT_1} or len(parts) > 6:
        raise DerFault
    signer = parts[-1].only(SET).children()
    if len(signer) not in (6, 7) or signer[3].tag != _CONTEXT_0:
        raise DerFault
    return Signed(
        content_type=content_type.oid(),
        content=content.only(_CONTEXT_0).octets(),
        certificates=_certificates(certificates),
        signer=signer[1],
        digest=_algorithm(signer[2]),
        attributes=_attributes(signer[3]),
        raw_attributes=bytes([SET]) + signer[3].raw[1:],
        algorithm=signer[4],
        signature=signer[5].octets(),
    )


def _certificates(element: Element | None) -> list[x509.Certificate]:
    found = element.children(_CONTEXT_0) if element else []
    if len(found) > _MOST_CERTIFICATES:
        raise DerFault
    return [load_certificate(one.raw) for one in found if one.tag == SEQUENCE]


def load_certificate(data: bytes) -> x509.Certificate:
    """A certificate all of whose fields can be read, so that nothing else here can fail on it. Raises `DerFault`."""
    try:
        certificate = x509.load_der_x509_certificate(data)
        certificate.public_key()
        _ = (certificate.subject, certificate.issuer, certificate.extensions)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        raise DerFault("a certificate in it cannot be read", "其中有证书无法读取") from None
    return certificate


def _attributes(element: Element) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for attribute in element.children(_CONTEXT_0):
        kind, values = _two(attribute.children())
        if kind.oid() in found:
            raise DerFault
        found[kind.oid()] = values
    return found


def _value(attributes: dict[str, Element], kind: str) -> Element:
    if kind not in attributes:
        raise SignatureFault("an attribute is missing from what was signed", "所签的内容缺少属性")
    return attributes[kind].only(SET)


def _is_of(signer: Element, certificate: x509.Certificate) -> bool:
    """Whether a SignerIdentifier names that certificate."""
    if signer.tag == _PRIMITIVE_0:
        try:
            known = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        except (x509.ExtensionNotFound, ValueError):
            return False
        return known == signer.body
    issuer, serial = _two(signer.children())
    fields = read(certificate.public_bytes(Encoding.DER)).children()[0].children()
    fields = fields[1:] if fields[0].tag == _CONTEXT_0 else fields
    return (fields[0].tag, fields[0].body, fields[2].raw) == (INTEGER, serial.body, issuer.raw)


def _check_named(attributes: dict[str, Element], certificate: bytes) -> None:
    """The signer's certificate must be among what is signed, or another of the same key could take its place."""
    if _SIGNING_CERTIFICATE_V2 in attributes:
        first = _first(_value(attributes, _SIGNING_CERTIFICATE_V2))
        has_algorithm = first[0].tag == SEQUENCE
        name = _algorithm(first[0]) if has_algorithm else SHA256
        algorithm = _DIGESTS[name].name if name in _DIGESTS else None
        digest = first[1] if has_algorithm and len(first) > 1 else first[0]
    else:
        first = _first(_value(attributes, _SIGNING_CERTIFICATE))
        algorithm, digest = "sha1", first[0]
    if algorithm is None or digest.octets() != hashlib.new(algorithm, certificate, usedforsecurity=False).digest():
        raise SignatureFault("its certificate is not the one that was signed along", "其证书与一并签名的证书不符")


def _first(signing_certificate: Element) -> list[Element]:
    lists = signing_certificate.children()
    certificates = lists[0].children() if lists else []
    fields = certificates[0].children() if certificates else []
    if not fields:
        raise DerFault
    return fields


def _check_signature(
    certificate: x509.Certificate, algorithm: Element, digest: hashes.HashAlgorithm, signature: bytes, data: bytes
) -> None:
    name, parameters, key = _algorithm(algorithm), algorithm.children()[1:], certificate.public_key()
    chosen = _SIGNATURES.get(name, digest)
    match key:
        case rsa.RSAPublicKey() if name == _PSS:
            pss, chosen = _pss(parameters)
            key.verify(signature, data, pss, chosen)
        case rsa.RSAPublicKey() if name == _RSA or name in _SIGNATURES:
            key.verify(signature, data, padding.PKCS1v15(), chosen)
        case ec.EllipticCurvePublicKey() if name in _SIGNATURES:
            key.verify(signature, data, ec.ECDSA(chosen))
        case ed25519.Ed25519PublicKey() if name == _ED25519:
            key.verify(signature, data)
        case _:
            raise SignatureFault("its signature algorithm is not known", "不认得其签名算法")


def _pss(parameters: list[Element]) -> tuple[padding.PSS, hashes.HashAlgorithm]:
    """RSASSA-PSS-params (RFC 4055); the default, SHA-1, is not accepted."""
    given = {field.tag: field for field in (parameters[0].children() if parameters else [])}
    if not {_CONTEXT_0, _CONTEXT_1} <= given.keys():
        raise SignatureFault("its signature algorithm is not known", "不认得其签名算法")
    digest = _DIGESTS.get(_algorithm(given[_CONTEXT_0].only(_CONTEXT_0)))
    mask, mask_digest = _two(given[_CONTEXT_1].only(_CONTEXT_1).children())
    inner = _DIGESTS.get(_algorithm(mask_digest))
    salt = given[_CONTEXT_2].only(_CONTEXT_2).integer() if _CONTEXT_2 in given else _DEFAULT_SALT
    if digest is None or inner is None or mask.oid() != _MGF1 or not 0 <= salt <= 512:
        raise SignatureFault("its signature algorithm is not known", "不认得其签名算法")
    return padding.PSS(padding.MGF1(inner), salt), digest


def _algorithm(identifier: Element) -> str:
    """The OID of an AlgorithmIdentifier."""
    fields = identifier.children()
    if not fields:
        raise DerFault
    return fields[0].oid()


def _two(found: list[Element]) -> tuple[Element, Element]:
    if len(found) != 2:
        raise DerFault
    return found[0], found[1]
