"""The files of a bundle: what proves a consent, a refusal or a near miss, checked by its hash; and the zip itself."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dialer.clips import clip_file
from dialer.durable import sync_folder
from dialer.errors import FileError
from dialer.ports_bundles import Matter
from dialer.ports_refusals import FormArtefact, RefusalArtefact, RequestArtefact, SpeechArtefact

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a node keeps what was taken in as files."""

    artefacts: Path
    clips: Path


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a record names by its SHA-256 (hexadecimal). `missing` says why it is not there: `gone`, `changed`,
    `unreadable` or `elsewhere`; None: it is there, at `file`, of `size` bytes. `of` are the records that name it."""

    sha256: str
    media_type: str
    location: str
    of: tuple[str, ...]
    file: Path | None = None
    size: int = 0
    missing: str | None = None

    def document(self) -> dict[str, Any]:
        """For programs."""
        told = {"sha256": self.sha256, "media_type": self.media_type, "location": self.location, "of": list(self.of)}
        return {**told, "size": self.size if self.missing is None else None, "missing": self.missing}


def attachments(matter: Matter, folders: Folders) -> list[Attachment]:
    """Every file that the records of a matter name, looked up and hashed."""
    named: dict[str, list[Any]] = {}
    for sha256, media_type, location, of in _named(matter):
        known = named.setdefault(sha256, [media_type, location, []])
        known[2].append(of)
    return [_found(sha256, known[0], known[1], known[2], folders) for sha256, known in sorted(named.items())]


def _named(matter: Matter) -> Iterator[tuple[str, str, str, str]]:
    for consent in matter.consents:
        if artefact := consent.consent.artefact:
            yield artefact.sha256.hex(), artefact.media_type, artefact.location, f"consent {consent.id}"
    for refusal in matter.refusals:
        yield from _of_artefact(refusal.refusal.artefact, f"refusal {refusal.id}")
    for review in matter.reviews:
        yield from _of_artefact(review.review.artefact, f"near miss {review.id}")


def _of_artefact(artefact: RefusalArtefact | None, of: str) -> Iterator[tuple[str, str, str, str]]:
    match artefact:
        case SpeechArtefact(clip=clip) if clip:
            yield clip, "audio/wav", f"clips/{clip[:2]}/{clip}.wav", of
        case FormArtefact() | RequestArtefact(form=FormArtefact()):
            form = artefact if isinstance(artefact, FormArtefact) else artefact.form
            assert form is not None  # noqa: S101 - the pattern says so
            yield form.sha256, form.media_type, form.location, of


def _found(sha256: str, media_type: str, location: str, of: list[str], folders: Folders) -> Attachment:
    made = Attachment(sha256, media_type, location, tuple(dict.fromkeys(of)))
    try:
        places = (folders.artefacts / sha256, clip_file(sha256, folders.clips))
    except FileError:
        return _missing(made, "gone")
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        ours = not location or location.startswith(("artefacts/", "clips/"))
        return _missing(made, "gone" if ours else "elsewhere")
    try:
        digest, size = _hashed(file)
    except OSError:
        return _missing(made, "unreadable")
    if digest != sha256:
        return _missing(made, "changed")
    return Attachment(sha256, media_type, location, made.of, file, size)


def _missing(made: Attachment, why: str) -> Attachment:
    return Attachment(made.sha256, made.media_type, made.location, made.of, missing=why)


def _hashed(file: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


@contextlib.contextmanager
def draft_beside(file: Path) -> Iterator[Path]:
    """A new, empty file beside `file`, for its owner alone, which is gone afterwards unless it was renamed.

    Raises `FileError`: so a folder that cannot be written to is known before anything is done."""
    if file.is_dir():
        raise FileError(f"`{file}` is a folder", "give the name of a file, such as `bundle.zip`")
    if (file.exists() and not file.is_file()) or str(file) == "-":
        raise FileError(f"a bundle cannot go to `{file}`", "give the name of a file, such as `bundle.zip`")
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise _unwritable(file, error) from error
    try:
        yield draft
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def write_zip(
    draft: Path, file: Path, made_at: datetime, members: Mapping[str, bytes], attached: Iterable[Attachment]
) -> None:
    """Write the bundle into the draft and put it in place of `file`; when this returns it is on the disk. Raises
    `FileError`: then `file` is as it was. The same members give the same bytes."""
    try:
        with draft.open("r+b") as stream:
            with zipfile.ZipFile(stream, "w") as bundle:
                for name, data in members.items():
                    bundle.writestr(_member(name, made_at), data)
                for each in attached:
                    if each.file is not None:
                        _copy(bundle, each, each.file, made_at)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise _unwritable(file, error) from error


def _copy(bundle: zipfile.ZipFile, attachment: Attachment, file: Path, made_at: datetime) -> None:
    digest = hashlib.sha256()
    member = _member(f"files/{attachment.sha256}", made_at)
    member.file_size = attachment.size
    with file.open("rb") as source, bundle.open(member, "w") as copy:
        while block := source.read(_BLOCK):
            digest.update(block)
            copy.write(block)
    if digest.hexdigest() != attachment.sha256:
        raise FileError(f"`{file}` was changed while the bundle was made", "find out by whom, then export again")


def _member(name: str, made_at: datetime) -> zipfile.ZipInfo:
    at = max(made_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
    member = zipfile.ZipInfo(name, at)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _unwritable(file: Path, error: OSError) -> FileError:
    why = (error.strerror or str(error)).lower()
    return FileError(f"`{file}` cannot be written: {why}", "check its folder, its rights and the room on the disk")
