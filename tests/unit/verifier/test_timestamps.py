"""Time stamps that OpenSSL makes are right; those of others, of other texts, or changed, are not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from dialer.verifier.bundle import Trust
from dialer.verifier.cms import read_signed
from dialer.verifier.der import DerFault, read
from dialer.verifier.report import Degree, Place, Report
from dialer.verifier.timestamp import check_timestamps, read_token
from tests.bundle_maker import busy_log
from tests.unit.verifier.authority import Holder, authority, ec_key, holder, rsa_key, signed, stamp
from tests.unit.verifier.checking import checked, false_of, proven, warned

TEXT = b"example.org/log\n17\nAAAA\n"
PLACE = Place("timestamps/0.tsr")


@dataclass(frozen=True)
class Authorities:
    """Certificates: a root, one between, and authorities below each."""

    folder: Path
    root: Holder
    middle: Holder
    rsa: Holder
    ec: Holder
    alone: Holder


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """Authorities for all tests here."""
    folder = tmp_path_factory.mktemp("tsa")
    root = holder(folder, "root", ec_key(), ca=True, length=1)
    middle = holder(folder, "middle", ec_key(), root, ca=True, length=0)
    return Authorities(
        folder,
        root,
        middle,
        authority(folder, "rsa", rsa_key(), root),
        authority(folder, "ec", ec_key(), middle),
        authority(folder, "alone", ec_key(), None),
    )


def told(token: bytes, anchors: Sequence[Holder] = (), text: bytes = TEXT) -> Report:
    """What is said of a token."""
    report = Report()
    check_timestamps(report, [(PLACE, token)], text, [anchor.certificate for anchor in anchors])
    return report


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"digest": "sha512"},
        {"ess": "sha1"},
        {"ess": "sha384"},
        {"bare": True},
        {"with_certificate": False},
    ],
    ids=str,
)
def test_right(known: Authorities, how: dict[str, Any]) -> None:
    """A token of RSA by an authority below the given root is right, in each form that OpenSSL makes."""
    anchors = [known.root, known.rsa] if how.get("with_certificate") is False else [known.root]
    report = told(stamp(TEXT, known.rsa, **how), anchors)
    assert false_of(report) == []
    assert "the checkpoint was there at 20" in proven(report)
    assert "says `CN=rsa`" in proven(report)


def test_chain(known: Authorities) -> None:
    """One of ECDSA leads to the root by way of a certificate that the reader gives, or to that alone."""
    token = stamp(TEXT, known.ec)
    for anchors in ([known.root, known.middle], [known.middle], [known.ec]):
        assert proven(told(token, anchors))
    info = read_token(token).signed.content
    with_middle = signed(info, known.ec, "-cades", "-certfile", known.middle.certificate_file)
    assert proven(told(with_middle, [known.root]))
    assert not proven(told(token, [known.root]))


def test_self_signed(known: Authorities) -> None:
    """An authority that vouches for itself is right for whoever trusts it, and for nobody else."""
    token = stamp(TEXT, known.alone)
    assert proven(told(token, [known.alone]))
    assert not proven(told(token, [known.root]))


def test_pss(known: Authorities) -> None:
    """RSASSA-PSS is understood."""
    info = read_token(stamp(TEXT, known.rsa)).signed.content
    for more in (["-keyopt", "rsa_pss_saltlen:-1"], ["-keyopt", "rsa_pss_saltlen:20", "-md", "sha512"]):
        token = signed(info, known.rsa, "-cades", "-keyopt", "rsa_padding_mode:pss", *more)
        assert proven(told(token, [known.root]))
        assert false_of(told(_changed_signature(token), [known.root]))[0].endswith("its signature is wrong")


def _changed_signature(token: bytes) -> bytes:
    signature = read_token(token).signed.signature
    return token.replace(signature, signature[:-1] + bytes([signature[-1] ^ 1]))


def test_signer_by_key_id(known: Authorities) -> None:
    """A signer that is named by its key's identifier is found."""
    info = read_token(stamp(TEXT, known.ec)).signed.content
    assert proven(told(signed(info, known.ec, "-cades", "-keyid"), [known.middle]))


