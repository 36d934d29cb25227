"""What a webhook is sent, by the Standard Webhooks specification (standardwebhooks.com), and when it is sent again.

Three headers sign a message: `webhook-id` (the same at every try, so that a receiver can tell a repetition),
`webhook-timestamp` (seconds since 1970, of this try) and `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over
`id.timestamp.body`. The key is what the base64 after `whsec_` in the secret says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime, timedelta

from dialer.errors import RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.ports_webhooks import Claimed, Message, ToldRefusal

SECRET_PREFIX = "whsec_"  # noqa: S105 - the specification's mark, no secret
KEY_BYTES = 32
_KEY_LIMITS = (24, 64)  # bytes, by the specification
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)


def secret_of(key: bytes) -> str:
    """The secret, as people hand it on, of a key."""
    return SECRET_PREFIX + base64.b64encode(key).decode("ascii")


def key_of(secret: str) -> bytes:
    """The key that signs. Raises `RegisterError`, which does not show the secret."""
    encoded = secret.removeprefix(SECRET_PREFIX)
    cure = "leave it out and one is made, or give `whsec_` and 24 to 64 bytes in base64"
    if encoded == secret:
        raise RegisterError("the secret does not begin with `whsec_`", cure)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise RegisterError("the secret is no base64 after `whsec_`", cure) from None
    if not _KEY_LIMITS[0] <= len(key) <= _KEY_LIMITS[1]:
        raise RegisterError(f"the secret holds {len(key)} bytes", cure)
    return key


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """What `webhook-signature` says of one message."""
    signed = b".".join((id.encode("ascii"), str(timestamp).encode("ascii"), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode("ascii")


def refusal_message(claimed: Claimed, now: datetime, agent: str) -> Message:
    """A delivery as it is sent at `now`; `agent` is the User-Agent. Its body is the same at every try."""
    told = claimed.refusal
    body = {"type": "refusal.recorded", "timestamp": instant(told.recorded_at), "data": _document(told)}
    return _signed(claimed.url, claimed.secret, message_id(claimed.secret, told), canonical(body), now, agent)


def test_message(url: str, secret: str, webhook: str, token: bytes, now: datetime, agent: str) -> Message:
    """A message that says nothing but that messages arrive; `token` is random."""
    body = {"type": "webhook.test", "timestamp": instant(now), "data": {"webhook": webhook}}
    return _signed(url, secret, f"msg_{token.hex()}", canonical(body), now, agent)


test_message.__test__ = False  # type: ignore[attr-defined] # its name is no claim to be a test


def message_id(secret: str, told: ToldRefusal) -> str:
    """Names this refusal to this webhook. It is no plain number: in a database that was set up anew numbers begin
    again, and a receiver that remembers the old ones would take a new refusal for a repetition."""
    named = f"{told.id}.{instant(told.recorded_at)}".encode("ascii")
    return "msg_" + hmac.digest(key_of(secret), named, hashlib.sha256).hex()[:32]


def backoff(tries: int, chance: float) -> timedelta:
    """How long to wait after so many tries (1 and up) that failed: full jitter, that is `chance` (0 to 1) of a bound
    that doubles from 10 seconds to an hour."""
    bound = min(_FIRST_WAIT * (1 << min(max(tries, 1) - 1, 16)), _LONGEST_WAIT)
    return bound * chance


def _signed(url: str, secret: str, id: str, body: str, now: datetime, agent: str) -> Message:
    content, timestamp = body.encode("utf-8"), int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": agent,
        "Accept-Encoding": "identity",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, id, timestamp, content),
    }
    return Message(url, headers, content)


def _document(told: ToldRefusal) -> dict[str, object]:
    return {
        "id": told.id,
        "number": f"+{told.callee}",
        "seller": told.seller,
        "how": told.how,
        "at": instant(told.at),
        "recorded_at": instant(told.recorded_at),
        "call_id": told.call_id,
        "agent": told.agent,
        "attempt": told.attempt,
        "artefact": told.artefact,
        "rule": told.rule,
    }
