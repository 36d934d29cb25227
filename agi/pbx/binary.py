"""An Asterisk on this machine: its version, and where its modules and data are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialer.errors import HeedlineError

MINIMUM_VERSION = 20
_VERSION = re.compile(r"^Asterisk (?:certified[-/])?((\d+)\.\S+)", re.MULTILINE)
_VERSION_SECONDS = 20  # the first run from a cold disk is slow


class BinaryError(HeedlineError):
    """A program that cannot serve as Asterisk; the message says why."""


@dataclass(frozen=True, slots=True)
class AsteriskBinary:
    """An Asterisk that runs. `argv` is the prefix of its command line, `modules` and `data` its two shipped folders,
    `version` what it says of itself (`22.10.1`)."""

    path: Path
    argv: tuple[str, ...]
    modules: Path
    data: Path
    version: str

    @property
    def major(self) -> int:
        """The release branch: 20, 22 ..."""
        return int(self.version.split(".", 1)[0])


def inspect(path: Path, required: Sequence[str] = ()) -> AsteriskBinary:
    """Run it and look around it.

    BinaryError when it does not run, is older than 20, or lacks a module of `required`.
    """
    version, major = _version(path)
    if major < MINIMUM_VERSION:
        raise BinaryError(f"`{path}` is Asterisk {version}, older than {MINIMUM_VERSION}")
    roots = tuple(_roots(path))
    modules = next((folder for root in roots for folder in _module_folders(root) if folder.is_dir()), None)
    data = next((folder for root in roots for folder in _data_folders(root) if folder.is_dir()), None)
    if modules is None or data is None:
        raise BinaryError(f"`{path}` has no folder of modules, or none of documentation, beside it")
    missing = [name for name in required if not (modules / f"{name}.so").exists()]
    if missing:
        raise BinaryError(f"`{path}` lacks the modules {', '.join(missing)}")
    return AsteriskBinary(path, (str(path),), modules, data, version)


def _version(path: Path) -> tuple[str, int]:
    try:
        done = subprocess.run(  # noqa: S603 - the path is the administrator's
            [path, "-V"], capture_output=True, text=True, errors="replace", timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinaryError(f"`{path}` does not run: {error}") from error
    match = _VERSION.search(done.stdout)
    if done.returncode or not match:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BinaryError(f"`{path} -V` names no version: {said[-1] if said else 'it says nothing'}")
    return match[1], int(match[2])


def _roots(path: Path) -> Iterator[Path]:
    """Where the installation may begin: above `bin` or `sbin`, and above `usr`."""
    prefix = path.resolve().parent.parent
    yield from (prefix, prefix / "usr", prefix.parent)


def _module_folders(root: Path) -> Iterator[Path]:
    yield from sorted(root.glob("lib/*-linux-gnu*/asterisk/modules"))
    yield from (root / "lib64/asterisk/modules", root / "lib/asterisk/modules")


def _data_folders(root: Path) -> Iterator[Path]:
    """Folders that hold `documentation`, without which the core refuses to configure itself."""
    for folder in (root / "share/asterisk", root / "var/lib/asterisk"):
        if (folder / "documentation").is_dir():
            yield folder