def test_without_authority(known: Authorities) -> None:
    """Without --tsa the claim is told, and that it was not checked."""
    report = told(stamp(TEXT, known.rsa))
    assert report.exit_code == 0
    assert "by `CN=rsa`; that this is an authority was not checked" in warned(report)
    report = told(stamp(TEXT, known.rsa, with_certificate=False))
    assert "its certificate is not in it, so that nothing was checked" in warned(report)


def test_other_text(known: Authorities) -> None:
    """A token of another checkpoint, or over another digest, is false even when nobody is trusted."""
    for token in (stamp(TEXT + b"x", known.rsa), stamp(TEXT, known.rsa, imprint="sha512")):
        assert false_of(told(token)) == ["timestamp | timestamps/0.tsr | it is not of this checkpoint"]


def test_other_authority(known: Authorities) -> None:
    """A token by somebody else is warned of, and false when no other is by one that was asked for."""
    report = told(stamp(TEXT, known.rsa), [known.alone])
    assert false_of(report) == ["timestamp | timestamps/ | no time stamp is by an authority that you gave"]
    assert "the certificate of `CN=rsa` does not lead to one that you gave" in warned(report)


@pytest.mark.parametrize("forge", ["signature", "content", "signed time"])
def test_forged(known: Authorities, forge: str) -> None:
    """A token whose signature, content or signed attributes were changed is false, with and without --tsa."""
    token = stamp(TEXT, known.ec)
    parts = read_token(token).signed
    old = {"signature": parts.signature, "content": parts.content, "signed time": parts.raw_attributes[2:]}[forge]
    forged = token.replace(old, old[:-1] + bytes([old[-1] ^ 1]))
    if forge == "content":
        minute = parts.content.index(b"\x18\x0f20") + 2 + 11
        new = parts.content[:minute] + b"%d" % (9 - parts.content[minute] + 48) + parts.content[minute + 1 :]
        forged = token.replace(parts.content, new)
    for anchors in ([], [known.middle]):
        assert false_of(told(forged, anchors))[0].startswith("timestamp | timestamps/0.tsr | ")


def _resigned(token: bytes, old: bytes, new: bytes, by: Holder) -> bytes:
    """With something else in the signed attributes, truly signed."""
    parts = read_token(token).signed
    attributes = parts.raw_attributes.replace(old, new, 1)
    assert attributes != parts.raw_attributes
    assert isinstance(by.key, rsa.RSAPrivateKey)
    signature = by.key.sign(attributes, padding.PKCS1v15(), hashes.SHA256())
    return token.replace(parts.raw_attributes[1:], attributes[1:]).replace(parts.signature, signature)


def test_wrongly_signed(known: Authorities) -> None:
    """What an authority truly signed is false when it is of other content, of another kind, or says a thing twice."""
    token = stamp(TEXT, known.rsa)
    digest = hashlib.sha256(read_token(token).signed.content).digest()
    pkcs9 = bytes.fromhex("2a864886f70d0109")
    kind = pkcs9 + bytes.fromhex("100104")
    for old, new, words in (
        (digest, hashlib.sha256(digest).digest(), "its content is not the one that was signed"),
        (kind, kind[:-1] + b"\x05", "another kind of content was signed"),
        (pkcs9 + b"\x05", pkcs9 + b"\x04", "not DER of the form"),
    ):
        assert words in false_of(told(_resigned(token, old, new, known.rsa), [known.root]))[0]


def test_other_content(known: Authorities) -> None:
    """A token over a digest by another algorithm of the same length, or that is signed as something else, is false."""
    info = read_token(stamp(TEXT, known.rsa)).signed.content
    sha256, sha3_256 = (bytes.fromhex(f"0609608648016503040{last}") for last in ("201", "208"))
    assert "not of this checkpoint" in false_of(told(signed(info.replace(sha256, sha3_256), known.rsa, "-cades")))[0]
    as_data = signed(info, known.rsa, "-cades", kind="1.2.840.113549.1.7.1")
    assert "it is no time stamp" in false_of(told(as_data, [known.root]))[0]


