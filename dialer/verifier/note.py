"""Signed notes (C2SP signed-note) with Ed25519, checkpoints (C2SP tlog-checkpoint) and cosignatures
(C2SP tlog-cosignature). Pure."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .tree import HASH_SIZE
from .words import Fault, shown

ED25519 = 0x01
COSIGNATURE = 0x04
_LONGEST = 1_000_000
_DASH = "\u2014"


class NoteFault(Fault):
    """A note, a checkpoint or a key that cannot be read."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name of its holder; `algorithm` is 1 (Ed25519) or 4 (timestamped cosignature of it)."""

    name: str
    algorithm: int
    public: bytes

    @property
    def hash(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    @property
    def id(self) -> str:
        """The key's name and hash."""
        return f"{self.name}+{self.hash.hex()}"

    def __str__(self) -> str:
        return f"{self.id}+{base64.b64encode(bytes([self.algorithm]) + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note: `signed` is what follows the key's hash."""

    name: str
    key_hash: bytes
    signed: bytes

    def __str__(self) -> str:
        return f"{_DASH} {self.name} {base64.b64encode(self.key_hash + self.signed).decode()}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a line break, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(f"{signature}\n" for signature in self.signatures)

    def with_signatures(self, *more: Signature) -> Note:
        """The note with these signatures besides."""
        return Note(self.text, (*self.signatures, *more))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's root at a size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def read_key(text: str) -> VerifierKey:
    """A key from `name+hash+base64`. Raises `NoteFault`."""
    name, _, rest = text.strip().partition("+")
    digest, _, encoded = rest.partition("+")
    material = _decoded(encoded, "the key", "密钥")
    if not _is_name(name) or len(material) != 1 + HASH_SIZE or material[0] not in (ED25519, COSIGNATURE):
        raise NoteFault(
            "a key is written `name+hash+base64`, and is of Ed25519", "密钥写作 `name+hash+base64`，且为 Ed25519"
        )
    key = VerifierKey(name, material[0], material[1:])
    if digest != key.hash.hex():
        raise NoteFault(
            f"the key's hash is `{key.hash.hex()}`, not `{shown(digest[:20])}`: was it cut or mistyped?",
            f"密钥的散列是 `{key.hash.hex()}`，而不是 `{shown(digest[:20])}`：是否截断或输错？",
        )
    return key


def read_note(text: str) -> Note:
    """A note from its text. Raises `NoteFault`."""
    if len(text) > _LONGEST or not text.endswith("\n"):
        raise NoteFault(
            "a signed note ends with a line break, and is at most a million characters long",
            "签名文本应以换行结尾，且不超过一百万个字符",
        )
    if any((character < " " and character != "\n") or "\ud800" <= character <= "\udfff" for character in text):
        raise NoteFault("a signed note holds no control characters", "签名文本不得含控制字符")
    body, gap, lines = text.rpartition("\n\n")
    if not gap or not lines:
        raise NoteFault("a signed note has its signatures after an empty line", "签名文本的签名应在一个空行之后")
    return Note(body + "\n", tuple(_signature(line) for line in lines[:-1].split("\n")))


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    material = _decoded(encoded, "a signature", "签名")
    if dash != _DASH or not _is_name(name) or len(material) < 5:
        raise NoteFault(f"a signature line is written `{_DASH} name base64`", f"签名行写作 `{_DASH} name base64`")
    return Signature(name, material[:4], material[4:])


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from a note's text. Raises `NoteFault`."""
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]) or lines[-1]:
        raise NoteFault(
            "a checkpoint has three lines: the log's name, its size, its root", "检查点有三行：日志名、大小、根散列"
        )
    size, root = lines[1], _decoded(lines[2], "the root", "根散列")
    if not (size.isascii() and size.isdigit()) or (size[0] == "0" and size != "0") or len(size) > 18:
        raise NoteFault(f"`{shown(size[:20])}` is not the size of a log", f"`{shown(size[:20])}` 不是日志的大小")
    if len(root) != HASH_SIZE:
        raise NoteFault("the root is not of 32 bytes", "根散列不是 32 字节")
    return Checkpoint(lines[0], int(size), root)


def verify(note: Note, key: VerifierKey) -> datetime | None:
    """Check the key's signature on the note; the time of signing where it is a cosignature.

    Raises `NoteFault` when the key has not signed, or not this text. A cosignature's time is bounded to a date's.
    """
    for signature in note.signatures:
        if signature.name == key.name and signature.key_hash == key.hash:
            return _verify(note.text, signature, key)
    raise NoteFault(f"`{shown(key.id)}` has not signed it", f"`{shown(key.id)}` 没有在其上签名")


def _verify(text: str, signature: Signature, key: VerifierKey) -> datetime | None:
    signed, message, at = signature.signed, text.encode(), None
    if key.algorithm == COSIGNATURE:
        seconds, signed = int.from_bytes(signed[:8], "big"), signed[8:]
        message = f"cosignature/v1\ntime {seconds}\n".encode() + message
        if not 0 < seconds <= 253_402_300_799:
            raise NoteFault(
                f"the cosignature of `{shown(key.id)}` is of no possible time",
                f"`{shown(key.id)}` 的联署时间不可能存在",
            )
        at = datetime.fromtimestamp(seconds, UTC)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signed, message)
    except (InvalidSignature, ValueError):
        raise NoteFault(f"the signature of `{shown(key.id)}` is wrong", f"`{shown(key.id)}` 的签名有误") from None
    return at


def sign(text: str, name: str, key: Ed25519PrivateKey) -> Signature:
    """Sign a note's text."""
    verifier = verifier_key(name, key)
    return Signature(name, verifier.hash, key.sign(text.encode()))


def cosign(text: str, name: str, key: Ed25519PrivateKey, at: datetime) -> Signature:
    """Cosign a checkpoint's text, at a time with whole seconds."""
    seconds = int(at.timestamp())
    verifier = verifier_key(name, key, COSIGNATURE)
    signed = key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    return Signature(name, verifier.hash, seconds.to_bytes(8, "big") + signed)


def verifier_key(name: str, key: Ed25519PrivateKey, algorithm: int = ED25519) -> VerifierKey:
    """The public half of a key under a name."""
    return VerifierKey(name, algorithm, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def _decoded(text: str, english: str, chinese: str) -> bytes:
    """Base64 with one way only to write each value."""
    with contextlib.suppress(binascii.Error, ValueError):
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data).decode() == text:
            return data
    raise NoteFault(f"{english} is not base64", f"{chinese}不是 base64")
