"""A log in memory, and right bundles of it: what the verifier must accept, and what tests then change.

It uses the tree's arithmetic and nothing else of the product's evidence, so that it needs no database.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dialer.verifier.entries import is_listed, listed
from dialer.verifier.leaf import Leaf, canonical, commitment
from dialer.verifier.note import Checkpoint, Note, Signature, VerifierKey, cosign, sign, verifier_key
from dialer.verifier.tree import consistency_path, inclusion_path, leaf_hash, range_path, root_of

EPOCH = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NUMBER = "+442079460123"
REPORTS = ("records.json", "report.en.html", "report.zh.html", "report.en.pdf", "report.zh.pdf", "timeline.svg")


def key_of(seed: str) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


@dataclass
class Parts:
    """A bundle in pieces, for a test to change before it is zipped."""

    manifest: dict[str, Any]
    checkpoint: str
    lines: list[dict[str, Any]]
    files: dict[str, bytes] = field(default_factory=dict)

    def line(self, kind: str, nth: int = 0) -> dict[str, Any]:
        """The nth entry of a kind."""
        return [line for line in self.lines if line["leaf"]["kind"] == kind][nth]

    def contents(self) -> dict[str, bytes]:
        """Every file but `bundle.json`, by name."""
        entries = b"".join(canonical(line) + b"\n" for line in self.lines)
        return {"checkpoint": self.checkpoint.encode(), "entries.jsonl": entries, **self.files}

    def hashed(self) -> Parts:
        """With the hashes of `bundle.json` made to fit, as whoever changes a file would do too."""
        self.manifest["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in self.contents().items()}
        return self

    def zipped(self, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
        """The bundle."""
        return zipped({"bundle.json": canonical(self.manifest), **self.contents()}, compression)


def zipped(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of these files."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name, data in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, data)
    return memory.getvalue()


class LogMaker:
    """A log of entries with ids from 1 (each third is missing, as those of failed transactions are), one a second."""

    def __init__(self, name: str = "example.org/log", seed: str = "log") -> None:
        self.name = name
        self.key = key_of(seed)
        self.keys: list[VerifierKey] = [verifier_key(name, self.key)]
        self.leaves: list[Leaf] = []
        self.payloads: list[str] = []
        self.salts: list[bytes] = []
        self.add("log.key_added", {"name": name, "key": str(self.keys[0])})

    @property
    def verifier(self) -> VerifierKey:
        """The key that signs now."""
        return self.keys[-1]

    def add(self, kind: str, payload: Mapping[str, Any], subject: int | None = None) -> int:
        """Add an entry; its index."""
        index = len(self.leaves)
        at = EPOCH + timedelta(seconds=index, microseconds=index % 2 * 123456)
        text = canonical({"kind": kind, "at": at.isoformat(), "by": "cli:ann", **payload}).decode()
        salt = hashlib.sha256(f"salt {self.name} {index}".encode()).digest()[:16]
        self.leaves.append(Leaf(self.entry_id(index), at, kind, subject, commitment(salt, text.encode())))
        self.payloads.append(text)
        self.salts.append(salt)
        return index

    @staticmethod
    def entry_id(index: int) -> int:
        """The id of the entry at an index."""
        return index + index // 2 + 1

    def subtree(self, low: int, high: int) -> bytes:
        """The hash over the leaves [low, high)."""
        return root_of(leaf_hash(leaf.data()) for leaf in self.leaves[low:high])

    def point(self, size: int | None = None) -> Checkpoint:
        """The unsigned checkpoint at a size."""
        size = len(self.leaves) if size is None else size
        return Checkpoint(self.name, size, self.subtree(0, size))

    def note(self, size: int | None = None) -> Note:
        """The signed checkpoint at a size."""
        text = self.point(size).text()
        return Note(text, (sign(text, self.name, self.key),))

    def rotate(self, seed: str, kind: str = "log.key_rotated", **more: Any) -> None:
        """Replace the key; both sign."""
        new = key_of(seed)
        old_key, new_key = self.verifier, verifier_key(self.name, new)
        text = f"heedline key rotation v1\n{old_key}\n{new_key}\n".encode()
        by_old, by_new = (base64.b64encode(key.sign(text)).decode() for key in (self.key, new))
        self.add(kind, {"old": str(old_key), "new": str(new_key), "by_old": by_old, "by_new": by_new, **more})
        self.key = new
        self.keys.append(new_key)

    def line(self, index: int, size: int, *, is_erased: bool = False, in_stretch: bool = False) -> dict[str, Any]:
        """The entry at an index as `entries.jsonl` has it."""
        path = [] if in_stretch else inclusion_path(index, size, self.subtree)
        return {
            "index": index,
            "leaf": json.loads(self.leaves[index].data()),
            "payload": None if is_erased else self.payloads[index],
            "proof": [base64.b64encode(hash).decode() for hash in path],
            "salt": None if is_erased else self.salts[index].hex(),
        }

    def bundle(
        self,
        indexes: Sequence[int],
        *,
        subject: Any = None,
        files: Sequence[bytes] = (),
        erased: Sequence[int] = (),
        stretch: tuple[int, int] | None = None,
        witnesses: Sequence[tuple[str, Ed25519PrivateKey]] = (),
        timestamps: Sequence[bytes] = (),
    ) -> Parts:
        """A right bundle of these entries, with the entry that says that it was made; `stretch` is [start, end)."""
        subject = {"number": NUMBER} if subject is None else subject
        readers = {name: f"{name} of {subject}".encode() for name in REPORTS}
        readers |= {f"files/{hashlib.sha256(data).hexdigest()}": data for data in files}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in readers.items()}
        within = range(*(stretch or (0, 0)))
        chosen = [self.leaves[i] for i in {*indexes, *within} if i < len(self.leaves)]
        told = {
            "subject": subject,
            "reason": "complaint 7",
            "files": digests,
            "entries": listed(leaf.entry for leaf in chosen if is_listed(leaf.entry, leaf.kind, None)),
        }
        exported = self.add("evidence.exported", told)
        note, size = self.note(), len(self.leaves)
        lines: tuple[Signature, ...] = tuple(
            cosign(note.text, name, key, EPOCH + timedelta(hours=1)) for name, key in witnesses
        )
        every = sorted({*indexes, exported, *within})
        parts = Parts(
            manifest={
                "format": "heedline-bundle/1",
                "made_at": (EPOCH + timedelta(hours=2)).isoformat(),
                "heedline": "0.1.0",
                "subject": subject,
                "log": {"name": self.name, "keys": [str(key) for key in self.keys]},
                "exported": self.leaves[exported].entry,
                "files": {},
                "stretch": self._stretch(stretch, size, subject) if stretch else None,
            },
            checkpoint=str(note.with_signatures(*lines)),
            lines=[self.line(i, size, is_erased=self._hides(i, erased, within), in_stretch=i in within) for i in every],
            files=readers | {f"timestamps/{n}.tsr": token for n, token in enumerate(timestamps)},
        )
        return parts.hashed()

    def _hides(self, index: int, erased: Sequence[int], within: range) -> bool:
        return index in erased or (index in within and self.leaves[index].kind == "decision")

    def _stretch(self, stretch: tuple[int, int], size: int, subject: Any) -> dict[str, Any]:
        path = range_path(*stretch, size, self.subtree)
        return {
            "start": stretch[0],
            "end": stretch[1],
            "kinds": ["permit.redeemed"],
            "subject": subject,
            "path": [base64.b64encode(hash).decode() for hash in path],
        }

    def consistency(self, old: int, new: int) -> dict[str, Any]:
        """What `heedline evidence consistency` writes."""
        path = consistency_path(old, new, self.subtree)
        return {
            "format": "heedline-consistency/1",
            "old": str(self.note(old)),
            "new": str(self.note(new)),
            "path": [base64.b64encode(hash).decode() for hash in path],
        }


def busy_log(calls: int = 6) -> LogMaker:
    """A log with a consent, decisions, redemptions, refusals, and what happened between."""
    log = LogMaker()
    log.add("consent.granted", {"callee": NUMBER, "seller": "acme", "artefact": None}, subject=1)
    for call in range(calls):
        callee = NUMBER if call % 2 == 0 else f"+4420794602{call:02}"
        log.add("decision", {"request": {"callee": callee, "presented": "+442079460999"}}, subject=call + 1)
        log.add("permit.redeemed", {"callee": callee, "presented": "+442079460999"}, subject=call + 1)
    log.add("refusal", {"callee": NUMBER, "seller": "acme", "how": "dtmf"}, subject=1)
    log.add("lookup", {"what": "trace", "callee": NUMBER, "cli": None, "detail": ""})
    return log
