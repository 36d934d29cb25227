"""`heedline webhook` on a real PostgreSQL, as a person and as a program use it."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dialer.webhook_messages import signature
from tests.shell import Shell

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def shell(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in a home of its own, where webhooks may be on loopback."""
    for name in ("HEEDLINE_LANGUAGE", "HEEDLINE_CONFIG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    (home / "heedline.toml").write_text('[webhooks]\nallow_networks = ["127.0.0.0/8"]\n', "utf-8")
    monkeypatch.setenv("HEEDLINE_HOME", str(home))
    monkeypatch.setenv("HEEDLINE_DATABASE_URL", dsn)
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


class Crm(http.server.HTTPServer):
    """A receiver that keeps what comes and answers `status`."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Receiving)


class Receiving(http.server.BaseHTTPRequestHandler):
    """One request to it."""

    server: Crm

    def do_POST(self) -> None:
        """Take one message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def crm() -> Iterator[Crm]:
    """A receiver on loopback."""
    crm = Crm()
    thread = threading.Thread(target=crm.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield crm
    crm.shutdown()
    thread.join()
    crm.server_close()


def execute(dsn: str, statement: str) -> None:
    """As the owner."""

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def test_a_webhook_is_added_listed_and_removed(shell: Shell) -> None:
    """The secret that is made is shown once, at the adding, and never again."""
    assert shell("seller", "add", "acme", "--name", "Acme Ltd") == 0
    added = shell.json("webhook", "add", "crm", "https://CRM.example/hook", "--seller", "acme")
    assert (added["url"], added["seller"]) == ("https://crm.example/hook", "acme")
    assert added["secret"].startswith("whsec_")
    assert shell("webhook", "add", "other", "https://crm.example/") == 0
    assert "whsec_" in shell.out
    assert [each["name"] for each in shell.json("webhook", "list")] == ["crm", "other"]
    assert "whsec_" not in shell.out
    assert shell("webhook", "list") == 0
    assert "whsec_" not in shell.out
    assert shell("webhook", "remove", "crm") == 0
    assert shell("webhook", "remove", "crm") == 1
    assert "heedline webhook list" in shell.err


def test_a_given_secret_is_used_and_not_shown(shell: Shell, crm: Crm, tmp_path: Path) -> None:
    """It is read from a file, nothing prints it, and the test message is signed with it."""
    (tmp_path / "secret").write_text(SECRET + "\n", "utf-8")
    url = f"http://127.0.0.1:{crm.server_port}/"
    assert shell("webhook", "add", "crm", url, "--secret-file", "secret") == 0
    assert SECRET not in shell.out
    assert shell.json("webhook", "test", "crm") == {"name": "crm", "delivered": True, "status": 200, "error": None}
    ((headers, body),) = crm.received
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["webhook-signature"] == signature(
        SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body
    )
    crm.status = 500
    assert shell("webhook", "test", "crm") == 1
    assert "500" in shell.err
    assert shell.json("webhook", "test", "crm")["delivered"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "crm", "https://10.0.0.1/"), 1, "webhooks.allow_networks"),
        (("add", "crm", "https://user:hunter2@crm.example/"), 1, "leave them out"),
        (("add", "crm", "https://crm.example/", "--seller", "nobody"), 1, "heedline seller list"),
        (("add", "c r m", "https://crm.example/"), 1, "no name"),
        (("add", "crm", "https://crm.example/", "--secret-file", "missing"), 1, "cannot be read"),
        (("add", "crm", "https://crm.example/", "--secret-file", "short"), 1, "whsec_"),
        (("test", "crm"), 1, "not registered"),
        (("dead", "crm"), 1, "not registered"),
        (("deliveries", "\udce4"), 1, "not registered"),
        (("retry", "--delivery", "5"), 1, "no dead delivery"),
        (("retry", "crm", "--delivery", "5"), 2, "not both"),
        (("retry", "--delivery", "99999999999999999999"), 2, "--delivery"),
    ],
)
def test_what_cannot_be_done_is_said(
    shell: Shell, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Each is one line with a cure, and shows no secret."""
    (tmp_path / "short").write_text("hunter2\n", "utf-8")
    assert shell("webhook", *arguments) == code
    assert told in shell.err
    assert "hunter2" not in shell.err


def test_the_dead_are_shown_and_tried_again(shell: Shell, dsn: str) -> None:
    """A delivery that was given up is listed with its last error, and waits again when it is asked for."""
    assert shell("webhook", "add", "crm", "https://crm.example/") == 0
    assert shell("refusal", "add", "+442079460123", "--all-sellers") == 0
    assert shell.json("webhook", "dead") == []
    (waiting,) = shell.json("webhook", "deliveries")
    assert waiting["state"] == "waiting"
    execute(dsn, "update webhook_deliveries set dead_at = now(), last_status = 500, last_error = 'oops', tries = 9")
    (dead,) = shell.json("webhook", "dead", "crm")
    assert (dead["state"], dead["last_error"]) == ("dead", "oops")
    assert shell("webhook", "dead") == 0
    assert "oops" in shell.out
    assert shell("--language", "zh", "webhook", "dead") == 0
    assert "已放弃" in shell.out
    assert shell.json("webhook", "retry", "--delivery", str(dead["id"])) == {"retried": 1}
    (again,) = shell.json("webhook", "deliveries", "crm", "--limit", "1")
    assert (again["state"], again["tries"]) == ("waiting", 0)
    assert shell("webhook", "retry") == 0
