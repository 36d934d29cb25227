"""A time stamp authority of OpenSSL's, with certificates of any kind, for tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = timedelta(days=1)
_TST_INFO = "1.2.840.113549.1.9.16.1.4"


@dataclass(frozen=True)
class Holder:
    """A certificate with its key, as files too."""

    certificate: x509.Certificate
    key: Key
    folder: Path
    name: str

    @property
    def certificate_file(self) -> Path:
        """PEM."""
        return self.folder / f"{self.name}.pem"

    @property
    def key_file(self) -> Path:
        """PEM."""
        return self.folder / f"{self.name}.key"


def rsa_key() -> Key:
    """A key of RSA."""
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> Key:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def holder(
    folder: Path,
    name: str,
    key: Key,
    issuer: Holder | None = None,
    *,
    ca: bool = False,
    length: int | None = None,
    purposes: tuple[x509.ObjectIdentifier, ...] = (),
    critical: bool = True,
    days: tuple[int, int] = (-10, 10),
    more: x509.ExtensionType | None = None,
) -> Holder:
    """A certificate by `issuer`, or by itself, valid from and to so many days from now."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + DAY * days[0])
        .not_valid_after(now + DAY * days[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=critical)
    if more:
        builder = builder.add_extension(more, critical=True)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    made = Holder(certificate, key, folder, name)
    made.certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    made.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def authority(folder: Path, name: str, key: Key, issuer: Holder | None, *, days: tuple[int, int] = (-10, 10)) -> Holder:
    """A certificate for time stamps."""
    return holder(folder, name, key, issuer, purposes=(ExtendedKeyUsageOID.TIME_STAMPING,), days=days)


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    """What OpenSSL answers."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def stamp(
    text: bytes,
    by: Holder,
    *,
    digest: str = "sha256",
    imprint: str = "sha256",
    ess: str = "sha256",
    with_certificate: bool = True,
    bare: bool = False,
) -> bytes:
    """A response of `openssl ts`, or the token alone, on a text."""
    folder = by.folder
    (folder / "text").write_bytes(text)
    (folder / "serial").write_text("01\n")
    (folder / "ts.cnf").write_text(
        f"[tsa]\ndefault_tsa = t\n[t]\nserial = {folder}/serial\nsigner_digest = {digest}\ndefault_policy = 1.2.3.4\n"
        f"digests = sha256, sha512\naccuracy = secs:1\nordering = yes\ntsa_name = yes\ness_cert_id_alg = {ess}\n"
    )
    query: list[str | Path] = ["ts", "-query", "-data", folder / "text", f"-{imprint}", "-out", folder / "query"]
    openssl(*query, *(["-cert"] if with_certificate else []))
    reply: list[str | Path] = [
        "ts",
        "-reply",
        "-config",
        folder / "ts.cnf",
        "-section",
        "t",
        "-queryfile",
        folder / "query",
    ]
    signer: list[str | Path] = ["-signer", by.certificate_file, "-inkey", by.key_file]
    return openssl(*reply, *signer, *(["-token_out"] if bare else []))


def signed(info: bytes, by: Holder, *more: str | Path, kind: str = _TST_INFO) -> bytes:
    """A token of `openssl cms` over a TSTInfo, by a certificate that `openssl ts` might not sign with."""
    command = ["cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-econtent_type", kind, "-nosmimecap"]
    return openssl(*command, "-signer", by.certificate_file, "-inkey", by.key_file, *more, given=info)
