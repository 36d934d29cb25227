"""Files that are kept under their SHA-256, held against their names. The one part of the check that reads a disk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dialer.fsck.faults import FaultKind, Findings
from dialer.verifier.words import Words

_NAME = re.compile(r"([0-9a-f]{64})(\.wav)?")
_BLOCK = 1024 * 1024


@dataclass(slots=True)
class FileCheck:
    """Files of this node: `checked` are as their names say; `missing` are named by rows and not here."""

    clips: Path
    artefacts: Path
    checked: int = 0
    missing: int = 0
    unreadable: list[str] = field(default_factory=list)

    def read_all(self, findings: Findings) -> None:
        """Read every file of both folders. Slow: it blocks, and memory does not grow."""
        for file, digest in self._kept():
            try:
                with file.open("rb") as stream:
                    found = hashlib.sha256()
                    while block := stream.read(_BLOCK):
                        found.update(block)
            except OSError:
                self.unreadable.append(file.name)
                continue
            if found.hexdigest() == digest:
                self.checked += 1
            else:
                findings.add(FaultKind.FILE_CHANGED, None, None, file=str(file))

    def named(self, sha256: str, *, clip: bool) -> None:
        """A row names a file."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            return  # the row's entry tells what is wrong with it
        file = self.clips / sha256[:2] / f"{sha256}.wav" if clip else self.artefacts / sha256
        self.missing += not file.is_file()

    def notes(self) -> Iterator[Words]:
        """What is to be said that is no fault."""
        if self.missing:
            yield Words(
                f"{self.missing} files that rows name by hash are not on this node; another may have them",
                f"数据行以哈希提及的 {self.missing} 个文件不在本节点；其他节点可能有",
            )
        if self.unreadable:
            count, name = len(self.unreadable), self.unreadable[0]
            yield Words(
                f"{count} files cannot be read, such as `{name}`: check their rights",
                f"{count} 个文件无法读取，例如 `{name}`：请检查权限",
            )

    def _kept(self) -> Iterator[tuple[Path, str]]:
        for pattern, folder in (("??/*.wav", self.clips), ("*", self.artefacts)):
            for file in sorted(folder.glob(pattern)):
                name = _NAME.fullmatch(file.name)
                if name and file.is_file():
                    yield file, name[1]
