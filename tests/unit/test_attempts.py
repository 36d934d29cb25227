"""Following attempts: what events become, and what is kept while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.alarm import TrunkWatch
from agi.ami import Event
from agi.follow import Follower, final_status, q850
from dialer.attempts import AttemptLog, merged
from dialer.errors import StoreUnavailable
from dialer.ports_attempts import Alarm, AttemptFacts, OpenAttempt
from tests.unit.ami_peer import Frame, Peer, packet, success

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


class Clock:
    """A second later each time that it is asked."""

    def __init__(self) -> None:
        self.ticks = 0

    def __call__(self) -> datetime:
        self.ticks += 1
        return AT + timedelta(seconds=self.ticks)


class Memory:
    """A store that may be away."""

    def __init__(self) -> None:
        self.away = False
        self.rows: dict[int, AttemptFacts] = {}
        self.writes = 0
        self.alarms: list[Alarm] = []
        self.open: list[OpenAttempt] = []

    async def record(self, facts: Sequence[AttemptFacts], now: datetime) -> list[int]:
        if self.away:
            raise StoreUnavailable("away")
        self.writes += 1
        for fact in facts:
            known = self.rows.get(fact.attempt)
            self.rows[fact.attempt] = merged(known, fact) if known else fact
        return []

    async def open_attempts(self, dialled_before: datetime) -> list[OpenAttempt]:
        return self.open

    async def raise_alarm(self, alarm: Alarm) -> None:
        self.alarms.append(alarm)


def event(name: str, **headers: str) -> Event:
    """An event as the AMI layer gives it."""
    return Event(name, {key.lower(): value for key, value in headers.items()})


def call(unique_id: str = "u1", attempt: str = "7", where: str = "pbx") -> list[Event]:
    """The events of a busy callee's channel, in their natural order."""
    return [
        event("UserEvent", UserEvent="HeedlineDial", Attempt=attempt, Where=where, Uniqueid=unique_id),
        event("Newstate", Uniqueid=unique_id, ChannelState="5"),
        event("DialEnd", DestUniqueid=unique_id, DialStatus="BUSY"),
        event(
            "UserEvent",
            UserEvent="HeedlineHangup",
            Attempt=attempt,
            Where=where,
            Uniqueid=unique_id,
            Cause="17",
            Status="SIP 486 Busy Here",
        ),
        event("Hangup", Uniqueid=unique_id, Cause="17"),
    ]


async def follow(events: Sequence[Event]) -> AttemptFacts:
    """What is on record of attempt 7 after these events."""
    store = Memory()
    log = AttemptLog(store, Clock())
    follower = Follower(Peer().ami(), log, Clock())
    for one in events:
        follower.handle(one)
    await log.flush()
    follower.close()
    return store.rows[7]


@given(order=st.permutations(range(5)), twice=st.lists(st.integers(0, 4), max_size=5))
async def test_any_order_and_repetition_of_events_leads_to_the_same_facts(order: list[int], twice: list[int]) -> None:
    """Nothing that was seen is lost, whatever the order in which the events come."""
    events = call()
    facts = await follow([events[index] for index in [*order, *twice]])
    assert (facts.cause, facts.sip_status, facts.dial_status) == (17, 486, "BUSY")
    assert None not in (facts.dialled_at, facts.ringing_at, facts.ended_at)
    assert facts.answered_at is None


async def test_channels_of_others_are_not_followed() -> None:
    """Events of a channel that is no attempt's leave no trace, and two attempts are not mixed up."""
    facts = await follow([*call(), event("Newstate", Uniqueid="other", ChannelState="6"), *call("u2", "8")])
    assert facts.answered_at is None


@pytest.mark.parametrize("attempt", ["", "0", "x", "-1", "1" * 19, "٣"])
async def test_attempt_that_is_no_id_is_not_followed(attempt: str) -> None:
    """A user event whose attempt is no id is ignored."""
    store = Memory()
    log = AttemptLog(store, Clock())
    follower = Follower(Peer().ami(), log, Clock())
    for one in call(attempt=attempt):
        follower.handle(one)
    await log.flush()
    assert store.rows == {}


@pytest.mark.parametrize("first", ["pbx", "egress"])
async def test_carriers_cause_wins_whoever_speaks_first(first: str) -> None:
    """In one batch the egress's cause and status stand, the PBX's dial status does, and the earliest instants."""
    log = AttemptLog(store := Memory(), Clock())
    facts = {
        "pbx": AttemptFacts(7, dialled_at=AT, cause=21, sip_status=403, dial_status="NOANSWER"),
        "egress": AttemptFacts(
            7, dialled_at=AT + timedelta(1), cause=21, sip_status=603, dial_status="CANCEL", near_carrier=True
        ),
    }
    for where in sorted(facts, reverse=first == "pbx"):
        log.note(facts[where])
    await log.flush()
    row = store.rows[7]
    assert (row.dialled_at, row.sip_status, row.dial_status) == (AT, 603, "NOANSWER")


async def test_facts_survive_a_database_that_is_away() -> None:
    """What could not be written is kept, added to, and written when the database is back."""
    log = AttemptLog(store := Memory(), Clock())
    store.away = True
    log.note(AttemptFacts(7, dialled_at=AT))
    with pytest.raises(StoreUnavailable):
        await log.flush()
    log.note(AttemptFacts(7, cause=17))
    store.away = False
    await log.flush()
    assert store.rows[7] == AttemptFacts(7, dialled_at=AT, cause=17)


