"""The log asks its witnesses: what is kept, and what nobody can make it believe."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dialer.cosigning import CONTRADICTED, Cosigning, Target, read_targets
from dialer.errors import ConfigError
from dialer.ports_witness import Reply, Unanswered
from dialer.verifier.note import read_note, verify
from dialer.webhook_urls import allowed_networks
from dialer.witness import Witness, read_logs, read_request
from dialer.witness_key import WitnessKey
from tests.witness_world import NOW, Answers, MemoryLog, MemoryStore, key_of, now

KEY, OTHER = WitnessKey(key_of("witness")), WitnessKey(key_of("another witness"))
TARGET = Target("https://witness.example/w", KEY.verifier)
LEAVES = [f"leaf {n}" for n in range(12)]
SIZE_KIND = "text/x.tlog.size"


@pytest.fixture
def log() -> MemoryLog:
    """A log of twelve leaves."""
    return MemoryLog(leaves=LEAVES)


@pytest.fixture
def store() -> MemoryStore:
    """Nothing is cosigned yet."""
    return MemoryStore()


class Direct:
    """Implements `dialer.ports_witness.Asker`: a witness without a network."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.asked: list[int] = []

    async def post(self, url: str, kind: str, body: bytes) -> Reply:
        """What the witness answers."""
        assert url == "https://witness.example/w/add-checkpoint"
        answer = await self.witness.add_checkpoint(body)
        self.asked.append(answer.status)
        return Reply(answer.status, answer.kind, answer.text.encode())


def direct(folder: Path, log: MemoryLog) -> Direct:
    """A witness of the log."""
    return Direct(Witness(folder, KEY, read_logs([str(log.verifier)]), now))


def cosigning(log: MemoryLog, store: MemoryStore, asker: Direct | Answers) -> Cosigning:
    """The log's side, towards one witness."""
    return Cosigning(TARGET, log, store, asker, store, now)


def line(log: MemoryLog, key: WitnessKey = KEY, size: int | None = None, seconds: int = 0) -> bytes:
    """A cosignature line of the log's checkpoint at a size."""
    return f"{key.cosign(log.note(size).text, NOW + timedelta(seconds=seconds))}\n".encode()


def ok(body: bytes) -> Reply:
    """An answer."""
    return Reply(200, "text/plain", body)


async def test_each_checkpoint_is_cosigned_once(tmp_path: Path, log: MemoryLog, store: MemoryStore) -> None:
    """A first checkpoint, then a longer one with a proof, and nothing is asked when there is nothing new."""
    witness = direct(tmp_path, log)
    side = cosigning(log, store, witness)
    for _ in range(2):
        await side.ask()
        await side.ask()
        log.grow("more", "and more")
    assert witness.asked == [200, 200]
    assert [size for size, _ in store.lines] == [12, 14]
    log.leaves = log.leaves[:14]
    note = read_note(str(log.note()) + store.lines[14, str(KEY.verifier)] + "\n")
    assert verify(note, KEY.verifier) == NOW
    assert (side.problem, store.alarms) == ("", [])


async def test_the_witness_tells_what_it_has(tmp_path: Path, log: MemoryLog, store: MemoryStore) -> None:
    """A log that has forgotten what was cosigned learns it from 409 and sends the proof from there. Signatures of
    others on the checkpoint are not sent along."""
    witness = direct(tmp_path, log)
    await witness.witness.add_checkpoint(log.request(0, 5))
    log.cosignatures = [str(OTHER.cosign(log.note().text, NOW))]
    answers = Answers(Reply(409, SIZE_KIND, b"5\n"), ok(line(log)))
    await cosigning(log, store, answers).ask()
    first, second = map(read_request, answers.asked)
    assert (first.old, first.proof, second.old, list(second.proof)) == (0, (), 5, log.path(5, 12))
    assert second.note == log.note()
    await cosigning(log, MemoryStore(), witness).ask()
    assert witness.asked == [409, 200]


async def test_a_checkpoint_that_is_newer_meanwhile(log: MemoryLog, store: MemoryStore) -> None:
    """When another node had a newer checkpoint cosigned between the look at the log and the question, the newest is
    looked up again, and no alarm is raised."""

    class Growing(Answers):
        async def post(self, url: str, kind: str, body: bytes) -> Reply:
            if not self.asked:
                log.grow("meanwhile")
            return await super().post(url, kind, body)

    whole = MemoryLog(leaves=[*LEAVES, "meanwhile"])
    await cosigning(log, store, Growing(Reply(409, SIZE_KIND, b"13\n"), ok(line(whole)))).ask()
    assert [size for size, _ in store.lines] == [13]
    assert not store.alarms


async def test_a_log_that_was_set_back_is_told(tmp_path: Path, log: MemoryLog, store: MemoryStore) -> None:
    """The witness has cosigned more than there is: an alarm, once, and a problem that says both sizes. When the log is
    as long again but another, the witness finds that too; when it is the right one, all is well."""
    witness = direct(tmp_path, log)
    await cosigning(log, store, witness).ask()
    back, forgotten = log.forked(7), MemoryStore()
    side = cosigning(back, forgotten, witness)
    await side.ask()
    await side.ask()
    assert "at 12 leaves, and the log has 7" in side.problem
    back.grow(*(f"another {n}" for n in range(9)))
    await side.ask()
    assert "does not follow" in side.problem
    (alarm,) = forgotten.alarms
    assert (alarm.kind, alarm.channel) == (CONTRADICTED, KEY.name)
    assert (await side.state()).problem == side.problem
    back.leaves = [*log.leaves, *MemoryLog(leaves=["more"]).leaves]
    await side.ask()
    assert (side.problem, [size for size, _ in forgotten.lines]) == ("", [13])