def test_same_key_other_certificate(known: Authorities) -> None:
    """Another certificate of the same name and key in the token's place is seen: it was not signed along."""
    token = stamp(TEXT, known.rsa)
    twin = holder(known.folder, "rsa2", known.rsa.key, known.root)
    serial = known.rsa.certificate.serial_number
    copy = (
        x509.CertificateBuilder()
        .subject_name(known.rsa.certificate.subject)
        .issuer_name(known.root.certificate.subject)
        .public_key(known.rsa.key.public_key())
        .serial_number(serial)
        .not_valid_before(twin.certificate.not_valid_before_utc)
        .not_valid_after(twin.certificate.not_valid_after_utc)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    )
    false_one = copy.sign(known.root.key, hashes.SHA256())
    parts = read_token(token).signed
    assert parts.certificate([]) == known.rsa.certificate
    with pytest.raises(ValueError, match="not the one that was signed along"):
        parts.check(false_one)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda k: holder(k.folder, "any", ec_key(), k.root), "is not for time stamps alone"),
        (
            lambda k: holder(
                k.folder, "soft", ec_key(), k.root, purposes=(ExtendedKeyUsageOID.TIME_STAMPING,), critical=False
            ),
            "is not for time stamps alone",
        ),
        (
            lambda k: holder(
                k.folder,
                "both",
                ec_key(),
                k.root,
                purposes=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH),
            ),
            "is not for time stamps alone",
        ),
        (lambda k: authority(k.folder, "old", ec_key(), k.root, days=(-20, -1)), "was not valid then"),
        (lambda k: authority(k.folder, "young", ec_key(), k.root, days=(1, 20)), "was not valid then"),
    ],
)
def test_unfit(known: Authorities, make: Callable[[Authorities], Holder], said: str) -> None:
    """A certificate that is not for time stamps, critically and alone, or not valid then, makes the token false."""
    info = read_token(stamp(TEXT, known.rsa)).signed.content
    by = make(known)
    for anchors in ([], [known.root], [by]):
        assert said in false_of(told(signed(info, by, "-cades"), anchors))[0]


def test_unfit_issuers(known: Authorities) -> None:
    """A chain by way of a certificate that may issue none, none below it, was not valid, or demands more, is none."""
    folder, info = known.folder, read_token(stamp(TEXT, known.rsa)).signed.content
    limits = x509.NameConstraints([x509.DNSName("example.org")], None)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    below = holder(folder, "below", ec_key(), known.middle, ca=True)
    for issuer, said in (
        (holder(folder, "leaf", ec_key(), known.root), "may not issue this one"),
        (below, "may not issue this one"),
        (holder(folder, "signer", ec_key(), known.root, ca=True, more=usage), "may not issue this one"),
        (holder(folder, "gone", ec_key(), known.root, ca=True, days=(-20, -1)), "was not valid then"),
        (
            holder(folder, "tied", ec_key(), known.root, ca=True, more=limits),
            "demands what is not known here (2.5.29.30)",
        ),
    ):
        by = authority(folder, f"by-{issuer.name}", ec_key(), issuer)
        both = folder / "both.pem"
        both.write_bytes(issuer.certificate_file.read_bytes() + known.middle.certificate_file.read_bytes())
        report = told(signed(info, by, "-cades", "-certfile", both), [known.root])
        assert not proven(report), issuer.name
        assert said in warned(report), issuer.name


def test_without_signed_certificate(known: Authorities) -> None:
    """A token that does not sign its certificate along, or has no signed attributes, is false."""
    info = read_token(stamp(TEXT, known.ec)).signed.content
    assert "an attribute is missing" in false_of(told(signed(info, known.ec), [known.middle]))[0]
    assert "not DER of the form" in false_of(told(signed(info, known.ec, "-noattr"), [known.middle]))[0]


