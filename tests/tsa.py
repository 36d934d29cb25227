"""A time-stamping authority (RFC 3161) on loopback: `openssl ts` with a throw-away CA and signer.

The tokens are made by another implementation than the one that is tested.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """
[tsa]
default_tsa = this
[this]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""

Behaviour = Callable[[bytes, "Tsa"], Awaitable[web.Response]]


@dataclass
class Tsa:
    """An authority whose files are in `folder`. `certificate` is the signer's, `root` its issuer's (both PEM)."""

    folder: Path
    certificate: bytes
    root: bytes
    requests: list[bytes] = field(default_factory=list)
    behave: Behaviour | None = None
    url: str = ""

    def reply(self, request: bytes) -> bytes:
        """The TimeStampResp (DER) to a TimeStampReq (DER), as openssl makes it; a refusal is one too."""
        query, answer = self.folder / "request.tsq", self.folder / "answer.tsr"
        query.write_bytes(request)
        command = [
            *("openssl", "ts", "-reply", "-config", str(self.folder / "tsa.cnf"), "-queryfile", str(query)),
            *("-signer", str(self.folder / "signer.pem"), "-inkey", str(self.folder / "signer.key")),
            *("-chain", str(self.folder / "root.pem"), "-out", str(answer)),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=20)
        return answer.read_bytes()

    def query(self, file: Path, *options: str) -> bytes:
        """The TimeStampReq (DER) over a file, as openssl makes it."""
        command = ["openssl", "ts", "-query", "-data", str(file), "-sha256", "-cert", *options]
        return subprocess.run(command, check=True, capture_output=True, timeout=20).stdout

    def accepts(self, response: bytes, data: bytes, *, token: bool = False) -> bool:
        """Whether openssl finds that the response (or, with `token`, the token) stamps the data."""
        answer, stamped = self.folder / "checked", self.folder / "data"
        answer.write_bytes(response)
        stamped.write_bytes(data)
        command = ["openssl", "ts", "-verify", "-in", str(answer), "-data", str(stamped)]
        command += ["-CAfile", str(self.folder / "root.pem"), *(["-token_in"] if token else [])]
        return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0


def make_tsa(folder: Path) -> Tsa:
    """An authority with new keys."""
    folder.mkdir(parents=True, exist_ok=True)
    root_key, signer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-away root")])
    root = _certificate(root_name, root_name, root_key, root_key, is_root=True)
    signer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-away time-stamping authority")])
    signer = _certificate(signer_name, root_name, signer_key, root_key, is_root=False)
    pem = signer_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "signer.key").write_bytes(pem)
    tsa = Tsa(folder, signer.public_bytes(Encoding.PEM), root.public_bytes(Encoding.PEM))
    (folder / "signer.pem").write_bytes(tsa.certificate)
    (folder / "root.pem").write_bytes(tsa.root)
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
    return tsa


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_root: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
    )
    if not is_root:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


async def honest(request: bytes, tsa: Tsa) -> web.Response:
    """What an authority does."""
    reply = await asyncio.to_thread(tsa.reply, request)
    return web.Response(body=reply, content_type="application/timestamp-reply")


@contextlib.asynccontextmanager
async def serving(tsa: Tsa) -> AsyncIterator[Tsa]:
    """The authority over HTTP, at `tsa.url`; `tsa.behave` may be changed at any time."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        tsa.requests.append(body)
        return await (tsa.behave or honest)(body, tsa)

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        tsa.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield tsa
    finally:
        await runner.cleanup()
