"""One entry of evidence of each kind, made by the use cases themselves on a store that keeps nothing."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, MagicMock

from agi.alarm import NO_PERMIT
from agi.effects import NOT_CUT
from dialer.attempts import alarm_payload, ended_payload
from dialer.bulk import Imports
from dialer.clocks import Clocks
from dialer.consents import Consents
from dialer.evidence.entries import decision_payload, redemption_payload
from dialer.import_rows import CONSENTS, LISTED, NUMBERS, REFUSALS, SELLERS, RowKind
from dialer.imports import Sheet
from dialer.loosenings import record_loosenings
from dialer.numbers import Number, parse
from dialer.policy.admin import Loosening
from dialer.policy.facts import Basis, CallKind, CallRequest, Facts, TrunkOrigin
from dialer.ports_attempts import Alarm, AttemptFacts
from dialer.ports_refusals import NewRefusal, NewReview, ReviewRecord, SpeechArtefact
from dialer.ports_registers import BulkCounts, ListRecord, NewConsent, SellerRecord, TrunkRecord
from dialer.ports_tokens import Scope, TokenRecord
from dialer.refusals import Refusals
from dialer.registers import Lists, Routes, Sellers, Trunks
from dialer.tokens import Tokens
from dialer.verdict import Reason, refuse
from dialer.webhooks import Webhooks

NOW = datetime(2026, 3, 4, 4, tzinfo=UTC)
_CALLEE = 442079460110
_OF_THE_LOG = (
    *("log_rolled_back", "log_inconsistent", "log_entry_lost", "log_key_lost", "log_memory_lost", "log_not_sealed"),
    *("log_faulty", "log_contradicted"),
)
_TOKEN = TokenRecord(1, "crm", (Scope.REFUSALS_WRITE,), None, NOW, "test")
_SPOKEN = SpeechArtefact("please stop", "stop", "cease", 0, 900, "en", "moonshine", "00" * 32, "11" * 32)
_SELLER = SellerRecord(1, "acme", "Acme Ltd", "", False, NOW)
_TRUNK = TrunkRecord(1, "carrier", "GB", TrunkOrigin.DOMESTIC, NOW)
_LIST = ListRecord(1, "mine", "me", ("+44",), None, None, None, None, None)


class Witnesses:
    """A store whose registers are as the use cases want them; it keeps the entries alone."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.transaction_mock = AsyncMock()
        answers = {
            **dict.fromkeys(("seller", "add_seller", "suspend_seller"), _SELLER),
            **dict.fromkeys(("trunk", "add_trunk"), _TRUNK),
            **dict.fromkeys(("list", "add_list"), _LIST),
            "add_consent": 1,
            "withdraw_consents": [1],
            "loosening_known": False,
            "clock_witness": (1, NOW + timedelta(days=1)),
            **dict.fromkeys(("add_token", "revoke_token"), _TOKEN),
            **dict.fromkeys(("add", "remove"), 1),
        }
        for method, answer in answers.items():
            getattr(self.transaction_mock, method).return_value = answer
        self.transaction_mock.witness = self._witness
        self.transaction_mock.add_refusal = self._refusal
        self.bulk = MagicMock()
        for name in ("sellers", "numbers", "consents", "refusals", "listed"):
            getattr(self.bulk, name).side_effect = lambda *_: self._writer()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncMock]:
        """Of the registers."""
        yield self.transaction_mock

    async def sellers(self) -> list[SellerRecord]:
        """For imports."""
        return [_SELLER]

    async def trunks(self) -> list[TrunkRecord]:
        """For imports."""
        return [_TRUNK]

    async def prune_lists(self, _: int) -> None:
        """There is nothing to prune."""

    def take(self, kind: str, payload: str) -> None:
        """Keep an entry."""
        self.entries[kind] = json.loads(payload)

    async def _witness(self, _: datetime, kind: str, __: int | None, payload: str) -> None:
        self.take(kind, payload)

    async def _refusal(self, _: NewRefusal, __: None, ___: None, ____: bytes, payload: str) -> tuple[int, bool, bool]:
        self.take("refusal", payload)
        return 1, False, True

    @contextlib.asynccontextmanager
    async def _writer(self) -> AsyncIterator[AsyncMock]:
        writer = AsyncMock()
        writer.put.return_value = BulkCounts(1, 1)
        writer.commit.side_effect = lambda _, kind, payload: self.take(kind, payload)
        yield writer


