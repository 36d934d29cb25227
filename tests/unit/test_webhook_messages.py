"""What a webhook is sent, and when it is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import RegisterError
from dialer.ports_webhooks import Claimed, ToldRefusal
from dialer.webhook_messages import (
    backoff,
    key_of,
    message_id,
    refusal_message,
    secret_of,
    signature,
    test_message,
)

# The example that the specification's own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
ARTEFACT = {"kind": "speech", "transcript": "别再打了", "clip": "ab" * 32}
TOLD = ToldRefusal(
    7, 8613800138000, "acme", "spoken", AT - timedelta(minutes=1), AT, "1.2", None, 3, ARTEFACT, "CN.refusal"
)
CLAIMED = Claimed(9, 1, 2, "crm", "https://crm.example/hook", SECRET, TOLD)


@pytest.mark.parametrize(
    ("id", "timestamp", "body", "expected"),
    [
        (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        # Computed by another program (openssl dgst).
        ("msg_1", 0, b"", "v1,ij2G0S51rXTp+PMwqJOjeWFLEpktT32X6cQ9P08rbws="),
        (
            "msg_2",
            1795512600,
            '{"type":"webhook.test","data":{"说":"别再打了"}}'.encode(),
            "v1,iuodOEWEMNDmMfiZu2P17or3NmDOCXvPxQ6af875CEo=",
        ),
    ],
)
def test_signature_vectors(id: str, timestamp: int, body: bytes, expected: str) -> None:
    """The specification's example and those of an independent program come out."""
    assert signature(SECRET, id, timestamp, body) == expected


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_is_its_key(key: bytes) -> None:
    """A key survives being written as a secret."""
    assert key_of(secret_of(key)) == key


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "hunter2hunter2hunter2hunter2", "whsec_" + "A" * 31, "whsec_!!!!", "whsec_é", "WHSEC_" + SECRET[6:]]
    + [secret_of(bytes(size)) for size in (23, 65)],
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    """Each is refused, and the error does not repeat it."""
    with pytest.raises(RegisterError) as caught:
        key_of(secret)
    assert len(secret) < 8 or secret not in str(caught.value)


def test_a_refusal_says_what_it_should() -> None:
    """The body holds exactly the fields that receivers are promised, times with offsets, and text as it was said."""
    message = refusal_message(CLAIMED, AT + timedelta(hours=1), "Heedline/0")
    body = json.loads(message.body)
    assert (body["type"], body["timestamp"]) == ("refusal.recorded", "2026-11-24T09:30:00+00:00")
    assert body["data"] == {
        "id": 7,
        "number": "+8613800138000",
        "seller": "acme",
        "how": "spoken",
        "at": "2026-11-24T09:29:00+00:00",
        "recorded_at": "2026-11-24T09:30:00+00:00",
        "call_id": "1.2",
        "agent": None,
        "attempt": 3,
        "artefact": ARTEFACT,
        "rule": "CN.refusal",
    }
    assert message.headers["webhook-timestamp"] == str(int(AT.timestamp()) + 3600)
    assert message.headers["webhook-signature"] == signature(
        SECRET, message.headers["webhook-id"], int(AT.timestamp()) + 3600, message.body
    )


def test_a_later_try_is_the_same_message_signed_anew() -> None:
    """Id and body stay; time and signature are of the try, so that a receiver can refuse what is replayed."""
    first = refusal_message(CLAIMED, AT, "x")
    later = refusal_message(replace(CLAIMED, tries=5), AT + timedelta(seconds=3601), "x")
    assert (first.body, first.headers["webhook-id"]) == (later.body, later.headers["webhook-id"])
    assert first.headers["webhook-timestamp"] != later.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != later.headers["webhook-signature"]


def test_ids_differ_where_messages_do() -> None:
    """Another refusal, another webhook, or the same number in a database that began anew has another id."""
    others = [
        message_id(SECRET, TOLD),
        message_id(SECRET, replace(TOLD, id=8)),
        message_id(SECRET, replace(TOLD, recorded_at=AT + timedelta(microseconds=1))),
        message_id(secret_of(bytes(32)), TOLD),
    ]
    assert len(set(others)) == 4
    assert all(id.isascii() and len(id) == 36 for id in others)


def test_a_test_is_no_refusal() -> None:
    """A test says its own type and is signed as everything is."""
    message = test_message("https://crm.example/", SECRET, "crm", bytes(16), AT, "x")
    assert json.loads(message.body)["type"] == "webhook.test"
    headers = message.headers
    assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], int(AT.timestamp()), message.body)


@given(st.integers(min_value=1, max_value=10**9), st.floats(min_value=0, max_value=1))
def test_backoff_is_bounded(tries: int, chance: float) -> None:
    """However many tries failed, and whatever the chance, the wait is between nothing and an hour."""
    assert timedelta(0) <= backoff(tries, chance) <= timedelta(hours=1)


@given(
    st.integers(min_value=1, max_value=100), st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1)
)
def test_backoff_grows_with_tries_and_chance(tries: int, one: float, other: float) -> None:
    """It never shrinks as either grows, and the bound doubles until it is an hour."""
    assert backoff(tries, one) <= backoff(tries + 1, one)
    assert backoff(tries, min(one, other)) <= backoff(tries, max(one, other))
    assert backoff(tries + 1, 1) == min(2 * backoff(tries, 1), timedelta(hours=1))


def test_the_first_wait_is_ten_seconds_at_most() -> None:
    """The bound begins at ten seconds."""
    assert backoff(1, 1) == timedelta(seconds=10)


def test_the_receiver_of_the_documents_verifies() -> None:
    """The code that the how-to gives to receivers takes what is sent, and nothing that was changed or is old."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "webhooks.md").read_text("utf-8")
    found: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], found)  # noqa: S102 - our own page
    verify: Callable[[str, dict[str, str], bytes], bool] = found["verify"]
    now = datetime.now(UTC)
    message = refusal_message(CLAIMED, now, "x")
    headers = dict(message.headers)
    assert verify(SECRET, headers, message.body)
    both = {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}
    assert verify(SECRET, both, message.body)
    assert not verify(SECRET, headers, message.body + b" ")
    assert not verify(SECRET, {**headers, "webhook-id": "msg_other"}, message.body)
    assert not verify(secret_of(bytes(32)), headers, message.body)
    old = refusal_message(CLAIMED, now - timedelta(minutes=6), "x")
    assert not verify(SECRET, dict(old.headers), old.body)
