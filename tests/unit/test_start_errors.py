"""What a person gets wrong at the start ends in one sentence that names the cure."""

from __future__ import annotations

import pytest

from dialer.cli import main


@pytest.mark.parametrize(
    ("variable", "value", "cure"),
    [
        ("HEEDLINE_DATABASE_URL", "garbage", "check HEEDLINE_DATABASE_URL"),
        ("HEEDLINE_DATABASE_URL", "postgresql://127.0.0.1:99999/x", "check HEEDLINE_DATABASE_URL"),
        ("HEEDLINE_DATABASE_URL", "postgresql://u:p@127.0.0.1:1/x", "check HEEDLINE_DATABASE_URL"),
        ("HEEDLINE_HOME", "/proc/heedline", "name a folder of yours in HEEDLINE_HOME"),
        ("HEEDLINE_CONFIG", "/nowhere/heedline.toml", "mend the file"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    variable: str,
    value: str,
    cure: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """With its cure, exit code 1, and no claim that Heedline is at fault."""
    monkeypatch.setenv("HEEDLINE_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as end:
        main(["--language", "en", "seller", "list"])
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert said.count("\n") == 1
    assert cure in said
    assert "fault of Heedline" not in said
