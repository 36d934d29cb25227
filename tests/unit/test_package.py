"""The wheel holds what the program needs when it is installed, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"dialer", "agi", "db"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this tree by the build tools that are installed; nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def shipped(suffix: str) -> set[str]:
    """Files of the packages in this tree with that suffix."""
    found = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob(f"*{suffix}")}
    return {str(path) for path in found if "__pycache__" not in path.parts and path.suffix != ".pyc"}


def test_top_level_names(wheel: zipfile.ZipFile) -> None:
    """It installs the three packages and its own metadata, and no other name."""
    names = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == PACKAGES


@pytest.mark.parametrize("suffix", [".py", ".sql", ".toml", ".conf"])
def test_files(wheel: zipfile.ZipFile, suffix: str) -> None:
    """Every module, statement, pack, table and dialplan fragment of the packages is in it."""
    assert shipped(suffix)
    assert shipped(suffix) <= set(wheel.namelist())


def test_every_other_file(wheel: zipfile.ZipFile) -> None:
    """Whatever other files the packages hold, templates and pictures of later versions among them, are in it too."""
    files = {name for name in shipped("") if (ROOT / name).is_file()}
    assert files <= set(wheel.namelist())


def test_no_tests_or_documents(wheel: zipfile.ZipFile) -> None:
    """Tests, documents and settings of somebody's machine are not in it."""
    assert [
        name for name in wheel.namelist() if name.startswith(("tests/", "docs/", ".")) or name.endswith(".pyc")
    ] == []


def test_command_and_licence(wheel: zipfile.ZipFile) -> None:
    """It brings the command `heedline`, its licence and the README."""
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "heedline = dialer.cli:main" in wheel.read(entry).decode()
    (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    fields = Parser().parsestr(wheel.read(metadata).decode())
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields.get_payload()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