LIES: list[Callable[[MemoryLog], list[Reply]]] = [
    lambda log: [ok(b"")],
    lambda log: [ok(b"\xff")],
    lambda log: [ok(b"OK\n")],
    lambda log: [ok(line(log)[:-1])],
    lambda log: [ok(line(log, OTHER))],
    lambda log: [ok(line(log, size=11))],
    lambda log: [ok(line(log, seconds=3600))],
    lambda log: [ok(line(log).replace(b"A", b"B"))],
    lambda log: [ok(b"\n" + line(log))],
    lambda log: [ok(b"another text\n\n" + line(log))],
    lambda log: [ok(b"more\n\n%s\n" % str(KEY.cosign(log.note().text + "\nmore\n", NOW)).encode())],
    lambda log: [ok(line(log) + b"\n")],
    lambda log: [ok(line(log) + b"nonsense\n")],
    lambda log: [ok(f"{log.note().signatures[0]}\n".encode())],
    lambda log: [ok(_backdated(log))],
    lambda log: [Reply(409, SIZE_KIND, b"0\n")],
    lambda log: [Reply(409, SIZE_KIND, b"")],
    lambda log: [Reply(409, SIZE_KIND, b"-1\n")],
    lambda log: [Reply(409, SIZE_KIND, "٣\n".encode())],
    lambda log: [Reply(409, SIZE_KIND, b"9" * 40)],
    lambda log: [Reply(409, SIZE_KIND, b"3\n4\n")],
    lambda log: [Reply(409, "text/plain", b"3\n")],
    lambda log: [Reply(409, SIZE_KIND, b"%d\n" % n) for n in (1, 2, 3)],
    lambda log: [Reply(204, "", b"")],
    lambda log: [Reply(403, "text/plain", b"no \x1b[31m such key")],
    lambda log: [Reply(404, "text/html", b"<html>" * 1000)],
    lambda log: [Reply(500, "", b"\x00\xff")],
    lambda log: [Reply(503, "text/plain", b"busy")],
]


def _backdated(log: MemoryLog) -> bytes:
    """A cosignature of 1 January 1970."""
    return f"{KEY.cosign(log.note().text, NOW - timedelta(seconds=NOW.timestamp()))}\n".encode()


@pytest.mark.parametrize("lie", LIES)
async def test_a_lying_witness_is_not_believed(
    lie: Callable[[MemoryLog], list[Reply]], log: MemoryLog, store: MemoryStore
) -> None:
    """Whatever it answers but a cosignature of its key on this very text is a problem in one short printable line;
    nothing is kept, no alarm is raised, and its next right answer is taken."""
    answers = Answers(*lie(log), ok(line(log)))
    side = cosigning(log, store, answers)
    await side.ask()
    assert side.problem.isprintable()
    assert 0 < len(side.problem) < 500
    assert (store.lines, store.alarms, len(answers.replies)) == ({}, [], 1)
    await side.ask()
    assert (side.problem, list(store.lines)) == ("", [(12, str(KEY.verifier))])


async def test_signatures_of_others_beside_its_own(log: MemoryLog, store: MemoryStore) -> None:
    """Lines of unknown keys in an answer are passed over; its own line alone is kept."""
    await cosigning(log, store, Answers(ok(line(log, OTHER) + line(log) + line(log, OTHER)))).ask()
    assert store.lines == {(12, str(KEY.verifier)): line(log).decode().strip()}


async def test_no_answer_is_a_problem(log: MemoryLog, store: MemoryStore) -> None:
    """What went wrong on the way is what the status says."""

    class Deaf(Answers):
        async def post(self, url: str, kind: str, body: bytes) -> Reply:
            raise Unanswered("no connection: refused")

    side = cosigning(log, store, Deaf())
    await side.ask()
    state = await side.state()
    assert (state.problem, state.size, state.since) == ("no connection: refused", None, NOW)


async def test_before_the_first_checkpoint_nobody_is_asked(store: MemoryStore) -> None:
    """There is nothing to cosign, and no problem."""
    side = cosigning(MemoryLog(), store, Answers())
    await side.ask()
    assert side.problem == ""


LOOPBACK = allowed_networks(["127.0.0.0/8"])


def test_witnesses_of_the_settings() -> None:
    """Public addresses without TLS, private ones in allowed networks; with or without a slash at the end."""
    key = str(KEY.verifier)
    assert read_targets([("http://witness.example/w/", key)], ()) == [Target("http://witness.example/w", KEY.verifier)]
    assert read_targets([("http://127.0.0.1:4580/log/witness", key)], LOOPBACK)[0].url.endswith("/log/witness")


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("http://127.0.0.1:4580/", str(KEY.verifier), "evidence.allow_networks"),
        ("http://169.254.169.254/", str(KEY.verifier), "link-local"),
        ("ftp://witness.example/", str(KEY.verifier), "begin with"),
        ("https://u:hunter2@witness.example/", str(KEY.verifier), "password"),
        ("https://witness.example/", str(MemoryLog().verifier), "key of a log"),
        ("https://witness.example/", "x", "name+hash+base64"),
        ("https://witness.example/", base64.b64encode(b"x").decode(), "name+hash+base64"),
    ],
)
def test_wrong_witnesses_in_the_settings_are_told(url: str, key: str, said: str) -> None:
    """The error names the setting and the cure, and no password."""
    with pytest.raises(ConfigError, match=r"evidence\.witnesses") as caught:
        read_targets([(url, key)], ())
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_witness_is_named_once() -> None:
    """Twice the same key is an error: two lines of one witness are one."""
    with pytest.raises(ConfigError, match="twice"):
        read_targets([("https://a.example/", str(KEY.verifier)), ("https://b.example/", str(KEY.verifier))], ())
