"""Finding an Asterisk: apt's sources, what a program must be to serve, and errors that name the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from agi.pbx import aptsources, unpack
from agi.pbx.aptsources import Source
from agi.pbx.binary import BinaryError, inspect
from agi.pbx.provision import ProvisionError, find_asterisk
from agi.pbx.settings import MODULES

DEB822 = """\
# the machine's mirror
Types: deb deb-src
# a comment inside
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def fake_asterisk(root: Path, version: str, modules: tuple[str, ...] = MODULES) -> Path:
    """A program that says it is Asterisk `version`, with folders beside it."""
    (root / "sbin").mkdir(parents=True)
    program = root / "sbin" / "asterisk"
    program.write_text(f'#!/bin/sh\necho "{version}"\n')
    program.chmod(0o755)
    (root / "share/asterisk/documentation").mkdir(parents=True)
    folder = root / "lib/x86_64-linux-gnu/asterisk/modules"
    folder.mkdir(parents=True)
    for name in modules:
        (folder / f"{name}.so").touch()
    return program


def etc_apt(tmp_path: Path, files: dict[str, str]) -> Path:
    """A folder like /etc/apt."""
    for name, text in files.items():
        file = tmp_path / "apt" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "apt"


def test_deb822_stanzas_are_read_with_continued_lines() -> None:
    """Comments inside a stanza are passed over, continuation lines belong to their field, deb-src is no hindrance."""
    first, second = aptsources.parse_deb822(DEB822)
    assert first == Source(
        "https://mirror.example/debian",
        ("bookworm", "bookworm-updates"),
        ("main", "contrib"),
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    )
    assert second.suites == ("bookworm-security",)


def test_disabled_and_source_only_stanzas_are_passed_over() -> None:
    """`Enabled: no` and `Types: deb-src` offer no packages."""
    text = "Types: deb\nEnabled: no\nURIs: http://a/debian\nSuites: sid\nComponents: main\n\nTypes: deb-src\nURIs: http://b/\n"
    assert list(aptsources.parse_deb822(text)) == []


def test_written_out_key_is_no_path() -> None:
    """A Signed-By that holds the key itself names no keyring file."""
    text = "Types: deb\nURIs: http://a/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n mQ\n"
    (source,) = aptsources.parse_deb822(text)
    assert source.signed_by == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://a/debian sid main", Source("http://a/debian", ("sid",), ("main",))),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://a/debian/ bookworm main contrib # note",
            Source("http://a/debian/", ("bookworm",), ("main", "contrib"), "/k.gpg"),
        ),
        ("# deb http://a/debian sid main", None),
        ("deb-src http://a/debian sid main", None),
        ("deb", None),
    ],
)
def test_one_line_sources(line: str, expected: Source | None) -> None:
    """Options, comments and deb-src of the one-line style are understood."""
    assert next(aptsources.parse_one_line(line), None) == expected


@pytest.mark.parametrize(
    ("uris", "chosen"),
    [
        (["http://s/debian-security", "http://m/debian"], "http://m/debian"),
        (["http://n/node_20.x", "http://m/debian/"], "http://m/debian/"),
        (["mirror+file:/etc/apt/mirrors/debian-security.list", "mirror+file:/etc/apt/mirrors/debian.list"], None),
        (["cdrom:[Debian]/"], ""),
        (["http://m/archive/main"], "http://m/archive/main"),
        ([], ""),
    ],
)
def test_the_debian_archive_is_chosen(uris: list[str], chosen: str | None) -> None:
    """Security archives, discs and other people's repositories are not taken for the Debian mirror."""
    source = aptsources.debian(Source(uri, ("bookworm",), ("main",)) for uri in uris)
    assert (source.uri if source else "") == (uris[-1] if chosen is None else chosen)


def test_foreign_suites_are_no_debian_archive() -> None:
    """A repository whose suite is not Debian's, or without `main`, is not taken."""
    foreign = [Source("http://u/ubuntu", ("noble",), ("main",)), Source("http://d/debian", ("bookworm",), ("stable",))]
    assert aptsources.debian(foreign) is None


def test_both_styles_are_read_in_order(tmp_path: Path) -> None:
    """sources.list comes first, then the folder by name; other files are not sources."""
    line = "deb http://{}/debian sid main\n"
    etc = etc_apt(
        tmp_path,
        {
            "sources.list": line.format("a"),
            "sources.list.d/1.list": line.format("b"),
            "sources.list.d/2.sources": DEB822,
            "sources.list.d/3.list.save": line.format("c"),
        },
    )
    uris = [source.uri for source in aptsources.read(etc)]
    assert uris[:3] == ["http://a/debian", "http://b/debian", "https://mirror.example/debian"]
    assert "http://c/debian" not in uris


@pytest.mark.parametrize("version", ["Asterisk 20.0.0", "Asterisk certified/20.7-cert1", "Asterisk 22.10.1+dfsg+~cs6"])
def test_new_enough_asterisk_serves(tmp_path: Path, version: str) -> None:
    """Version 20 and later serve, certified releases and Debian's spelling too."""
    binary = inspect(fake_asterisk(tmp_path / "usr", version), MODULES)
    assert binary.major >= 20
    assert binary.modules == tmp_path / "usr/lib/x86_64-linux-gnu/asterisk/modules"


