"""One call as the gate reads it: a request's numbers, and the facts of it from what was loaded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dialer.numbers import Number, NumberFault, parse
from dialer.policy.facts import CallRequest, Facts, PresentedNumber, Route
from dialer.ports import CalleeRecord, Configuration


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose numbers were read with one configuration."""

    request: CallRequest
    callee: Number | NumberFault
    presented: PresentedNumber | None


def read_call(request: CallRequest, configuration: Configuration) -> Call:
    """Read the numbers of a request as its trunk's country writes them, else the request's own."""
    trunk = configuration.trunks.get(request.trunk) if request.trunk is not None else None
    country = trunk.country if trunk else request.country
    callee = parse(request.callee, country)
    if request.presented is None:
        return Call(request, callee, None)
    shown = parse(request.presented, country)
    if isinstance(shown, NumberFault):
        return Call(request, callee, PresentedNumber(shown))
    # A dry run that names no trunk asks about all of them.
    names = [request.trunk] if request.trunk is not None else list(configuration.trunks)
    holders = [holder for name in names for holder in configuration.registered.get((name, shown.e164), ())]
    sellers = tuple(holder for holder in holders if holder is not None)
    return Call(request, callee, PresentedNumber(shown, sellers, None in holders))


def assemble(call: Call, configuration: Configuration, record: CalleeRecord) -> Facts:
    """The facts of one call, from what was loaded."""
    request = call.request
    return Facts(
        callee=call.callee,
        seller_code=request.seller,
        seller=configuration.sellers.get(request.seller),
        purpose=request.purpose,
        kind=request.kind,
        route=Route.NON_MARKETING if request.route in configuration.non_marketing else Route.MARKETING,
        consents=tuple(record.consents),
        refusals=tuple(record.refusals),
        listed_on=tuple(configuration.lists[i].name for i in record.imports if i in configuration.lists),
        lists=configuration.all_lists,
        attempts=tuple(record.attempts),
        address=record.address,
        presented=call.presented,
        trunk=configuration.trunks.get(request.trunk) if request.trunk is not None else None,
        trunk_asked=request.trunk is not None,
    )


def keys(calls: Sequence[Call]) -> list[int]:
    """The distinct callees to lock: E.164 digits. Codes and faults have nothing on record."""
    return list({call.callee.digits for call in calls if isinstance(call.callee, Number) and call.callee.is_e164})


def record_of(call: Call, records: dict[int, CalleeRecord]) -> CalleeRecord:
    """What is on record of the callee; one record for all calls of a batch to him."""
    if isinstance(call.callee, Number) and call.callee.is_e164:
        return records.setdefault(call.callee.digits, CalleeRecord())
    return CalleeRecord()


def dialled_number(callee: Number | NumberFault) -> str:
    """The callee's canonical number; empty when it is none."""
    return callee.e164 if isinstance(callee, Number) else ""


def shown_number(call: Call, *, allowed: bool) -> str:
    """The presented number in its canonical form. Text that is no number is kept for the record of a refusal, but an
    allowed call (emergency, non-marketing) shows none rather than that."""
    if call.presented is not None and isinstance(call.presented.number, Number):
        return call.presented.number.e164
    return "" if allowed else (call.request.presented or "")
