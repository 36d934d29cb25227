"""What the command says: exit codes, languages, keys from texts and files, bad input in one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dialer.verifier.__main__ import main
from dialer.verifier.command import language_of, verify_and_tell
from dialer.verifier.note import COSIGNATURE, verifier_key
from tests.bundle_maker import LogMaker, busy_log, key_of
from tests.unit.verifier.authority import ec_key, holder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[LogMaker, Path]:
    """A log and a folder with `right.zip`, `wrong.zip`, `proof.json`."""
    folder = tmp_path_factory.mktemp("files")
    log = busy_log()
    parts = log.bundle([1, 2, 3], witnesses=[("w.example/1", key_of("w"))])
    (folder / "right.zip").write_bytes(parts.zipped())
    parts.line("decision")["salt"] = "00" * 16
    (folder / "wrong.zip").write_bytes(parts.hashed().zipped())
    (folder / "proof.json").write_text(json.dumps(log.consistency(5, 12), indent=1) + "\n", encoding="utf-8")
    return log, folder


def said(
    file: Path,
    *keys: str,
    witnesses: tuple[str, ...] = (),
    authorities: tuple[Path, ...] = (),
    language: str = "en",
    as_json: bool = False,
) -> tuple[str, int]:
    """What is printed, and the exit code."""
    return verify_and_tell(file, keys, witnesses, authorities, language=language, as_json=as_json)


def test_right(made: tuple[LogMaker, Path]) -> None:
    """A right bundle under a pinned key: what is proven, the conclusion last, exit code 0; in either language."""
    log, folder = made
    text, code = said(folder / "right.zip", str(log.verifier))
    assert (text.splitlines()[-1], code) == ("right", 0)
    assert "4 entries, all of them in the log" in text
    assert text.startswith('about:   {"number":"+442079460123"}, from the log `example.org/log`, made 2026-11-24T10:00')
    text, code = said(folder / "right.zip", str(log.verifier), language="zh")
    assert (text.splitlines()[-1], code) == ("属实", 0)
    assert "4 个条目" in text


def test_wrong(made: tuple[LogMaker, Path]) -> None:
    """A changed bundle: the entry is named, exit code 1; in either language."""
    log, folder = made
    text, code = said(folder / "wrong.zip", str(log.verifier))
    assert code == 1
    assert "FALSE:   entry 4 (index 2, decision): its payload and salt are not" in text
    assert text.splitlines()[-1] == "FALSE: 1 thing is not as it must be"
    text, code = said(folder / "wrong.zip", str(log.verifier), language="zh")
    assert (text.splitlines()[-1], code) == ("不实：有 1 处不符", 1)


def test_keys_in_a_file(made: tuple[LogMaker, Path], tmp_path: Path) -> None:
    """Keys may stand in a file, with comments, several of them."""
    log, folder = made
    other = verifier_key(log.name, key_of("other"))
    keys = tmp_path / "keys"
    keys.write_text(f"# the log's keys\n{other}\n\n{log.verifier}\n", encoding="utf-8")
    assert said(folder / "right.zip", str(keys))[1] == 0
    keys.write_text(f"{other}\n", encoding="utf-8")
    assert said(folder / "right.zip", str(keys))[1] == 1
    assert said(folder / "right.zip", str(keys), str(log.verifier))[1] == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it holds no key"),
        (b"# nothing\n", "it holds no key"),
        (b"hello\n", "a key is written `name+hash+base64`"),
        (b"\xff\xfe", "it is no key"),
        (b"x" * 70_000, "larger than 65536 bytes"),
    ],
)
def test_wrong_key_files(made: tuple[LogMaker, Path], tmp_path: Path, content: bytes, words: str) -> None:
    """A file that holds no keys is named, exit code 2."""
    keys = tmp_path / "keys"
    keys.write_bytes(content)
    text, code = said(made[1] / "right.zip", str(keys))
    assert (code, words in text, "keys`" in text) == (2, True, True)


@pytest.mark.parametrize("key", ["nothing-here", "a+b+c", "x" * 5000, "a\x00b", "\x1b[31m"])
def test_wrong_keys(made: tuple[LogMaker, Path], key: str) -> None:
    """A key that is none, nor a file, is one clear line, exit code 2."""
    text, code = said(made[1] / "right.zip", key)
    assert code == 2
    assert text.startswith("error: `")
    assert text.isprintable()


def test_mistyped_key(made: tuple[LogMaker, Path]) -> None:
    """A key that was mistyped is told from a file that is not there."""
    log, folder = made
    text, code = said(folder / "right.zip", str(log.verifier).replace("+b", "+c", 1))
    assert code == 2
    assert "was it cut or mistyped?" in text


def test_witnesses_and_authorities(made: tuple[LogMaker, Path], tmp_path: Path) -> None:
    """A witness or an authority that is asked for and not there makes it false; a file that is none, unreadable."""
    log, folder = made
    key, right = str(log.verifier), folder / "right.zip"
    witness = str(verifier_key("w.example/1", key_of("w"), COSIGNATURE))
    stranger = str(verifier_key("w.example/2", key_of("w"), COSIGNATURE))
    assert said(right, key, witnesses=(witness,))[1] == 0
    assert said(right, key, witnesses=(witness, stranger))[1] == 1
    anchor = holder(tmp_path, "tsa", ec_key()).certificate_file
    assert said(right, key, authorities=(anchor,))[1] == 1
    text, code = said(right, key, authorities=(right,))
    assert (code, "it is no certificate (PEM or DER)" in text) == (2, True)
    assert said(right, key, authorities=(tmp_path / "none",))[1] == 2


def test_json(made: tuple[LogMaker, Path]) -> None:
    """For programs the whole report is one document, an error too."""
    log, folder = made
    text, code = said(folder / "right.zip", str(log.verifier), as_json=True)
    told = json.loads(text)
    assert (code, told["right"], told["facts"]["checkpoint"]["size"]) == (0, True, len(log.leaves))
    assert told["facts"]["entries"] == 4
    text, code = said(folder / "none.zip", as_json=True)
    assert (code, json.loads(text)["right"]) == (2, None)


def test_nothing_steers_a_terminal(tmp_path: Path) -> None:
    """What a bundle says of itself is told without its control characters, in either form, and none is lost in JSON."""
    parts, file = busy_log().bundle([1]), tmp_path / "steering.zip"
    parts.manifest["subject"] = {"call": "\x1b[2J\x9b31m\u202e\U000e0001"}
    file.write_bytes(parts.zipped())
    assert said(file)[0].replace("\n", "").isprintable()
    text, _ = said(file, as_json=True)
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)["facts"]["subject"] == parts.manifest["subject"]


def test_unreadable(made: tuple[LogMaker, Path], tmp_path: Path) -> None:
    """A file that is not there, a folder, a pipe, a text: one line, exit code 2, in either language."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    reader = os.open(pipe, os.O_RDWR)
    try:
        for file, english, chinese in (
            (tmp_path / "none", "it cannot be read: no such file or directory", "无法读取"),
            (tmp_path, "it cannot be read: is a directory", "无法读取"),
            (pipe, "it is no plain file", "不是普通文件"),
            (tmp_path / "text", "it is no zip archive that can be read", "不是可读的 zip 包"),
        ):
            assert [english in said(file)[0], said(file)[1]] == [True, 2]
            assert chinese in said(file, language="zh")[0]
    finally:
        os.close(reader)


