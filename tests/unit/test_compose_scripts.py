"""The deployment's scripts, run for real in a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.compose_files import FILLED_IN, ROOT, compose

ASTERISK = ROOT / "deploy" / "asterisk"
MAKE_SECRETS = ROOT / "deploy" / "make-secrets.sh"
NAMES = ("postgres_password", "database_owner_password", "database_service_password", "ami_secret")
SCRIPTS = sorted((ROOT / "deploy").rglob("*.sh"))


def run(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A program with this Python's `heedline` and `python` on its path, and nothing else of the environment."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(command, env={"PATH": path, **env}, capture_output=True, text=True, check=False)


def rendered(folder: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the service `render` as compose would, into `folder`."""
    secret = folder.parent / "ami_secret"
    secret.write_text("a" * 64 + "\n", "utf-8")
    folder.mkdir(exist_ok=True)
    given = {key: str(value) for key, value in compose(FILLED_IN)["services"]["render"]["environment"].items()}
    own = {"HEEDLINE_HOME": str(folder.parent / "home"), "HEEDLINE_AMI_SECRET_FILE": str(secret)}
    return run(ASTERISK / "render.sh", **{**given, **own, "EGRESS_OUT": str(folder), **changed})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_plain_shell(script: Path) -> None:
    """Each parses, stops at the first error and at a variable that is not set, and may be run."""
    assert script.read_text("utf-8").startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in script.read_text("utf-8")
    assert script.stat().st_mode & stat.S_IXOTH
    assert run("sh", "-n", script).returncode == 0


