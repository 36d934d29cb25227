"""`heedline pbx install`: what is written, what is never overwritten, what is printed."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from agi.dialplan.render import EGRESS_FRAGMENTS, FEATURES_FRAGMENTS, PBX_FRAGMENTS, SOUNDS
from agi.install import State, marked, state_of
from dialer.cli import app
from dialer.config import load


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A switch's folder."""
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Heedline's folder."""
    monkeypatch.setenv("HEEDLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEEDLINE_CONFIG", raising=False)
    monkeypatch.setenv("HEEDLINE_LANGUAGE", "en")
    return tmp_path / "home"


def run(*arguments: str | Path) -> Result:
    """Run the command line."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def install(etc: Path, *more: str) -> dict[str, Any]:
    """Install and return what it says for programs."""
    result = run("pbx", "install", "--etc", etc, "--json", *more)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def states(document: dict[str, Any]) -> set[str]:
    """The states of all files."""
    return {file["state"] for file in document["files"]}


def files(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@given(st.text(max_size=50), st.text(max_size=50))
def test_own_file_is_known_until_it_is_changed(body: str, other: str) -> None:
    """Whatever was written is recognised as ours; with anything added it counts as changed by a person."""
    written = marked(body)
    assert state_of(written, written) is State.SAME
    assert state_of(written, marked(body + "x")) is State.RENEWED
    assert state_of(written + "; mine\n", marked(other)) is State.CHANGED
    assert state_of(None, written) is State.NEW
    assert state_of(body, written) is State.FOREIGN


@pytest.mark.parametrize(
    ("role", "fragments"), [("pbx", (*PBX_FRAGMENTS, *FEATURES_FRAGMENTS)), ("egress", EGRESS_FRAGMENTS)]
)
def test_first_install_writes_every_file_of_the_role(
    etc: Path, home: Path, role: str, fragments: tuple[str, ...]
) -> None:
    """The role's files and no others are there afterwards, and a second run finds nothing to do."""
    assert states(install(etc, "--role", role)) == {"new"}
    assert sorted(path.name for path in etc.iterdir() if path.is_file()) == sorted(fragments)
    again = install(etc, "--role", role)
    assert states(again) == {"same"}
    assert not any(file["written"] for file in again["files"])


def test_own_files_are_renewed_with_new_settings(etc: Path, home: Path) -> None:
    """Unchanged files of ours follow the settings without being asked."""
    install(etc, "--agi", "192.0.2.1:4573")
    install(etc, "--agi", "192.0.2.2:4573")
    assert "agi://192.0.2.2:4573/" in (etc / "heedline-gate.conf").read_text()


@pytest.mark.parametrize("mine", ["; mine, never Heedline's\n", None])
def test_file_of_a_person_is_never_overwritten_unasked(etc: Path, home: Path, mine: str | None) -> None:
    """One file that a person wrote or changed stops the whole install; --force replaces it and keeps a copy."""
    gate = etc / "heedline-gate.conf"
    if mine is None:
        install(etc)
        mine = gate.read_text() + "; changed\n"
    gate.write_text(mine)
    before = files(etc)
    result = run("pbx", "install", "--etc", etc, "--agi", "192.0.2.9:1")
    assert result.exit_code != 0
    assert "heedline-gate.conf" in str(result.exception)
    assert files(etc) == before
    install(etc, "--force")
    assert gate.read_text() != mine
    assert (etc / "heedline-gate.conf.before-heedline").read_text() == mine


def test_dry_run_writes_nothing(etc: Path, home: Path) -> None:
    """Neither files nor a secret come of a dry run."""
    document = install(etc, "--dry-run")
    assert states(document) == {"new"}
    assert list(etc.iterdir()) == []
    assert not (home / "keys").exists()


def test_secret_is_random_kept_and_private(etc: Path, home: Path) -> None:
    """The secret's file is readable by its owner alone, stays the same until a new one is asked for, and is used."""
    first = install(etc)
    file = Path(first["secret_file"])
    assert file == home / "keys" / "ami-pbx.secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    secret = file.read_text().strip()
    assert len(secret) >= 32
    assert f"secret = {secret}\n" in first["manager"]
    assert install(etc)["manager"] == first["manager"]
    assert install(etc, "--new-secret")["manager"] != first["manager"]
    assert install(etc, "--name", "two")["secret_file"].endswith("ami-two.secret")


