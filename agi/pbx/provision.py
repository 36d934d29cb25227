"""Find an Asterisk: one that HEEDLINE_ASTERISK names, else one installed, else one unpacked into Heedline's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from agi.pbx.binary import AsteriskBinary, BinaryError, inspect
from agi.pbx.settings import MODULES
from agi.pbx.unpack import UnpackError, unpack, unpacked
from dialer.errors import HeedlineError

__all__ = ["AsteriskBinary", "ProvisionError", "find_asterisk"]


class ProvisionError(HeedlineError):
    """There is no usable Asterisk; the message is one sentence that names the cure."""


def find_asterisk(home: Path, env: Mapping[str, str], progress: Callable[[str], None]) -> AsteriskBinary:
    """The Asterisk to run: the one that HEEDLINE_ASTERISK of `env` names, else an installed one, else an unpacked one.

    All must be version 20 or newer and have the modules that Heedline loads. The last lies in `home/asterisk` and is
    fetched from the machine's Debian mirror when it is not there (about 100 MB, half a minute; `progress` gets lines).
    ProvisionError when there is none.
    """
    named = env.get("HEEDLINE_ASTERISK", "")
    try:
        if named:
            return _named(named, env)
        return (
            _installed(env, progress)
            or unpacked(home / "asterisk", MODULES)
            or unpack(home / "asterisk", MODULES, progress)
        )
    except UnpackError as error:
        raise ProvisionError(str(error)) from error


def _named(named: str, env: Mapping[str, str]) -> AsteriskBinary:
    path = shutil.which(named, path=env.get("PATH"))
    if path is None:
        raise ProvisionError(f"HEEDLINE_ASTERISK names `{named}`, which is no program: correct it, or unset it")
    try:
        return inspect(Path(path), MODULES)
    except BinaryError as error:
        raise ProvisionError(f"HEEDLINE_ASTERISK cannot be used: {error}; correct it, or unset it") from error


def _installed(env: Mapping[str, str], progress: Callable[[str], None]) -> AsteriskBinary | None:
    for path in _places(env):
        try:
            return inspect(path, MODULES)
        except BinaryError as error:
            progress(f"asterisk: passed over, {error}")
    return None


def _places(env: Mapping[str, str]) -> Iterator[Path]:
    """The programs named `asterisk` on PATH and where Debian puts it, which is not on a plain user's PATH."""
    seen: set[Path] = set()
    for search in (env.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"):
        found = shutil.which("asterisk", path=search)
        if found and (path := Path(found).resolve()) not in seen:
            seen.add(path)
            yield path
