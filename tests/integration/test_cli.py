"""The command line on a real PostgreSQL, as a person and as a program use it."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path

from tests.shell import Shell, query

CALLEE = "+442079460123"


def test_sellers_are_kept(shell: Shell) -> None:
    """Add, list, suspend, resume and show agree with each other; a second add is an error with a cure."""
    assert shell("seller", "add", "acme", "--name", "Again") == 1
    assert "registered already; see `heedline seller show acme`" in shell.err
    assert shell("seller", "suspend", "acme") == 0
    assert shell.json("seller", "show", "acme")["suspended"] is True
    assert shell("seller", "resume", "acme") == 0
    assert [each["code"] for each in shell.json("seller", "list")] == ["acme"]
    assert shell("seller", "list") == 0
    assert shell.out.splitlines()[0].split() == ["code", "name", "industry", "suspended"]


def test_trunks_and_numbers(shell: Shell) -> None:
    """A number is shown as it was canonicalised, exported in the form that is imported, and removed."""
    assert shell("trunk", "add", "uk", "--country", "GB", "--origin", "domestic") == 0
    assert shell("trunk", "number", "add", "uk", "020 7946 0999", "--holder", "Acme", "--seller", "acme") == 0
    assert "+442079460999" in shell.out
    assert shell("trunk", "export", "-o", "numbers.csv") == 0
    assert shell("trunk", "number", "remove", "uk", "02079460999") == 0
    assert shell.json("trunk", "show", "uk")["numbers"] == []
    assert shell("trunk", "number", "import", "numbers.csv") == 0
    assert [each["seller"] for each in shell.json("trunk", "show", "uk")["numbers"]] == ["acme"]


def test_routes(shell: Shell) -> None:
    """A route is declared by whoever is named, listed and removed."""
    assert shell("route", "add", "alarms", "--reason", "fire", "--by", "A. Li") == 0
    assert shell.json("route", "list")[0]["declared_by"] == "A. Li"
    assert shell("route", "remove", "alarms") == 0
    assert shell("route", "remove", "alarms") == 1


def test_a_consent_keeps_its_artefact(shell: Shell, tmp_path: Path) -> None:
    """The file is copied under its hash, readable by its owner alone, with its media type."""
    (tmp_path / "form.pdf").write_bytes(b"signed")
    assert shell("consent", "add", CALLEE, "--seller", "acme", "--basis", "written", "--artefact", "form.pdf") == 0
    (consent,) = shell.json("consent", "show", CALLEE)["consents"]
    kept = tmp_path / "home" / consent["artefact_location"]
    assert kept.read_bytes() == b"signed"
    assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(kept.parent.stat().st_mode)) == (0o600, 0o700)
    assert consent["artefact_media_type"] == "application/pdf"
    assert shell("consent", "add", CALLEE, "--seller", "acme", "--artefact", "missing.pdf") == 1
    assert "cannot be kept: no such file" in shell.err


def test_consents_are_exported_and_read_back(shell: Shell, dsn: str) -> None:
    """A withdrawn consent stays withdrawn on the way out and in; formulas are neutral on the way."""
    location = "=cmd()"
    hash_ = "ab" * 32
    arguments = ["--artefact-sha256", hash_, "--artefact-type", "text/plain", "--artefact-location", location]
    assert shell("consent", "add", CALLEE, "--seller", "acme", *arguments) == 0
    assert shell("consent", "add", "+442079460124", "--seller", "acme", "--kind", "live") == 0
    assert shell("consent", "withdraw", CALLEE, "--seller", "acme") == 0
    assert shell("consent", "export", "-o", "consents.csv") == 0
    rows = list(csv.DictReader(io.StringIO(Path("consents.csv").read_text("utf-8"))))
    assert [row["number"] for row in rows] == [CALLEE, "+442079460124"]
    assert rows[0]["artefact_location"] == "'=cmd()"
    assert shell("consent", "import", "consents.csv") == 0
    assert "0 added, 2 known" in shell.out
    assert query(dsn, "select count(*) filter (where withdrawn_at is not null) from consents") == 1


def test_a_refusal_refuses(shell: Shell) -> None:
    """After `refusal add`, check says REFUSED with exit 3; it is shown and exported."""
    assert shell("refusal", "add", CALLEE, "--all-sellers", "--how", "complaint", "--note", "a letter") == 0
    found = shell.json("check", CALLEE, "--seller", "acme")
    assert "REFUSED" in [reason["code"] for reason in found["reasons"]]
    assert shell("check", CALLEE, "--seller", "acme") == 3
    (refusal,) = shell.json("refusal", "show", CALLEE)["refusals"]
    assert (refusal["how"], refusal["seller"]) == ("complaint", None)
    assert shell("refusal", "export") == 0
    assert next(csv.DictReader(io.StringIO(shell.out)))["seller"] == "*"


OTHER_ENTRIES = "select count(*) from evidence where kind <> 'lookup'"
LOOKUPS = "select count(*) from evidence where kind = 'lookup'"


def test_check_answers_by_exit_code_and_decides_nothing(shell: Shell, dsn: str) -> None:
    """Allowed 0, later 4 with a time, refused 3; nothing is decided, and each question is an entry."""
    mobile = "+8613800138000"
    assert shell("consent", "add", mobile, "--seller", "acme", "--granted", "2026-01-01") == 0
    before = query(dsn, OTHER_ENTRIES)
    noon, night = "2026-11-24T10:00+08:00", "2026-11-24T23:00+08:00"
    assert shell("check", mobile, "--seller", "acme", "--at", noon) == 0
    assert shell.out.startswith("ALLOW")
    assert "the caller number was not examined" in shell.out
    assert shell("check", "138 0013 8000", "--country", "cn", "--seller", "acme", "--at", noon) == 0
    assert shell("check", mobile, "--seller", "acme", "--at", night) == 4
    assert "2026-11-25T09:00:00+08:00 Asia/Shanghai" in shell.out
    found = shell.json("check", mobile, "--seller", "acme", "--at", night)
    assert list(found)[:4] == ["outcome", "reasons", "until", "rule_version"]
    assert (found["outcome"], found["until"]) == ("DEFER", "2026-11-25T01:00:00+00:00")
    assert shell("check", mobile, "--seller", "acme", "--at", noon, "--from", "999") == 3
    assert shell("check", "+1555&PJSIP/900@trunk", "--seller", "acme") == 3
    assert query(dsn, OTHER_ENTRIES) == before
    assert query(dsn, LOOKUPS) == 6
    assert query(dsn, "select count(*) from decisions") + query(dsn, "select count(*) from attempts") == 0


def test_policy_explain_names_every_rule(shell: Shell) -> None:
    """Rules that permit and rules that forbid both appear, each with its source; loosening is not needed for that."""
    found = shell.json("policy", "explain", "+8613800138000", "--seller", "acme", "--at", "2026-11-24T23:00+08:00")
    says = {each["rule"]: each for each in found["rules"]}
    assert says["CN.consent"]["permits"] is False
    assert says["CN.refusal"]["permits"] is True
    assert all(each["source"] for each in found["rules"] if not each["rule"].startswith("core."))


def test_bad_rows_are_told_counted_and_written(shell: Shell, tmp_path: Path) -> None:
    """1,000 are printed, all are counted and written to the file; exit 1 and nothing imported."""
    lines = "\n".join(f"bad{n},acme,2026-01-01" for n in range(1200))
    (tmp_path / "bad.csv").write_text(f"number,seller,granted_at\n{lines}\n", "utf-8")
    assert shell("consent", "import", "bad.csv", "--errors", "errors.csv") == 1
    assert shell.err.count("line ") == 1000
    assert "line 2: `number` `bad0`: the number holds characters that no number has" in shell.err
    assert "... and 200 more" in shell.err
    assert "nothing was imported: 1200 of 1200 rows are bad" in shell.err
    assert len(Path("errors.csv").read_text("utf-8").splitlines()) == 1201
    found = shell.json("consent", "import", "bad.csv")
    assert (found["bad"], found["kept"], len(found["faults"])) == (1200, False, 1000)
    assert shell("--language", "zh", "consent", "import", "bad.csv") == 1
    assert "号码含有非法字符" in shell.err


def test_an_encoding_can_be_named(shell: Shell, tmp_path: Path) -> None:
    """A GB18030 file is refused with the cure, and imported with it."""
    (tmp_path / "s.csv").write_bytes("code,name\nbeta,贝塔公司\n".encode("gb18030"))
    assert shell("seller", "import", "s.csv") == 1
    assert "`--encoding gb18030`" in shell.err
    assert shell("seller", "import", "s.csv", "--encoding", "gb18030") == 0
    assert shell.json("seller", "show", "beta")["name"] == "贝塔公司"


def test_a_list_is_imported_and_exported(shell: Shell, tmp_path: Path) -> None:
    """Numbers of a bare file come back out, and the list says its date and size."""
    (tmp_path / "tps.txt").write_text("020 7946 0123\n020 7946 0124\n", "utf-8")
    assert shell("list", "add", "gb-tps", "--owner", "TPS", "--prefix", "+44") == 0
    assert shell("list", "import", "gb-tps", "tps.txt", "--as-of", "2026-11-01", "--country", "GB") == 0
    assert shell.json("list", "show", "gb-tps")["entries"] == 2
    assert shell("list", "export", "gb-tps") == 0
    assert shell.out.splitlines() == ["number", "+442079460123", "+442079460124"]
    assert shell("list", "import", "nothing", "tps.txt", "--as-of", "2026-11-01") == 1


def scrubbed(text: str) -> dict[str, tuple[str, str]]:
    """Outcome and reasons by number, from the lines of a scrub."""
    return {row["number"]: (row["outcome"], row["reasons"]) for row in csv.DictReader(io.StringIO(text))}


def test_scrub_says_what_check_says(shell: Shell, dsn: str, tmp_path: Path) -> None:
    """For every line its outcome and reasons, as `check` has them; a summary; that it was asked is one entry."""
    at = "2026-11-24T23:00+08:00"
    shell("consent", "add", "+8613800138000", "--seller", "acme", "--granted", "2026-01-01")
    shell("refusal", "add", "+8613800138001", "--seller", "acme")
    numbers = ["+8613800138000", "+8613800138001", "13800138002", "110", "abc", "", "+442079460123", "+1202555"]
    (tmp_path / "leads.csv").write_text("name,number\n" + "".join(f"x,{n}\n" for n in numbers), "utf-8")
    before = query(dsn, OTHER_ENTRIES)
    base = ["list", "scrub", "leads.csv", "--seller", "acme", "--at", at, "--country", "CN"]
    assert shell(*base) == 0
    found = scrubbed(shell.out)
    assert list(found) == numbers
    for number in numbers:
        checked = shell.json("check", number, "--seller", "acme", "--at", at, "--country", "CN")
        codes = " ".join(dict.fromkeys(reason["code"] for reason in checked["reasons"]))
        assert found[number] == (checked["outcome"], codes)
    assert shell(*base) == 0
    assert "8 numbers" in shell.err
    summary = shell.json(*base)
    assert summary["numbers"] == 8
    assert sum(summary["outcomes"].values()) == 8
    assert shell(*base, "-o", "out.csv") == 0
    assert scrubbed(Path("out.csv").read_text("utf-8")) == found
    assert query(dsn, OTHER_ENTRIES) == before
    assert query(dsn, LOOKUPS) == 4 + len(numbers)


def test_scrub_by_processes_keeps_the_order(shell: Shell, tmp_path: Path) -> None:
    """A file of many chunks comes out line for line, and the tally is of all."""
    numbers = [f"+8613800{n:06d}" for n in range(40_000)]
    (tmp_path / "many.txt").write_text("\n".join(numbers), "utf-8")
    assert shell("list", "scrub", "many.txt", "--seller", "acme", "-o", "out.csv", "--json") == 0
    assert json.loads(shell.out)["numbers"] == 40_000
    with Path("out.csv").open(encoding="utf-8") as lines:
        assert [row["number"] for row in csv.DictReader(lines)] == numbers
