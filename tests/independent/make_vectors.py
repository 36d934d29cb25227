"""Writes the vectors of the evidence's formats, straight from the definitions and with nothing of the product:

python -m tests.independent.make_vectors > tests/corpus/evidence_vectors.json
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LOG, WITNESS = "log.example/heedline", "witness.example/1"
COSIGNED_AT = 1_764_000_000
ENTRIES: list[tuple[int, str, str, int | None, dict[str, Any]]] = [
    (1, "2026-11-24T08:00:00+00:00", "log.key_added", None, {"by": "service", "name": LOG}),
    (2, "2026-11-24T08:00:01.5+00:00", "consent.granted", 1, {"callee": "+442079460123", "seller": "acme"}),
    (4, "2026-11-24T08:00:02.000001+00:00", "decision", 7, {"facts": None, "request": {"callee": "+442079460123"}}),
    (5, "2026-11-24T08:00:03+00:00", "permit.redeemed", 7, {"callee": "+442079460123", "presented": "+442079460999"}),
    (
        7,
        "2026-11-24T08:00:03+00:00",
        "refusal",
        3,
        {"how": "speech", "artefact": {"transcript": '别再打了 "stop" \\ é 😀'}},
    ),
    (8, "2026-11-24T23:59:59.999999+00:00", "lookup", None, {"detail": "line\nbreak\ttab\u001f", "what": "trace"}),
    (9, "2027-01-01T00:00:00+00:00", "evidence.erased", None, {"basis": "request", "entries": [[2, 5]], "rules": []}),
]


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def canonical(value: Any) -> str:
    """RFC 8785 for values without floats."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def instant(text: str) -> str:
    """RFC 3339 in UTC with six digits of a fraction, or none."""
    head, _, rest = text.partition("+")
    seconds, dot, fraction = head.partition(".")
    return f"{seconds}{dot}{fraction.ljust(6, '0') if dot else ''}+{rest}"


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH (RFC 6962, section 2.1)."""
    if len(leaves) < 2:
        return sha256(b"\x00" + leaves[0]) if leaves else sha256(b"")
    k = half(len(leaves))
    return sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:]))


def half(count: int) -> int:
    """The greatest power of two below the count."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH (RFC 6962, section 2.1.1)."""
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_hash(leaves[:k])]


def proof(m: int, leaves: list[bytes], is_whole: bool = True) -> list[bytes]:
    """PROOF and SUBPROOF (RFC 6962, section 2.1.2)."""
    if m == len(leaves):
        return [] if is_whole else [tree_hash(leaves)]
    k = half(len(leaves))
    if m <= k:
        return [*proof(m, leaves[:k], is_whole), tree_hash(leaves[k:])]
    return [*proof(m - k, leaves[k:], False), tree_hash(leaves[:k])]


def stretch(start: int, end: int, leaves: list[bytes], low: int = 0) -> list[bytes]:
    """The greatest subtrees outside of [start, end), from left to right."""
    high = low + len(leaves)
    if high <= start or end <= low:
        return [tree_hash(leaves)]
    if start <= low and high <= end:
        return []
    k = half(len(leaves))
    return stretch(start, end, leaves[:k], low) + stretch(start, end, leaves[k:], low + k)


def key(seed: str, name: str, algorithm: int = 1) -> tuple[Ed25519PrivateKey, str, bytes]:
    """A private key, its verifier key (C2SP signed-note) and the hash that names it in signatures."""
    private = Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()))
    public = bytes([algorithm]) + private.public_key().public_bytes_raw()
    hash = sha256(name.encode() + b"\n" + public)[:4]
    return private, f"{name}+{hash.hex()}+{base64.b64encode(public).decode()}", hash


def entries() -> list[dict[str, Any]]:
    """Entries with their leaves."""
    made = []
    for id, written, kind, subject, said in ENTRIES:
        at = instant(written)
        payload = canonical({"kind": kind, "at": at, **said})
        salt = sha256(f"salt {id}".encode())[:16]
        commitment = sha256(salt + payload.encode()).hex()
        leaf = {"at": at, "commitment": commitment, "entry": id, "kind": kind, "subject": subject, "v": 1}
        text = canonical(leaf)
        made.append(
            {
                "payload": payload,
                "salt": salt.hex(),
                "commitment": commitment,
                "leaf": text,
                "leaf_hash": sha256(b"\x00" + text.encode()).hex(),
            }
        )
    return made


def vectors() -> dict[str, Any]:
    """All vectors."""
    told = entries()
    leaves = [entry["leaf"].encode() for entry in told]
    count = len(leaves)
    private, verifier, hash = key("log", LOG)
    text = f"{LOG}\n{count}\n{base64.b64encode(tree_hash(leaves)).decode()}\n"
    line = f"— {LOG} {base64.b64encode(hash + private.sign(text.encode())).decode()}\n"
    witness, witness_verifier, witness_hash = key("witness", WITNESS, 4)
    cosigned = witness.sign(f"cosignature/v1\ntime {COSIGNED_AT}\n{text}".encode())
    cosignature = base64.b64encode(witness_hash + COSIGNED_AT.to_bytes(8, "big") + cosigned).decode()
    new, new_verifier, _ = key("new log", LOG)
    rotation = f"heedline key rotation v1\n{verifier}\n{new_verifier}\n"
    return {
        "entries": told,
        "roots": [tree_hash(leaves[:size]).hex() for size in range(count + 1)],
        "inclusion": [
            {"index": index, "size": size, "path": [hash.hex() for hash in path(index, leaves[:size])]}
            for index, size in ((0, 1), (2, 3), (3, 7), (6, 7))
        ],
        "consistency": [
            {"old": old, "new": new, "path": [hash.hex() for hash in proof(old, leaves[:new])]}
            for old, new in ((1, 7), (3, 7), (4, 7), (6, 7))
        ],
        "stretches": [
            {"start": start, "end": end, "size": count, "path": [hash.hex() for hash in stretch(start, end, leaves)]}
            for start, end in ((0, 7), (2, 5), (3, 4), (5, 7))
        ],
        "checkpoint": {"key": verifier, "size": count, "text": text, "note": f"{text}\n{line}"},
        "cosignature": {"key": witness_verifier, "time": COSIGNED_AT, "line": f"— {WITNESS} {cosignature}\n"},
        "rotation": {
            "old": verifier,
            "new": new_verifier,
            "text": rotation,
            "by_old": base64.b64encode(private.sign(rotation.encode())).decode(),
            "by_new": base64.b64encode(new.sign(rotation.encode())).decode(),
        },
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n")
