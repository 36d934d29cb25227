"""Refusals as data: what is recorded, what proves it, and what awaits a person's judgement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from dialer.erasure_key import KeyMark

WAYS = ("keyed", "spoken", "agent", "web", "api", "message", "complaint", "import", "inbound_call")
"""How a refusal may have been expressed."""


class Prompt(StrEnum):
    """What offered the key that was pressed."""

    CALL = "call"  # in mid-bridge: the callee's key
    AGENT = "agent"  # in mid-bridge: the agent's key, for what the callee said
    ANNOUNCEMENT = "announcement"  # a prerecorded message
    CALLBACK = "callback"  # the inbound IVR of a presented number


@dataclass(frozen=True, slots=True)
class KeyArtefact:
    """A key that was pressed, and what had offered it."""

    key: str
    prompt: Prompt

    def document(self) -> dict[str, Any]:
        """Canonical plain data; `kind` names the type."""
        return {"kind": "key", "key": self.key, "prompt": self.prompt.value}


@dataclass(frozen=True, slots=True)
class SpeechArtefact:
    """Words that were heard. `phrase` is the part that counted and `pattern` what matched it; times are milliseconds
    from the first sample of the stream. `model` and `clip` are SHA-256 (hexadecimal): of the recogniser's files, and of
    the WAV file that is kept under it (`clips/` in the home folder; empty when it could not be kept)."""

    transcript: str
    phrase: str
    pattern: str
    start_ms: int
    end_ms: int
    language: str
    engine: str
    model: str
    clip: str

    def document(self) -> dict[str, Any]:
        """Canonical plain data; `kind` names the type."""
        return {"kind": "speech", **asdict(self)}


@dataclass(frozen=True, slots=True)
class FormArtefact:
    """A form, letter, message or recording that is kept under its SHA-256 (hexadecimal)."""

    sha256: str
    media_type: str
    location: str

    def document(self) -> dict[str, Any]:
        """Canonical plain data; `kind` names the type."""
        return {"kind": "form", **asdict(self)}


@dataclass(frozen=True, slots=True)
class RequestArtefact:
    """A request to the HTTP API: its token's name, its idempotency key, the SHA-256 (hexadecimal) of its body, and what
    it named as its proof."""

    token: str
    idempotency_key: str
    sha256: str
    form: FormArtefact | None = None

    def document(self) -> dict[str, Any]:
        """Canonical plain data; `kind` names the type."""
        return {"kind": "request", **asdict(self)}


RefusalArtefact = KeyArtefact | SpeechArtefact | FormArtefact | RequestArtefact


def read_artefact(document: dict[str, Any] | None) -> RefusalArtefact | None:
    """The artefact of a document that `document()` made. Raises `ValueError` on anything else."""
    if document is None:
        return None
    fields = dict(document)
    kind = fields.pop("kind", None)
    try:
        match kind:
            case "key":
                return KeyArtefact(fields["key"], Prompt(fields["prompt"]))
            case "speech":
                return SpeechArtefact(**fields)
            case "form":
                return FormArtefact(**fields)
            case "request":
                form = fields.pop("form", None)
                return RequestArtefact(**fields, form=form and FormArtefact(**form))
    except (KeyError, TypeError) as error:
        raise ValueError(f"an artefact of kind `{kind}` has other fields") from error
    raise ValueError(f"`{kind}` is no kind of artefact")


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """A refusal to record; `callee` is E.164 digits, `seller` None: to all sellers, `how` one of `WAYS`.

    `attempt` is the decision whose call it was said in. `receipt` (1 to 200 characters) makes telling it again
    harmless: it is recorded once.
    """

    callee: int
    seller: str | None
    how: str
    at: datetime
    call_id: str | None = None
    agent: str | None = None
    note: str | None = None
    attempt: int | None = None
    artefact: RefusalArtefact | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalRecord:
    """A refusal as recorded. `rule` names the policy rules that make it bind, `rule_version` their packs; None where it
    was imported or recorded before they were noted."""

    id: int
    refusal: NewRefusal
    recorded_at: datetime
    rule: str | None = None
    rule_version: str | None = None


@dataclass(frozen=True, slots=True)
class ErasedRefusal:
    """A refusal of an erased person: `hash` of his number under the key `mark`; `seller` None: to all sellers."""

    hash: bytes
    seller: str | None
    at: datetime
    mark: KeyMark


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording came to. `known`: its receipt was given before; `id` is the refusal that was recorded then."""

    id: int
    known: bool = False


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that used its permit and is not known to have ended. `seller` is the seller's code; None: none that is
    registered. `dialled`: it has left its switch, or never will."""

    attempt: int
    callee: int
    seller: str | None
    answered: bool
    dialled: bool


@dataclass(frozen=True, slots=True)
class CallParty:
    """Who was called in an attempt, for whom, and when it was decided; `seller` None: none that is registered."""

    attempt: int
    callee: int
    seller: str | None
    presented: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewReview:
    """Spoken words that may be a refusal."""

    callee: int
    seller: str | None
    at: datetime
    artefact: SpeechArtefact
    call_id: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """A review as recorded; `decision` is `refusal` or `dismissed` once a person has decided."""

    id: int
    review: NewReview
    recorded_at: datetime
    decision: str | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    refusal_id: int | None = None


class RefusalStore(Protocol):
    """What refusals ask of their store beyond a register's transaction. Each method raises `StoreUnavailable`."""

    async def refused_calls(self, callees: Collection[int] | None) -> list[OpenCall]:
        """Calls that went out, have no end, and are bound by a refusal that they did not know at their decision: of
        these callees, or (None) of all. Calls that the marketing rules do not concern are not among them."""

    async def refused_parties(self, parties: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Of these callees with sellers' codes, those between whom a refusal of late stands that no consent lifts."""

    async def call_party(self, attempt: int) -> CallParty | None:
        """Who was called in an attempt; None: there is no such attempt, or its callee is no E.164 number."""

    async def sellers_showing(self, number: str) -> list[str | None]:
        """Codes of the sellers for whom a number is registered as presented (None: every seller); empty: nowhere."""

    async def reviews(self, *, decided: bool = False, limit: int = 100) -> list[ReviewRecord]:
        """Near misses that await a person, oldest first; with `decided` those that were decided, newest first."""