async def test_many_facts_are_one_write_and_leaving_writes_the_rest() -> None:
    """Facts that come together are written together; those pending when the log is left are not lost."""
    async with AttemptLog(store := Memory(), Clock(), gather_s=60) as log:
        for attempt in range(1, 101):
            log.note(AttemptFacts(attempt, dialled_at=AT))
            log.note(AttemptFacts(attempt, cause=16))
    assert (store.writes, len(store.rows)) == (1, 100)


async def test_memory_is_bounded_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit further attempts are counted as lost; those already pending still grow."""
    monkeypatch.setattr("dialer.attempts._PENDING_LIMIT", 2)
    log = AttemptLog(store := Memory(), Clock())
    for attempt in (1, 2, 3, 1):
        log.note(AttemptFacts(attempt, cause=16))
    await log.flush()
    assert (sorted(store.rows), log.stats.lost) == ([1, 2], 1)


async def test_channels_gone_after_a_reconnect_have_ended() -> None:
    """After a gap an attempt whose channel is gone has ended with cause unknown; one that is up was answered."""

    def answer(peer: Peer, frame: Frame) -> bytes:
        if frame["Action"] != "CoreShowChannels":
            return success(peer, frame)
        ident = frame["ActionID"]
        return (
            packet(Response="Success", ActionID=ident, EventList="start")
            + packet(Event="CoreShowChannel", ActionID=ident, Uniqueid="u8", ChannelState="6")
            + packet(Event="CoreShowChannelsComplete", ActionID=ident)
        )

    log = AttemptLog(store := Memory(), Clock())
    async with Peer(answer) as peer, peer.ami() as ami:
        follower = Follower(ami, log, Clock())
        follower.handle(call("u7", "7")[0])
        follower.handle(call("u8", "8")[0])
        await ami.ready()
        await follower.resynchronise()
        await log.flush()
    assert store.rows[7].ended_at is not None
    assert store.rows[7].cause is None
    assert store.rows[8].ended_at is None
    assert store.rows[8].answered_at is not None


async def test_orphans_need_a_number_on_no_channel() -> None:
    """An open attempt ends only when its callee is on no live channel."""
    store = Memory()
    store.open = [OpenAttempt(1, "+491"), OpenAttempt(2, "+492")]
    log = AttemptLog(store, Clock())
    await log.close_orphans(frozenset({"491"}))
    await log.flush()
    assert list(store.rows) == [2]


@pytest.mark.parametrize(
    ("text", "cause"),
    [("17", 17), ("0", None), ("127", None), ("", None), ("999", None), ("1" * 99, None), ("١", None)],
)
def test_cause_is_q850_or_unknown(text: str, cause: int | None) -> None:
    """Causes are 1 to 126; everything else is unknown, however long."""
    assert q850(text) == cause


@pytest.mark.parametrize(
    ("text", "status"), [("SIP 486 Busy Here", 486), ("SIP 180 Ringing", None), ("SIP 9999", None), ("", None)]
)
def test_sip_status_is_final_or_unknown(text: str, status: int | None) -> None:
    """A provisional status says nothing of the end."""
    assert final_status(text) == status


def dials(unique_id: str, channel: str = "PJSIP/egress-0001", state: str = "0") -> Event:
    """A channel that was just made."""
    return event("Newchannel", Channel=channel, Uniqueid=unique_id, Linkedid=unique_id, ChannelState=state)


async def alarms(events: Sequence[Event]) -> tuple[list[Frame], list[Alarm]]:
    """Hang-ups that were sent and alarms that were recorded after these events."""
    store = Memory()
    async with Peer() as peer, peer.ami() as ami:
        watch = TrunkWatch(ami, ["egress"], store, Clock(), grace_s=0)
        await ami.ready()
        for one in events:
            watch.handle(one)
        while tasks := [task for task in asyncio.all_tasks() if task.get_name().startswith("alarm ")]:
            await asyncio.wait(tasks)
        await watch.close()
        return peer.of("Hangup"), store.alarms


async def test_trunk_channel_without_a_permit_is_hung_up_once() -> None:
    """The alarm hangs up the very channel, and records what it dialled."""
    begun = event("DialBegin", DestUniqueid="u1", DialString="+491@egress")
    hangups, raised = await alarms([dials("u1"), begun])
    assert [frame["Channel"] for frame in hangups] == ["u1"]
    ((kind, channel, detail),) = [(alarm.kind, alarm.channel, alarm.detail) for alarm in raised]
    assert (kind, channel) == ("no_permit", "PJSIP/egress-0001")
    assert "+491@egress" in detail


@pytest.mark.parametrize(
    "events",
    [
        [dials("u1"), call("u1")[0]],
        [dials("u1", state="4")],
        [dials("u1", "PJSIP/1001-0001")],
        [dials("u1", "PJSIP/egress-two-0001")],
        [
            dials("u1"),
            event("UserEvent", UserEvent="HeedlineEmergency", Uniqueid="u0", Linkedid="u1"),
            event("UserEvent", UserEvent="HeedlineDial", Attempt="", Uniqueid="u1"),
        ],
    ],
    ids=["permit", "incoming", "another endpoint", "a longer name", "emergency"],
)
async def test_what_is_no_bypass_raises_no_alarm(events: list[Event]) -> None:
    """Channels with a permit, incoming ones, those of other endpoints and emergency calls are left alone."""
    assert await alarms(events) == ([], [])


async def test_dial_event_without_attempt_excuses_no_ordinary_call() -> None:
    """An empty attempt counts on an emergency call alone."""
    dial = event("UserEvent", UserEvent="HeedlineDial", Attempt="", Uniqueid="u1")
    assert len((await alarms([dials("u1"), dial]))[1]) == 1
