"""Puts Heedline's dialplan files into a switch's configuration folder, and says what a person must add by hand.

A file that Heedline wrote bears a hash of its text. Only such a file, unchanged since, is ever replaced unasked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from agi.dialplan.render import (
    EGRESS_FRAGMENTS,
    FEATURES_FRAGMENTS,
    PBX_FRAGMENTS,
    SOUNDS,
    DialplanSettings,
    Fragment,
    render,
)
from dialer.errors import FileError, UnsafeText
from dialer.hostile import printable

Role = Literal["pbx", "egress"]

_FRAGMENTS: dict[Role, tuple[Fragment, ...]] = {"pbx": PBX_FRAGMENTS, "egress": EGRESS_FRAGMENTS}
_FEATURES: dict[Role, tuple[Fragment, ...]] = {"pbx": FEATURES_FRAGMENTS, "egress": ()}
_MARK = re.compile(r"; heedline sha256=([0-9a-f]{64})\n")
_HEADER = """; heedline sha256={digest}
; Written by `heedline pbx install`. A change made here is noticed and kept, but the file is then no longer renewed.
"""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class State(StrEnum):
    """What installing a file means for what is there."""

    NEW = "new"
    SAME = "same"
    RENEWED = "renewed"  # ours, of another version or with other settings
    CHANGED = "changed"  # ours, changed by a person since
    FOREIGN = "foreign"  # somebody else's

    @property
    def kept(self) -> bool:
        """Not replaced unless forced."""
        return self in (State.CHANGED, State.FOREIGN)


@dataclass(frozen=True, slots=True)
class Planned:
    """One file: what it will hold, and what it is now."""

    path: Path
    text: str
    state: State


def marked(body: str) -> str:
    """A file's text with the header by which it is known again."""
    return _HEADER.format(digest=hashlib.sha256(body.encode()).hexdigest()) + body


def state_of(present: str | None, wanted: str) -> State:
    """How a file's present text (None: there is none) relates to the wanted one. Pure."""
    if present is None:
        return State.NEW
    if present == wanted:
        return State.SAME
    mark = _MARK.match(present)
    if mark is None:
        return State.FOREIGN
    body = present[len(_HEADER.format(digest=mark[1])) :]
    return State.RENEWED if marked(body) == present else State.CHANGED


def plan(folder: Path, role: Role, settings: DialplanSettings) -> list[Planned]:
    """The files of a role in `folder`. Raises `FileError` when a present file cannot be read."""
    planned = []
    for fragment in (*_FRAGMENTS[role], *_FEATURES[role]):
        path, text = folder / fragment.value, marked(render(fragment, settings))
        planned.append(Planned(path, text, state_of(_present(path), text)))
    return planned


def install(planned: Sequence[Planned], *, force: bool = False) -> list[Path]:
    """Write what differs, each file whole or not at all; the files written.

    Raises `FileError`, and has then written nothing, when a file was changed by a person and `force` is not given. A
    file that is replaced by force is kept beside it as `NAME.before-heedline`.
    """
    kept = [file.path for file in planned if file.state.kept]
    if kept and not force:
        names = ", ".join(f"`{path}`" for path in kept)
        raise FileError(
            f"{names} would be overwritten, but a person wrote or changed it", "move it away, or use --force"
        )
    written = []
    for file in planned:
        if file.state is State.SAME:
            continue
        if file.state.kept:
            _replace(file.path.with_name(f"{file.path.name}.before-heedline"), _bytes(_present(file.path) or ""), 0o644)
        _replace(file.path, _bytes(file.text), 0o644)
        written.append(file.path)
    return written


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: where it comes from, where it goes, and whether something is there already."""

    source: Path
    path: Path
    there: bool


def plan_sounds(role: Role, folder: Path) -> list[Prompt]:
    """The prompts of a role in `folder`, by language. Recordings that are there are a person's choice."""
    if role != "pbx":
        return []
    places = [(file, folder / file.parent.name / file.name) for file in sorted(SOUNDS.glob("*/*.wav"))]
    return [Prompt(source, path, path.exists()) for source, path in places]


def install_sounds(planned: Sequence[Prompt]) -> list[Path]:
    """Copy what is not there; the files written. Raises `FileError`."""
    written = []
    for prompt in planned:
        if prompt.there:
            continue
        try:
            prompt.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            recording = prompt.source.read_bytes()
        except OSError as error:
            raise FileError(f"`{prompt.path.parent}` cannot be made: {error.strerror}", "check its rights") from error
        _replace(prompt.path, recording, 0o644)
        written.append(prompt.path)
    return written