def test_proof(made: tuple[LogMaker, Path]) -> None:
    """A proof of consistency is verified, with the log's key and, with a warning, without."""
    log, folder = made
    text, code = said(folder / "proof.json", str(log.verifier))
    assert code == 0
    assert "the log of 12 begins with the one of 5: nothing was rewritten" in text
    text, code = said(folder / "proof.json")
    assert (code, text.count("its signature was not checked")) == (0, 2)
    assert said(folder / "proof.json", str(verifier_key(log.name, key_of("other"))))[1] == 1


def _broken(log: LogMaker) -> list[tuple[dict[str, Any], str, int]]:
    right = log.consistency(5, 12)
    other = LogMaker("example.org/other").note()
    rewritten = busy_log(9)
    rewritten.leaves[2] = rewritten.leaves[3]
    return [
        ({"path": right["path"][:-1]}, "the proof is too short", 1),
        ({"path": right["path"] + right["path"][:1]}, "the proof is too long", 1),
        ({"path": []}, "the proof is too short", 1),
        ({"old": right["new"], "new": right["old"]}, "is shorter than the one of 12", 1),
        ({"new": str(rewritten.note(12))}, "does not lead to the new root: the log was rewritten", 1),
        ({"old": str(rewritten.note(5))}, "does not lead to the old root", 1),
        ({"old": str(other)}, "of different logs", 1),
        ({"old": right["old"].replace("\n5\n", "\n4\n")}, "signature of", 1),
        ({"format": "heedline-consistency/2"}, "its format is `heedline-consistency/2`", 2),
        ({"more": 1}, "and not `heedline-consistency/1` with", 2),
        ({"old": None}, "a signed note ends with a line break", 2),
        ({"old": 7}, "a signed note ends with a line break", 2),
        ({"path": "AAAA"}, "a proof is a list of hashes", 2),
        ({"path": ["é"]}, "a proof is a list of hashes", 2),
    ]