def test_printed_settings_are_understood(etc: Path, home: Path) -> None:
    """The `[[ami]]` section that is printed is valid as it stands."""
    document = install(etc, "--egress", "way-out")
    (home / "heedline.toml").write_text(document["settings"])
    (switch,) = load().ami
    assert (switch.name, switch.role, switch.trunks) == ("pbx", "pbx", ("way-out",))
    assert str(switch.secret_file) == document["secret_file"]
    assert tomllib.loads(document["settings"])


def test_include_lines_name_files_as_asterisk_finds_them(etc: Path, home: Path) -> None:
    """Beside extensions.conf a name suffices; elsewhere the path is whole."""
    assert all(f'"{etc}/' in line for line in install(etc)["extensions"])
    (etc / "extensions.conf").touch()
    assert install(etc)["extensions"] == [f"#include {fragment.value}" for fragment in PBX_FRAGMENTS]


def test_country_chooses_the_emergency_numbers(etc: Path, home: Path) -> None:
    """Only the named countries' numbers go out unasked."""
    install(etc, "--country", "cn", "--country", "US")
    text = (etc / "heedline-outbound.conf").read_text()
    assert "exten => 120,1" in text
    assert "exten => 911,1" in text
    assert "exten => 999,1" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--country", "XX"),
        ("--agi", "127.0.0.1"),
        ("--agi", "127.0.0.1:1,evil"),
        ("--egress", "a)b"),
        ("--carrier", "${EVIL}"),
        ("--callee-key", "9,Hangup"),
        ("--agent-key", "9"),
        ("--audio", "h:1)"),
        ("--sounds", "/a,b"),
        ("--role", "other"),
    ],
)
def test_bad_argument_is_a_usage_error_and_writes_nothing(etc: Path, home: Path, arguments: tuple[str, str]) -> None:
    """What cannot stand in a dialplan ends with exit code 2 before anything is written."""
    assert run("pbx", "install", "--etc", etc, *arguments).exit_code == 2
    assert list(etc.iterdir()) == []


def test_folder_that_is_missing_is_a_usage_error(tmp_path: Path, home: Path) -> None:
    """The folder is the switch's and is never made."""
    assert run("pbx", "install", "--etc", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "none").exists()


def test_text_for_people_names_every_step(etc: Path, home: Path) -> None:
    """A person is told of each file that must be edited, and of how to check."""
    output = run("pbx", "install", "--etc", etc).output
    for word in ("extensions.conf", "manager.conf", "pjsip.conf", "modules.conf", "heedline.toml", "heedline doctor"):
        assert word in output


def test_include_line_of_the_keys_is_for_features_conf(etc: Path, home: Path) -> None:
    """The features' file is named as Asterisk finds it, for a call centre's switch alone."""
    assert install(etc)["features"] == [f'#include "{etc}/heedline-features.conf"']
    (etc / "features.conf").touch()
    assert install(etc)["features"] == ["#include heedline-features.conf"]
    assert install(etc, "--role", "egress")["features"] == []


def test_prompts_are_copied_and_own_recordings_kept(etc: Path, home: Path, tmp_path: Path) -> None:
    """Every prompt is there after an install and played from there, and a person's own is never replaced."""
    wanted = {file.relative_to(SOUNDS) for file in SOUNDS.glob("*/*.wav")}
    folder = tmp_path / "own sounds"
    own = folder / "zh" / "heedline-offer.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    document = install(etc, "--sounds", str(folder), "--force")
    assert {file.relative_to(folder) for file in folder.rglob("*.wav")} == wanted
    assert own.read_bytes() == b"mine"
    assert sorted(sound["state"] for sound in document["sounds"]) == ["new"] * (len(wanted) - 1) + ["present"]
    assert f"Playback({folder}/${{GOSUB_RETVAL}}/" in (etc / "heedline-refused.conf").read_text()
    assert not any(sound["written"] for sound in install(etc, "--sounds", str(folder))["sounds"])


def test_keys_and_audio_stand_in_the_dialplan(etc: Path, home: Path) -> None:
    """The keys are those that were chosen; announcements are heard where Heedline is, unless nobody shall listen."""
    install(etc, "--callee-key", "1", "--agent-key", "*9", "--agi", "192.0.2.1:4573")
    features = (etc / "heedline-features.conf").read_text()
    assert "heedline_callee => 1," in features
    assert "heedline_agent => *9," in features
    assert "192.0.2.1:4574" in (etc / "heedline-announce.conf").read_text()
    install(etc, "--audio", "")
    assert "4574" not in (etc / "heedline-announce.conf").read_text()