def test_secrets_are_random_and_the_owners_alone(tmp_path: Path) -> None:
    """Four files of 256 random bits each, 0600 in a folder of 0700, handed to the containers' user by root."""
    seen = set()
    for turn in ("one", "two"):
        folder = tmp_path / turn
        assert run(MAKE_SECRETS, folder).returncode == 0
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert sorted(file.name for file in folder.iterdir()) == sorted(NAMES)
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert file.stat().st_uid == (999 if os.getuid() == 0 else os.getuid())
            assert re.fullmatch(r"[0-9a-f]{64}\n", file.read_text("utf-8"))
            seen.add(file.read_text("utf-8"))
    assert len(seen) == 2 * len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_never_overwritten(tmp_path: Path, name: str) -> None:
    """One file that is there, even a dangling link, stops it before it writes any."""
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    done = run(MAKE_SECRETS, tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path / name}` exists already" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_secrets_of_a_plain_user_need_one_more_step(tmp_path: Path) -> None:
    """Made without root they are the user's own, and the command that hands them over is printed."""
    tmp_path.chmod(0o711)
    for above in tmp_path.parents[:3]:
        above.chmod(0o711)
    script = tmp_path / "make-secrets.sh"
    shutil.copy(MAKE_SECRETS, script)
    folder = tmp_path / "secrets"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", script, folder)
    assert done.returncode == 0, done.stderr
    assert f"chown 999:999 {folder}/*" in done.stdout
    assert {file.stat().st_uid for file in folder.iterdir()} == {65534}


def test_secrets_are_kept_out_of_the_repository() -> None:
    """Where the script writes by default, git does not look."""
    assert "/secrets/" in (ROOT / "deploy" / ".gitignore").read_text("utf-8").splitlines()


def test_egress_is_rendered(tmp_path: Path) -> None:
    """The dialplan, the modules and the two peers, nothing left to fill in, no secret printed, readable by one user."""
    done = rendered(tmp_path / "etc")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a" * 64 not in done.stdout
    files = {file.name: file.read_text("utf-8") for file in (tmp_path / "etc").iterdir()}
    assert {"heedline-common.conf", "heedline-egress.conf", "modules.conf", "manager.conf"} <= set(files)
    assert not [name for name, text in files.items() if "%{" in text]
    assert "agi://172.30.231.2:4573/egress" in files["heedline-egress.conf"]
    assert "match = 198.51.100.0/28,198.51.100.77/32" in files["pjsip.conf"]
    assert "external_signaling_address = 203.0.113.10\nexternal_signaling_port = 5062" in files["pjsip.conf"]
    assert "contact = sip:sip.carrier.example:5060" in files["pjsip.conf"]
    assert "bindaddr = 172.30.231.3" in files["manager.conf"]
    assert f"secret = {'a' * 64}\ndeny = 0.0.0.0/0.0.0.0\npermit = 172.30.231.2/255." in files["manager.conf"]
    assert "autoload = no" in files["modules.conf"]
    assert "load = res_agi.so" in files["modules.conf"]
    assert "native_rtp" not in files["modules.conf"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "etc").iterdir()} == {0o600}


def test_rendering_again_renews(tmp_path: Path) -> None:
    """New values replace the old; what somebody changed in the folder is replaced too, and a copy of it kept."""
    folder = tmp_path / "etc"
    assert rendered(folder).returncode == 0
    (folder / "heedline-egress.conf").write_text("; mine\n", "utf-8")
    assert rendered(folder, HEEDLINE_CARRIER_HOST="192.0.2.9", HEEDLINE_EMERGENCY_COUNTRIES="GB FR").returncode == 0
    assert "sip:192.0.2.9:5060" in (folder / "pjsip.conf").read_text("utf-8")
    assert (folder / "heedline-egress.conf.before-heedline").read_text("utf-8") == "; mine\n"
    dialplan = (folder / "heedline-egress.conf").read_text("utf-8")
    assert "exten => 999,1" in dialplan
    assert "exten => 911,1" not in dialplan


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HEEDLINE_CARRIER_HOST", "carrier\n[admin]", "neither a host name"),
        ("HEEDLINE_CARRIER_HOST", "carrier;x=1", "neither a host name"),
        ("HEEDLINE_CARRIER_HOST", "", "is not set"),
        ("HEEDLINE_CARRIER_PORT", "70000", "not a port"),
        ("HEEDLINE_PBX_ADDRESSES", "0.0.0.0/0", "no PBX"),
        ("HEEDLINE_PBX_ADDRESSES", "10.0.0.1,", "is `10.0.0.1,`"),
        ("HEEDLINE_PBX_ADDRESSES", "10.0.0.1/8", "has host bits set"),
        ("HEEDLINE_PUBLIC_ADDRESS", "pbx.example", "is `pbx.example`"),
        ("HEEDLINE_SIP_PORT", "sip", "not a port"),
        ("HEEDLINE_RTP_LAST", "9999", "at least 3 above"),
        ("HEEDLINE_AMI_SECRET_FILE", "/nonexistent", "No such file"),
        ("HEEDLINE_EMERGENCY_COUNTRIES", "XX", "XX"),
        ("HEEDLINE_SERVICE_ADDRESS", "heedline\n", "cannot stand in a dialplan"),
    ],
)
def test_what_cannot_stand_in_a_file_stops_it(tmp_path: Path, name: str, value: str, told: str) -> None:
    """Each wrong value ends with an error that says which, and with no switch configuration to start from."""
    done = rendered(tmp_path / "etc", **{name: value})
    assert done.returncode != 0
    assert told in " ".join(done.stderr.split())
    assert not (tmp_path / "etc" / "pjsip.conf").exists()


@pytest.mark.parametrize("text", ["short", "a" * 40 + ";b", "a" * 40 + "\nwrite = all"])
def test_secret_that_would_change_the_file_stops_it(tmp_path: Path, text: str) -> None:
    """A manager secret that is short, or would be read as something else, is refused and not shown."""
    secret = tmp_path / "other"
    secret.write_text(text, "utf-8")
    done = rendered(tmp_path / "etc", HEEDLINE_AMI_SECRET_FILE=str(secret))
    assert done.returncode == 1
    assert "make-secrets.sh" in done.stderr
    assert text not in done.stderr


@pytest.mark.parametrize(
    ("version", "lacking", "told"),
    [
        ("Asterisk 22.10.1", "", "every module is there"),
        ("Asterisk 18.26.0~dfsg", "", "needs Asterisk 20 or newer"),
        ("no such program", "", "needs Asterisk 20 or newer"),
        ("Asterisk 20.6.0", "res_agi", "lacks res_agi"),
    ],
)
def test_build_verifies_the_asterisk(tmp_path: Path, version: str, lacking: str, told: str) -> None:
    """The image is not built on an Asterisk that is too old or lacks a module of the list."""
    listed = run(sys.executable, ASTERISK / "render.py", "--modules")
    names = listed.stdout.split()
    assert {"res_agi", "chan_pjsip", "res_pjsip_nat"} <= set(names)
    for name in set(names) - {lacking}:
        (tmp_path / f"{name}.so").touch()
    (tmp_path / "list").write_text(listed.stdout, "utf-8")
    program = tmp_path / "asterisk"
    program.write_text(f"#!/bin/sh\necho '{version}'\n", "utf-8")
    program.chmod(0o755)
    done = run(ASTERISK / "verify.sh", tmp_path / "list", tmp_path, HEEDLINE_ASTERISK=str(program))
    assert (done.returncode == 0) == told.startswith("every")
    assert told in done.stdout + done.stderr
