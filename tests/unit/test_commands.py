"""Commands: wrong usage is told before anything is opened, and every error is one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from dialer import cli

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own and a database that nobody serves."""
    for name in ("HEEDLINE_LANGUAGE", "HEEDLINE_CONFIG", "HEEDLINE_DEBUG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEEDLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HEEDLINE_DATABASE_URL", NOWHERE)
    return tmp_path


def run(*arguments: str) -> int:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "+442079460123"], "--seller"),
        (["check", "+442079460123", "--seller", "a", "--at", "noon"], "no time as ISO 8601"),
        (["check", "+442079460123", "--seller", "a", "--at", "2026-11-24T10:00"], "has no offset"),
        (["check", "+442079460123", "--seller", "a", "--country", "Britain"], "no country"),
        (["check", "+442079460123", "--seller", "a", "--kind", "fax"], "fax"),
        (["list", "scrub", "x.csv", "--seller", "a", "--at", "2026-11-24"], "has no offset"),
        (["list", "import", "x", "x.csv", "--as-of", "soon"], "no time as ISO 8601"),
        (["refusal", "add", "+442079460123"], "--all-sellers"),
        (["refusal", "add", "+442079460123", "--seller", "a", "--all-sellers"], "--all-sellers"),
        (["trunk", "number", "add", "t", "1", "--holder", "h"], "--any-seller"),
        (["consent", "add", "+442079460123", "--seller", "a", "--artefact-sha256", "xy"], "64 hexadecimal"),
        (["consent", "add", "+442079460123", "--seller", "a", "--artefact-type", "a/b"], "which artefact"),
        (["consent", "add", "+442079460123", "--seller", "a", "--granted", "2026-11-24T10:00"], "has no offset"),
        (["--language", "fr", "seller", "list"], "not one of en, zh"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the option, and the database is not even looked for."""
    assert run(*arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert "127.0.0.1" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seller", "list"], "cannot be reached"),
        (["refusal", "add", "abc", "--all-sellers"], "characters that no number has"),
        (["refusal", "add", "999", "--all-sellers", "--country", "GB"], "short code"),
        (["consent", "import", "missing.csv"], "`missing.csv` cannot be read"),
        (["list", "scrub", "missing.csv", "--seller", "a"], "`missing.csv` cannot be read"),
        (["policy", "show", "XX"], "no pack `XX`"),
    ],
)
def test_an_error_is_one_line_and_exit_1(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Problem and cure on one line of standard error, nothing on standard output."""
    assert run(*arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert message in told.err
    assert "; " in told.err


def test_a_wrong_setting_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad settings file costs one line, not a traceback."""
    (home / "heedline.toml").write_text("nonsense = 1\n", "utf-8")
    assert run("seller", "list") == 1
    assert "`nonsense`" in capsys.readouterr().err


def test_check_refuses_when_the_database_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Fail closed: the gate that cannot be asked has refused, and the program sees exit 3."""
    assert run("check", "+442079460123", "--seller", "acme", "--json") == 3
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert list(found)[:4] == ["outcome", "reasons", "until", "rule_version"]
    assert found["outcome"] == "REFUSE"
    assert [set(reason) for reason in found["reasons"]] == [{"code", "text", "rule"}]
    assert found["reasons"][0]["code"] == "GATE_UNAVAILABLE"
    assert "cannot be reached" in told.err


def test_messages_come_in_chinese(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By option, by LANG, and the option wins."""
    run("--language", "zh", "check", "+442079460123", "--seller", "acme")
    assert "不得拨打" in capsys.readouterr().out
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    run("check", "+442079460123", "--seller", "acme")
    assert "不得拨打" in capsys.readouterr().out
    run("--language", "en", "check", "+442079460123", "--seller", "acme")
    assert "must not be called" in capsys.readouterr().out


def test_policy_is_shown_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """Every rule of a pack comes with its source, in text and in JSON."""
    assert run("policy", "show", "gb", "--json") == 0
    pack = json.loads(capsys.readouterr().out)
    assert pack["id"] == "GB"
    assert all(rule["source"] for rule in pack["rules"])
    assert run("policy", "show", "GB") == 0
    told = capsys.readouterr().out
    assert all(rule["id"] in told and rule["source"] in told for rule in pack["rules"])


def test_policy_validate_names_every_problem(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two bad rules are two problems; the packs that are shipped have none."""
    assert run("policy", "validate") == 0
    capsys.readouterr()
    rule = '[[loosen]]\nrule = "GB.refusal"\nby = "A"\nsince = 2026-01-01\n'
    (home / "policy.toml").write_text(rule + rule.replace("GB", "US"), "utf-8")
    assert run("policy", "validate", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["valid"]
    assert len(found["problems"]) == 2
    assert all("reason" in each["problem"] and each["cure"] for each in found["problems"])


@pytest.mark.parametrize(
    "text", ["nonsense = 1", "[[loosen]", '[[loosen]]\nrule = "GB.nothing"\nreason = "x"\nby = "A"\nsince = 2026-01-01']
)
def test_policy_validate_refuses_what_is_no_policy(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown keys, bad TOML and rules that do not exist each exit 1 and name the file."""
    file = tmp_path / "bad.toml"
    file.write_text(text, "utf-8")
    assert run("policy", "validate", str(file)) == 1
    assert capsys.readouterr().err


def test_every_command_has_help_with_an_example_or_a_sentence() -> None:
    """No command and no option is without a word of help."""
    command = typer.main.get_command(cli.app)
    pending, seen = [("heedline", command)], 0
    while pending:
        name, each = pending.pop()
        assert each.help, name
        pending += [(f"{name} {sub}", found) for sub, found in getattr(each, "commands", {}).items()]
        for parameter in each.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"
        seen += 1
    assert seen > 40


def test_help_loads_nothing_heavy() -> None:
    """`heedline --help` imports neither the driver, nor pydantic, nor the number metadata."""
    script = (
        "import sys; sys.argv = ['heedline', '--help']\n"
        "from dialer import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('asyncpg', 'phonenumbers', 'holidays', 'sqlalchemy', 'rich') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_has_enough_costs_no_traceback() -> None:
    """A closed pipe ends the program quietly."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "dialer.cli", "policy", "show", "US"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert done.returncode != 0
    assert done.stderr == b""