async def entries() -> dict[str, dict[str, Any]]:
    """An entry of every kind, by its kind."""
    store = Witnesses()
    await _registers(store)
    await _people(store)
    await _imports(store)
    await _api(store)
    _calls(store)
    return store.entries


async def _registers(store: Any) -> None:
    known = (store, lambda: NOW, "test")
    await Sellers(*known).add("acme", "Acme Ltd")
    await Sellers(*known).suspend("acme")
    await Sellers(*known).suspend("acme", suspended=False)
    await Trunks(*known).add("carrier", "GB", TrunkOrigin.DOMESTIC)
    await Trunks(*known).add_number("carrier", "02079460999", "Acme Ltd", "acme")
    await Trunks(*known).remove_number("carrier", "02079460999")
    await Routes(*known).declare("support", "asked for")
    await Routes(*known).remove("support")
    await Lists(*known).add("mine", "me", ["+44"])
    await Clocks(*known).accept("the time server was wrong")
    loosening = Loosening(rule="GB.window", reason="a reason", by="A. Li", since=date(2026, 3, 4))
    await record_loosenings([loosening], store, lambda: NOW, "test")


async def _people(store: Any) -> None:
    callee = parse(f"+{_CALLEE}")
    assert isinstance(callee, Number)
    await Consents(store, lambda: NOW, "test").add(
        NewConsent(_CALLEE, "acme", "marketing", Basis.WRITTEN, (CallKind.LIVE,), NOW)
    )
    await Consents(store, lambda: NOW, "test").withdraw(callee, "acme")
    refusals = Refusals(store, lambda: NOW, "test")
    await refusals.add(NewRefusal(_CALLEE, "acme", "agent", NOW))
    store.transaction_mock.review.return_value = ReviewRecord(1, NewReview(_CALLEE, "acme", NOW, _SPOKEN), NOW)
    await refusals.dismiss(1)


async def _api(store: Any) -> None:
    tokens = Tokens(store, lambda: NOW, "test")
    await tokens.add("crm", [Scope.REFUSALS_WRITE])
    await tokens.revoke("crm")
    webhooks = Webhooks(store, lambda: NOW, "test", (), "Heedline/0")
    await webhooks.add("crm", "https://crm.example/refusals")
    await webhooks.remove("crm")


async def _imports(store: Any) -> None:
    imports = Imports(store, store.bulk, lambda: NOW, "test")
    await imports.sellers(_sheet("code,name\nacme,Acme Ltd\n", SELLERS))
    await imports.numbers(_sheet("trunk,number,holder,seller\ncarrier,02079460999,Acme Ltd,acme\n", NUMBERS))
    await imports.consents(_sheet(f"number,granted_at,seller\n+{_CALLEE},2026-03-01,acme\n", CONSENTS))
    await imports.refusals(_sheet(f"number,seller\n+{_CALLEE},*\n", REFUSALS))
    await imports.listed(_sheet(f"number\n+{_CALLEE}\n", LISTED), "mine", NOW)


def _sheet(text: str, kind: RowKind[Any]) -> Sheet:
    return Sheet(io.BytesIO(text.encode()), "test.csv", kind.columns)


def decision() -> dict[str, Any]:
    """The entry of a decision."""
    request = CallRequest("+442079460110", "acme")
    facts = Facts(parse(request.callee), "acme", None)
    made: dict[str, Any] = json.loads(decision_payload(request, facts, refuse(Reason.REFUSED, "core.refusal"), NOW))
    return made


def _calls(store: Witnesses) -> None:
    store.entries["decision"] = decision()
    for kind in ("permit.redeemed", "permit.rejected"):
        store.take(kind, redemption_payload(bytes(16), "+442079460110", "+442079460999", "a peer"))
    for kind in ("attempt.ended", "attempt.amended"):
        store.take(kind, ended_payload(kind, AttemptFacts(1)))
    for kind in (NO_PERMIT, NOT_CUT, "list_stale", "complaint_overdue", *_OF_THE_LOG):
        store.take(f"alarm.{kind}", alarm_payload(Alarm(NOW, kind, "a channel", "a detail")))