@pytest.mark.parametrize(
    ("version", "problem"),
    [("Asterisk 18.26.4", "older than 20"), ("Asterisk GIT-master", "names no version"), ("", "names no version")],
)
def test_unfit_asterisk_is_named(tmp_path: Path, version: str, problem: str) -> None:
    """An old Asterisk, or a program that is none, is refused with the reason."""
    with pytest.raises(BinaryError, match=problem):
        inspect(fake_asterisk(tmp_path / "usr", version), MODULES)


def test_asterisk_without_a_module_is_named(tmp_path: Path) -> None:
    """An Asterisk without the FastAGI module is refused and the module is named."""
    program = fake_asterisk(tmp_path / "usr", "Asterisk 22.0.0", tuple(name for name in MODULES if name != "res_agi"))
    with pytest.raises(BinaryError, match="res_agi"):
        inspect(program, MODULES)


def test_named_asterisk_wins(tmp_path: Path) -> None:
    """HEEDLINE_ASTERISK is taken before one on PATH."""
    named = fake_asterisk(tmp_path / "named", "Asterisk 20.1.0")
    installed = fake_asterisk(tmp_path / "installed", "Asterisk 22.1.0")
    env = {"HEEDLINE_ASTERISK": str(named), "PATH": str(installed.parent)}
    assert find_asterisk(tmp_path, env, print).version == "20.1.0"


@pytest.mark.parametrize(
    ("name", "problem"), [("missing", "is no program"), ("old/sbin/asterisk", "older than 20"), ("", "")]
)
def test_named_asterisk_that_is_unfit_is_an_error(tmp_path: Path, name: str, problem: str) -> None:
    """What HEEDLINE_ASTERISK names is never silently replaced by another; empty means not named."""
    fake_asterisk(tmp_path / "old", "Asterisk 16.2.0")
    good = fake_asterisk(tmp_path / "good", "Asterisk 22.0.0")
    env = {"HEEDLINE_ASTERISK": str(tmp_path / name) if name else "", "PATH": str(good.parent)}
    if not name:
        assert find_asterisk(tmp_path, env, print).path == good
        return
    with pytest.raises(ProvisionError, match=problem):
        find_asterisk(tmp_path, env, print)


def test_old_installed_asterisk_is_passed_over_aloud(tmp_path: Path) -> None:
    """An installed Asterisk that is too old is named in the progress, and the unpacked one is taken."""
    old = fake_asterisk(tmp_path / "old", "Asterisk 18.0.0")
    lines: list[str] = []
    unpacked = fake_asterisk(tmp_path / "home/asterisk/usr", "Asterisk 22.0.0")
    (tmp_path / "home/asterisk/bin").mkdir()
    (tmp_path / "home/asterisk/bin/asterisk").symlink_to(unpacked)
    (tmp_path / "home/asterisk/.complete").touch()
    found = find_asterisk(tmp_path / "home", {"PATH": str(old.parent)}, lines.append)
    assert found.version == "22.0.0" or found.path.parts[:2] == ("/", "usr")  # this machine may have one installed
    assert any("older than 20" in line for line in lines)


def test_half_finished_unpack_does_not_count(tmp_path: Path) -> None:
    """A folder without the mark of completion is not used, even when its program runs."""
    fake_asterisk(tmp_path / "asterisk", "Asterisk 22.0.0")
    (tmp_path / "asterisk/sbin").rename(tmp_path / "asterisk/bin")
    assert unpack.unpacked(tmp_path / "asterisk", ()) is None
    (tmp_path / "asterisk/.complete").touch()
    assert unpack.unpacked(tmp_path / "asterisk", ()) is not None


def test_machine_without_a_mirror_gets_the_cure(tmp_path: Path) -> None:
    """With no Debian mirror in apt's configuration the error says what to do, and nothing is left behind."""
    etc = etc_apt(tmp_path, {"sources.list": "deb http://u/ubuntu noble main\n"})
    with pytest.raises(unpack.UnpackError, match=r"no Debian mirror.*HEEDLINE_ASTERISK"):
        unpack.unpack(tmp_path / "home/asterisk", MODULES, print, etc)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["asterisk.lock"]


def test_missing_program_gets_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without apt-get is told so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(unpack.UnpackError, match=r"no `apt-get`.*HEEDLINE_ASTERISK"):
        unpack.unpack(tmp_path / "asterisk", MODULES, print)


def test_missing_keyring_gets_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Debian's keyring is told which package brings it."""
    monkeypatch.setattr(unpack, "_KEYRINGS", (tmp_path / "none.gpg",))
    etc = etc_apt(tmp_path, {"sources.list": "deb http://m/debian sid main\n"})
    with pytest.raises(unpack.UnpackError, match="debian-archive-keyring"):
        unpack.unpack(tmp_path / "asterisk", MODULES, print, etc)


def test_mirror_that_fails_is_one_sentence(tmp_path: Path) -> None:
    """apt's own error is quoted in one line with the cure, and the half-made folder is gone."""
    (tmp_path / "mirror").mkdir()
    etc = etc_apt(tmp_path, {"sources.list": f"deb file:{tmp_path}/mirror/debian sid main\n"})
    with pytest.raises(unpack.UnpackError, match=r"^cannot read the list of packages .*HEEDLINE_ASTERISK$") as caught:
        unpack.unpack(tmp_path / "home/asterisk", MODULES, print, etc)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["asterisk.lock"]