def test_broken_proofs(made: tuple[LogMaker, Path], tmp_path: Path) -> None:
    """Whatever is changed in a proof of consistency is false or unreadable, and why is said."""
    log, _ = made
    for change, words, expected in _broken(log):
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(log.consistency(5, 12) | change), encoding="utf-8")
        text, code = said(file, str(log.verifier))
        assert (words in text, code) == (True, expected), (change, text)
    file.write_bytes(b"{" + b" " * (5 << 20))
    assert "too large for a proof" in said(file)[0]
    file.write_bytes(b'{"format":"heedline-consistency/1","format":"x"}')
    assert "a name occurs twice" in said(file)[0]


def test_program(made: tuple[LogMaker, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The program prints on standard output, errors on standard error, and ends with the code."""
    log, folder = made
    for arguments, code, out, err in (
        ([folder / "right.zip", "--key", log.verifier], 0, "right\n", ""),
        ([folder / "wrong.zip", "--language", "zh"], 1, "不符\n", ""),
        ([folder / "none.zip", "--language", "en"], 2, "", "no such file or directory\n"),
        ([], 2, "", "the following arguments are required: FILE\n"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        told = capsys.readouterr()
        assert (ended.value.code, told.out.endswith(out), told.err.endswith(err)) == (code, True, True)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C", "HEEDLINE_LANGUAGE": "zh"}, "zh"),
        ({"LANG": "zh_TW", "HEEDLINE_LANGUAGE": "xx"}, "zh"),
    ],
)
def test_language(environment: dict[str, str], language: str) -> None:
    """The language is that of HEEDLINE_LANGUAGE, else of the locale."""
    assert language_of(environment) == language


def test_reader_has_enough(made: tuple[LogMaker, Path]) -> None:
    """Whoever reads the output may stop early: no traceback."""
    program = [sys.executable, "-m", "dialer.verifier", str(made[1] / "right.zip")]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_heedline_evidence_verify(made: tuple[LogMaker, Path], tmp_path: Path) -> None:
    """`heedline evidence verify` says the same, without a home or a database."""
    from dialer.cli import main as heedline  # noqa: PLC0415 - the whole program, for this test alone

    log, folder = made
    out, real = io.StringIO(), sys.stdout
    sys.stdout = out
    try:
        with pytest.raises(SystemExit) as ended:
            heedline(["--language", "en", "evidence", "verify", str(folder / "wrong.zip"), "--key", str(log.verifier)])
    finally:
        sys.stdout = real
    assert ended.value.code == 1
    assert out.getvalue() == said(folder / "wrong.zip", str(log.verifier))[0] + "\n"