def test_two_signers(known: Authorities) -> None:
    """A token has one signer (RFC 3161, section 2.4.2)."""
    info = read_token(stamp(TEXT, known.ec)).signed.content
    more: list[str | Path] = ["-signer", known.alone.certificate_file, "-inkey", known.alone.key_file]
    assert "not DER of the form" in false_of(told(signed(info, known.ec, "-cades", *more), [known.middle]))[0]


def test_refused_request() -> None:
    """A response that grants no time stamp is false."""
    rejection = bytes.fromhex("300530030201020000")[:7]
    assert "did not grant" in false_of(told(rejection))[0]


def test_any_change(known: Authorities) -> None:
    """No change of one byte of a token is a fault of the program, or makes another time right."""
    token = stamp(TEXT, known.ec)
    at = read_token(token).at
    for index in range(0, len(token), 2):
        changed = token[:index] + bytes([token[index] ^ 0x41]) + token[index + 1 :]
        report = told(changed, [known.middle, known.ec])
        if report.is_right and report.counts[Degree.RIGHT]:
            assert read_token(changed).at == at
    for index in range(0, len(token), 7):
        assert false_of(told(token[:index]))


def test_in_a_bundle(known: Authorities) -> None:
    """Tokens in a bundle are checked against its checkpoint, and asked for when an authority is given."""
    log = busy_log()
    log.bundle([1])
    ready = busy_log()
    note = log.note()
    parts = ready.bundle([1], timestamps=[stamp(note.text.encode(), known.rsa)])
    trust = Trust([log.verifier], [], [known.root.certificate])
    assert "timestamps/0.tsr: the checkpoint was there at 20" in proven(checked(parts, trust))
    del parts.files["timestamps/0.tsr"]
    assert false_of(checked(parts.hashed(), trust)) == [
        "timestamp | timestamps/ | no time stamp is by an authority that you gave"
    ]


WRONG_DER = [
    "",
    "30",
    "3080",
    "308000000000",
    "30810100",
    "3082000100",
    "30840000",
    "3001",
    "300000",
    "1f8100",
    "3003020200",
    "3085ffffffffff",
]


@pytest.mark.parametrize("data", WRONG_DER)
def test_der(data: str) -> None:
    """Indefinite, long, cut and repeated lengths, long tags and what stands behind are no DER."""
    with pytest.raises(DerFault):
        [child.integer() for child in read(bytes.fromhex(data)).children()]


@pytest.mark.parametrize("data", ["308103020100", "30820080" + "020100" * 42 + "0500", "3003020100" + "00"])
def test_lengths(data: str) -> None:
    """A length that could be written shorter, and bytes behind the end, are refused where all else is right."""
    with pytest.raises(DerFault):
        read(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["02020001", "0202ffff", "0200", "030101", "0241" + "01" * 65])
def test_integers(data: str) -> None:
    """Integers that are not in their shortest form, or too large, are refused."""
    with pytest.raises(DerFault):
        read(bytes.fromhex(data)).integer()


def test_values() -> None:
    """Integers, object identifiers and instants are read as X.690 writes them."""
    assert [read(bytes.fromhex(text)).integer() for text in ("0201ff", "02020080", "020100")] == [-1, 128, 0]
    assert (
        read(bytes.fromhex("06082a864886f70d0101")[:2] + bytes.fromhex("2a864886f70d0101")).oid()
        == "1.2.840.113549.1.1"
    )
    assert read(bytes.fromhex("0603883703")).oid() == "2.999.3"
    assert read(b"\x18\x1220261124080910.25Z").instant().isoformat() == "2026-11-24T08:09:10.250000+00:00"


@pytest.mark.parametrize("text", [b"20261124080910", b"20261324080910Z", b"202611240809Z", b"20261124080910.Z"])
def test_wrong_instants(text: bytes) -> None:
    """Instants without Z, of no calendar or without seconds are refused."""
    with pytest.raises(DerFault):
        read(bytes([0x18, len(text)]) + text).instant()


def test_no_signed_data() -> None:
    """DER that is something else is refused."""
    for text in ("3000", "30030601 2a", "300a06092a864886f70d010702", "3005a003020101"):
        with pytest.raises(DerFault):
            read_signed(read(bytes.fromhex(text)))
