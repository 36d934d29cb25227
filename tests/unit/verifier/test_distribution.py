"""The verifier is a distribution by itself: its wheel verifies a bundle where nothing of Heedline can be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.bundle_maker import busy_log

ROOT = Path(__file__).parents[3]
NEEDED = ["cryptography", "cffi", "_cffi_backend"]
RUN = """
import importlib.util, sys
sys.path += sys.argv[1:3]
absent = ("dialer", "agi", "db", "orjson", "asyncpg")
assert not [name for name in absent if importlib.util.find_spec(name)]
from heedline_verify.__main__ import main
def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "sqlite3.")):
        raise PermissionError(event)
sys.addaudithook(refuse)
main(sys.argv[3:])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree; nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT / "verifier", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which `cryptography` and what it needs can be imported, and nothing else."""
    folder = tmp_path_factory.mktemp("libraries")
    for name in NEEDED:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            source = origin.parent if origin.stem == "__init__" else origin
            (folder / source.name).symlink_to(source)
    return folder


def test_wheel(wheel: Path) -> None:
    """It holds the modules of `dialer/verifier`, byte by byte, the licence, and needs `cryptography` alone."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if name.startswith("heedline_verify/")}
        (metadata,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        needs = [line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist:")]
        (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "heedline-verify = heedline_verify.__main__:main" in archive.read(entry).decode()
    modules = {f"heedline_verify/{path.name}": path.read_bytes() for path in (ROOT / "dialer/verifier").glob("*.py")}
    assert held == modules | {"heedline_verify/LICENSE": (ROOT / "LICENSE").read_bytes()}
    assert needs == ["Requires-Dist: cryptography>=46"]


def test_versions() -> None:
    """It has the version and the needs of Python and cryptography that Heedline has."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    alone = tomllib.loads((ROOT / "verifier" / "pyproject.toml").read_text())["project"]
    assert [alone[name] for name in ("version", "requires-python")] == [whole["version"], whole["requires-python"]]
    assert set(alone["dependencies"]) <= set(whole["dependencies"])


def test_alone(wheel: Path, libraries: Path, tmp_path: Path) -> None:
    """It says that a right bundle is right and that a changed one is not, with neither Heedline nor a network."""
    log = busy_log()
    parts = log.bundle([1, 2, 3])
    right, wrong = tmp_path / "right.zip", tmp_path / "wrong.zip"
    right.write_bytes(parts.zipped())
    parts.line("decision")["salt"] = "00" * 16
    wrong.write_bytes(parts.hashed().zipped())

    def run(file: Path) -> tuple[int, dict[str, Any]]:
        command: list[str | Path] = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            RUN,
            wheel,
            libraries,
            file,
            "--key",
            str(log.verifier),
            "--json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    code, told = run(right)
    assert (code, told["right"], told["counts"]["warning"]) == (0, True, 0)
    code, told = run(wrong)
    assert (code, told["right"]) == (1, False)
    assert told["findings"]["false"][0]["where"]["entry"] == 4