def secret(file: Path, *, renew: bool = False) -> str:
    """The manager user's secret in `file` (0600, in a folder of 0700): the one that is there, or a fresh random one.

    Raises `FileError`.
    """
    present = None if renew else _present(file)
    if present is not None and present.strip():
        return present.strip()
    fresh = secrets.token_urlsafe(32)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"`{file.parent}` cannot be made: {error.strerror}", "check its rights") from error
    _replace(file, _bytes(f"{fresh}\n"), 0o600)
    return fresh


def checked_name(name: str) -> str:
    """A switch's name. Raises `UnsafeText`."""
    if not _NAME.fullmatch(name):
        raise UnsafeText(f"a switch cannot be named `{printable(name, 64)}`", "use letters, digits, `-` and `_`")
    return name


def includes(folder: Path, role: Role) -> list[str]:
    """The lines for extensions.conf; by name alone when that file is in the same folder."""
    return _includes(folder, "extensions.conf", _FRAGMENTS[role])


def feature_includes(folder: Path, role: Role) -> list[str]:
    """The lines for features.conf, under `[applicationmap]`; none for the egress. As `includes`."""
    return _includes(folder, "features.conf", _FEATURES[role])


def _includes(folder: Path, into: str, fragments: Sequence[Fragment]) -> list[str]:
    beside = (folder / into).exists()
    names = [fragment.value for fragment in fragments]
    return [f"#include {name}" if beside else f'#include "{folder.absolute() / name}"' for name in names]


def manager_user(user: str, password: str, permit: str = "127.0.0.1/255.255.255.255") -> str:
    """The section of manager.conf: the rights that Heedline uses, and no others. `reporting` lets it read the refusals
    that the switch has kept (DBGetTree); `system`, for which one could write anything, is not asked for."""
    return (
        f"[{user}]\nsecret = {password}\ndeny = 0.0.0.0/0.0.0.0\npermit = {permit}\n"
        "read = call,user,system\nwrite = originate,call,user,reporting\nwritetimeout = 1000\n"
    )


def pjsip_notes(role: Role, settings: DialplanSettings) -> str:
    """What pjsip.conf needs: an example of the endpoint by which calls leave."""
    return _Notes(_PJSIP[role]).substitute(egress=settings.egress, carrier=settings.carrier)


def settings_section(name: str, role: Role, secret_file: Path, trunk: str) -> str:
    """The section of heedline.toml."""
    # TOML's basic strings and JSON's agree on how a path is quoted, but for what no path of ours holds.
    quoted = str(secret_file).replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'[[ami]]\nname = "{name}"\nrole = "{role}"\nhost = "127.0.0.1"\nport = 5038\nusername = "heedline"\n'
        f'secret_file = "{quoted}"\ntrunks = ["{trunk}"]\n'
    )


class _Notes(string.Template):
    delimiter = "%"


_PJSIP = {
    "pbx": """; the way to the egress: nothing else on this switch may reach a carrier
[%{egress}]
type = endpoint
context = from-egress
disallow = all
allow = alaw,ulaw
aors = %{egress}
direct_media = no
[%{egress}]
type = aor
contact = sip:EGRESS_ADDRESS:5060
qualify_frequency = 30
[%{egress}]
type = identify
endpoint = %{egress}
match = EGRESS_ADDRESS
""",
    "egress": """; each call centre's switch: all that it sends meets the gate
[pbx]
type = endpoint
context = heedline-egress
disallow = all
allow = alaw,ulaw
aors = pbx
direct_media = no
[pbx]
type = aor
contact = sip:PBX_ADDRESS:5060
qualify_frequency = 30
[pbx]
type = identify
endpoint = pbx
match = PBX_ADDRESS
; the carrier: this endpoint is named `%{carrier}` in the dialplan, and no context but heedline-egress may dial it
[%{carrier}]
type = endpoint
context = from-carrier
disallow = all
allow = alaw,ulaw
aors = %{carrier}
direct_media = no
[%{carrier}]
type = aor
contact = sip:CARRIER_ADDRESS:5060
qualify_frequency = 30
""",
}


def _present(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"`{path}` cannot be read: {error.strerror}", "check its rights") from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _replace(path: Path, content: bytes, mode: int) -> None:
    """The file appears whole or not at all, and survives a power cut. A link is followed, not replaced."""
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with open(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(descriptor)
            draft.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise FileError(f"`{path}` cannot be written: {error.strerror}", "check the folder and its rights") from error
