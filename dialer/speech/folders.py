"""Which kind of sherpa-onnx model a folder holds, told by its files and the marks in their metadata."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dialer.errors import SpeechError


class Kind(StrEnum):
    """A kind of model that sherpa-onnx reads."""

    ONLINE_TRANSDUCER = "online transducer"
    ONLINE_PARAFORMER = "online paraformer"
    ONLINE_CTC = "online CTC"
    KEYWORD = "keyword spotter"
    OFFLINE_TRANSDUCER = "offline transducer"
    OFFLINE_PARAFORMER = "offline paraformer"
    OFFLINE_CTC = "offline CTC"
    SENSE_VOICE = "SenseVoice"
    WHISPER = "Whisper"
    MOONSHINE = "Moonshine"
    MOONSHINE_MERGED = "Moonshine, merged decoder"


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder's model: its kind, and its files by the role that they have in it."""

    kind: Kind
    files: dict[str, Path]


STREAMING = (b"decode_chunk_len", b"left_context_len")
"""Metadata that only streaming encoders have."""


def recognise(folder: Path) -> Layout:
    """What model a folder holds. Raises `SpeechError` that names the folder and the file that is missing."""
    if not folder.is_dir():
        raise SpeechError(f"the model folder `{folder}` does not exist", "name a folder with a sherpa-onnx model")
    names = {
        "tokens": ("tokens.txt", "*tokens.txt"),
        "keywords": ("keywords.txt",),
        "preprocessor": ("preprocess.onnx",),
        "uncached_decoder": ("uncached_decode*.onnx",),
        "cached_decoder": ("cached_decode*.onnx",),
        "encoder": ("encoder_model*.ort", "*encoder*.int8.onnx", "*encoder*.onnx", "encode*.onnx"),
        "decoder": ("decoder_model*.ort", "*decoder*.int8.onnx", "*decoder*.onnx"),
        "joiner": ("*joiner*.int8.onnx", "*joiner*.onnx"),
        "model": ("model*.int8.onnx", "model*.onnx"),
    }
    files = {role: file for role, patterns in names.items() if (file := _first(folder, patterns)) is not None}
    kind = _kind(folder, files)
    roles = {role: files[role] for role in ROLES[kind] if role in files}
    if missing := [role for role in ROLES[kind] if role not in files]:
        raise _incomplete(folder, f"is a model of the kind {kind.value} without `{names[missing[0]][-1]}`")
    if "tokens" not in files:
        raise _incomplete(folder, "has no `tokens.txt`")
    return Layout(kind, {**roles, "tokens": files["tokens"]})


ROLES = {
    Kind.ONLINE_TRANSDUCER: ("encoder", "decoder", "joiner"),
    Kind.ONLINE_PARAFORMER: ("encoder", "decoder"),
    Kind.ONLINE_CTC: ("model",),
    Kind.KEYWORD: ("encoder", "decoder", "joiner", "keywords"),
    Kind.OFFLINE_TRANSDUCER: ("encoder", "decoder", "joiner"),
    Kind.OFFLINE_PARAFORMER: ("model",),
    Kind.OFFLINE_CTC: ("model",),
    Kind.SENSE_VOICE: ("model",),
    Kind.WHISPER: ("encoder", "decoder"),
    Kind.MOONSHINE: ("preprocessor", "encoder", "uncached_decoder", "cached_decoder"),
    Kind.MOONSHINE_MERGED: ("encoder", "decoder"),
}
"""The files of each kind, beside `tokens.txt`."""


def _kind(folder: Path, files: dict[str, Path]) -> Kind:
    if files.keys() & {"preprocessor", "uncached_decoder", "cached_decoder"}:
        return Kind.MOONSHINE
    if "encoder" in files and files["encoder"].suffix == ".ort":
        return Kind.MOONSHINE_MERGED
    if "joiner" in files or "keywords" in files:
        if "keywords" in files:
            return Kind.KEYWORD
        streaming = "encoder" in files and _marked(files["encoder"], *STREAMING)
        return Kind.ONLINE_TRANSDUCER if streaming else Kind.OFFLINE_TRANSDUCER
    if "encoder" in files:
        return _without_joiner(folder, files["encoder"])
    if "model" in files:
        return _single(files["model"])
    raise _incomplete(folder, "has no `encoder*.onnx` and no `model*.onnx`")


def _without_joiner(folder: Path, encoder: Path) -> Kind:
    if _marked(encoder, b"n_text_layer"):
        return Kind.WHISPER
    if _marked(encoder, b"lfr_window_size"):
        return Kind.ONLINE_PARAFORMER
    raise _incomplete(folder, "has an encoder that is neither Whisper's nor Paraformer's, and no `joiner*.onnx`")


def _single(model: Path) -> Kind:
    if _marked(model, b"with_itn"):
        return Kind.SENSE_VOICE
    if _marked(model, b"lfr_window_size"):
        return Kind.OFFLINE_PARAFORMER
    return Kind.ONLINE_CTC if _marked(model, *STREAMING) else Kind.OFFLINE_CTC


def _first(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    for pattern in patterns:
        if found := sorted(file for file in folder.glob(pattern) if file.is_file()):
            return found[0]
    return None


def _marked(file: Path, *marks: bytes) -> bool:
    """Whether one of the marks is in the file; ONNX keeps its metadata as plain text, at the end."""
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.rfind(mark) >= 0 for mark in marks)
    except (OSError, ValueError) as error:
        raise SpeechError(f"`{file}` cannot be read: {error}", "copy the model's folder again") from error


def _incomplete(folder: Path, problem: str) -> SpeechError:
    return SpeechError(f"the model folder `{folder}` {problem}", "copy the model's folder whole")
