"""The log's newest checkpoint is stamped by a time-stamping authority (RFC 3161): that it was there at an instant, on
the word of somebody who has no part in the log.

The token is checked before it is kept, but not whether its authority can be trusted: whoever reads a bundle decides
that, with the authority's certificate.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.errors import ConfigError, RegisterError
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_witness import Asker, Reply, Unanswered, WitnessStore
from dialer.proofs import Proofs
from dialer.verifier.chain import purpose_fault
from dialer.verifier.cms import SHA256, SignatureFault
from dialer.verifier.der import INTEGER, DerFault, read
from dialer.verifier.timestamp import Token, read_token
from dialer.webhook_urls import AUTHORITY, Network, checked_url

log = logging.getLogger(__name__)

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_NONCE_BITS = 64
_SKEW = timedelta(minutes=5)
# TSTInfo (RFC 3161, section 2.4.2): five fields that are always there, then optional ones, the nonce the only INTEGER.
_ALWAYS = 5
_SEQUENCE, _BOOLEAN, _OCTETS, _NULL = 0x30, 0x01, 0x04, 0x05
_SHA256_OID = bytes.fromhex("0609608648016503040201")


@dataclass(frozen=True, slots=True)
class StampState:
    """How the authority does. `size` and `at`: the newest checkpoint that it has stamped, and when. `since`: when the
    oldest one that it has not was published; None when there is none. `problem`: what was wrong when this process last
    asked it."""

    authority: str
    size: int | None
    at: datetime | None
    since: datetime | None
    problem: str


class Stamping:
    """One authority is asked. `nonce` makes numbers that nobody can foresee."""

    def __init__(
        self,
        url: str,
        proofs: Proofs,
        store: WitnessStore,
        asker: Asker,
        clock: Clock,
        nonce: Callable[[], int] = lambda: secrets.randbits(_NONCE_BITS),
    ) -> None:
        self.problem = ""
        self._url, self.authority = url, url.partition("?")[0]
        self._proofs, self._store, self._asker, self._clock, self._nonce = proofs, store, asker, clock, nonce

    async def stamp(self) -> None:
        """Have the newest checkpoint stamped, unless it is. What comes of it is in `problem`; raises
        `StoreUnavailable`, `LogFault`."""
        published = await self._proofs.latest()
        done = await self._store.stamped(self.authority)
        if published is None or (done is not None and done.size == published.checkpoint.size):
            self.problem = ""
            return
        digest, nonce = hashlib.sha256(published.note.text.encode()).digest(), self._nonce()
        try:
            reply = await self._asker.post(self._url, _QUERY, request(digest, nonce))
            token = check(reply, digest, nonce)
        except Unanswered as error:
            if self.problem != str(error):
                log.warning("`%s` has not stamped the checkpoint: %s", self.authority, error)
            self.problem = str(error)
            return
        now = self._clock()
        await self._store.add_timestamp(published.checkpoint.size, self.authority, reply.body, now)
        is_skewed = abs(token.at - now) > _SKEW  # of the two clocks the authority's is the one that counts
        self.problem = f"it stamped at {token.at.isoformat()}: set this node's clock" if is_skewed else ""

    async def state(self) -> StampState:
        """How the authority does. Raises `StoreUnavailable`."""
        done = await self._store.stamped(self.authority)
        size, at = (done.size, done.at) if done else (None, None)
        return StampState(self.authority, size, at, await self._store.since(size or 0), self.problem)


def request(digest: bytes, nonce: int) -> bytes:
    """A TimeStampReq (DER) for a SHA-256, which asks that the certificate come along."""
    imprint = _der(_SEQUENCE, _der(_SEQUENCE, _SHA256_OID, _der(_NULL)), _der(_OCTETS, digest))
    return _der(_SEQUENCE, _integer(1), imprint, _integer(nonce), _der(_BOOLEAN, b"\xff"))


def check(reply: Reply, digest: bytes, nonce: int) -> Token:
    """The token of an answer to what was asked. Raises `Unanswered` when it is none, or another's."""
    if reply.status != 200 or reply.kind != _REPLY:
        raise Unanswered(f"it answered {reply.status} with `{printable(reply.kind, 80)}`, and not a time stamp")
    try:
        token = read_token(reply.body)
        certificate = token.signed.certificate(())
        if certificate is None:
            raise Unanswered("its certificate, which was asked for, did not come along")
        token.signed.check(certificate)
        stamped = _nonce(token)
    except (DerFault, SignatureFault) as fault:
        raise Unanswered(f"its answer is no good time stamp: {fault}") from fault
    if (token.algorithm, token.imprint) != (SHA256, digest):
        raise Unanswered("its time stamp is of something else than the checkpoint")
    if stamped != nonce:
        raise Unanswered("its time stamp is an old one: it is not of this request")
    if (said := purpose_fault(certificate, token.at)) is not None:
        raise Unanswered(f"its time stamp is no good: {said.english}")
    return token


def read_authority(url: str, networks: tuple[Network, ...]) -> str:
    """What `evidence.timestamp_url` says. Raises `ConfigError`."""
    try:
        return checked_url(url, networks, AUTHORITY)
    except RegisterError as error:
        raise ConfigError(f"`evidence.timestamp_url`: {error.problem}", error.cure) from error


def _nonce(token: Token) -> int | None:
    return next(
        (part.integer() for part in read(token.signed.content).children()[_ALWAYS:] if part.tag == INTEGER), None
    )


def _integer(value: int) -> bytes:
    """A whole number that is not negative."""
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, *parts: bytes) -> bytes:
    """An element that is shorter than 128 bytes."""
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body
