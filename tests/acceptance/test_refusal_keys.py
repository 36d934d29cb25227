"""Keys that refuse, on real Asterisks: what the service is told, what who pressed hears, and what a switch keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from agi.ami import Address, Ami
from agi.dialplan.render import DialplanSettings
from agi.doctor import Patient, examine
from agi.findings import Level
from agi.install import manager_user
from agi.pbx.lab import Lab, Way
from agi.pbx.manager import Packet
from agi.pbx.provision import AsteriskBinary
from agi.spool import Spool
from tests.acceptance.ami_lab import now
from tests.acceptance.fakegate import PRESENTED
from tests.acceptance.refusal_gate import SELLER, RefusalGate, Reply, heard, hung_up, kept, refusal_event
from tests.unit.keyed_world import MemoryCalls, World

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

PRESSES = "+4917600091"
PRESSES_AND_GOES = "+4917600094"
SAYS_NOTHING = "+4917600093"
ENTRY = f"{PRESSES}/acme"
PRERECORDED = SELLER | {"HEEDLINE_KIND": "prerecorded"}
UNANSWERED = [Reply.FAILED, Reply.SILENT, Reply.ABORT, Reply.HANG]


class BareLab(Lab):
    """A switch whose features.conf includes nothing of Heedline's, and whose AudioSocket server is not there."""

    def _configure(self) -> None:
        super()._configure()
        self.pbx.files = {**self.pbx.files, "features.conf": "[general]\n"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate() -> AsyncIterator[RefusalGate]:
    """A gate that allows, and is told of refusals."""
    gate = RefusalGate()
    await gate.start()
    yield gate
    await gate.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    gate: RefusalGate, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """The three switches, for all tests of this file."""
    settings = DialplanSettings(agi=f"{gate.host}:{gate.port}", deadline_s=1)
    async with Lab(asterisk, tmp_path_factory.mktemp("keys"), settings) as lab:
        yield lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_bare(
    gate: RefusalGate, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """The three switches, without what can be left out."""
    settings = DialplanSettings(agi=f"{gate.host}:{gate.port}", deadline_s=1, audio="127.0.0.1:9")
    async with BareLab(asterisk, tmp_path_factory.mktemp("bare"), settings) as lab:
        yield lab


async def at_rest(lab: Lab, gate: RefusalGate) -> AsyncIterator[Lab]:
    """The lab with nothing kept, and afterwards no channel."""
    gate.reset()
    await lab.pbx.cli("database deltree heedline-refusal")
    for instance in (lab.pbx, lab.egress, lab.carrier):
        instance.manager.events.clear()
    await lab.mark()
    yield lab
    await lab.hang_up_all()


@pytest_asyncio.fixture(loop_scope="module")
async def lab(running: Lab, gate: RefusalGate) -> AsyncIterator[Lab]:
    """The lab at rest."""
    async for lab in at_rest(running, gate):
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def bare(running_bare: Lab, gate: RefusalGate) -> AsyncIterator[Lab]:
    """The bare lab at rest."""
    async for lab in at_rest(running_bare, gate):
        yield lab


async def denied(lab: Lab, callee: str, seller: str = "acme") -> Packet:
    """A call that the switch denies; the event that says so."""
    lab.pbx.manager.events.clear()
    await (await lab.originate(callee, variables=SELLER | {"HEEDLINE_SELLER": seller})).ended()
    return await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineDeny", 10)


@asynccontextmanager
async def without_func_db(lab: Lab) -> AsyncIterator[None]:
    """The dialplan of the call centre's switch neither reads nor writes AstDB meanwhile."""
    manager = lab.pbx.manager
    await manager.action("ModuleLoad", {"LoadType": "unload", "Module": "func_db.so"})
    try:
        yield
    finally:
        await manager.action("ModuleLoad", {"LoadType": "load", "Module": "func_db.so"})


# In mid-call.


@pytest.mark.parametrize("way", [Way.AGENT, Way.CALLEE])
async def test_callees_key_is_told_and_confirmed(lab: Lab, gate: RefusalGate, way: Way) -> None:
    """The callee's 9 is told once, with whose call it is; he hears that it is recorded, the switch keeps nothing, and
    the call goes on."""
    await lab.originate(PRESSES, way=way, variables=SELLER | {"HEEDLINE_AGENT": "anna"})
    event = await refusal_event(lab)
    await heard(lab, "en/heedline-refusal-recorded")
    (told,) = gate.told
    assert told["receipt"]
    assert int(told["epoch"]) > 1_700_000_000
    assert {name: told[name] for name in ("how", "prompt", "attempt", "number", "seller", "key", "agent", "did")} == {
        "how": "keyed",
        "prompt": "call",
        "attempt": "1",
        "number": PRESSES,
        "seller": "acme",
        "key": "9",
        "agent": "anna",
        "did": "",
    }
    assert (event["Status"], event["Channel"].split("-")[0]) == ("RECORDED", "PJSIP/egress")
    assert await kept(lab) == {}
    assert event["Channel"] in await lab.pbx.channels()


@pytest.mark.parametrize("way", [Way.AGENT, Way.CALLEE])
async def test_agents_key_is_told_and_the_call_goes_on(lab: Lab, gate: RefusalGate, way: Way) -> None:
    """The agent's *7 is told as his, he hears a short confirmation, and the callee's call is not cut."""
    await lab.originate(SAYS_NOTHING, way=way, agent="PJSIP/1007", variables=SELLER)
    event = await refusal_event(lab)
    await heard(lab, "en/heedline-refusal-recorded-agent")
    (told,) = gate.told
    assert [told[name] for name in ("how", "prompt", "number", "seller", "key")] == [
        "agent",
        "agent",
        SAYS_NOTHING,
        "acme",
        "*7",
    ]
    assert told["agent"] == ("PJSIP/1007" if way is Way.AGENT else "")
    assert "PJSIP/egress" not in event["Channel"]
    channels = await lab.pbx.channels()
    assert any(name.startswith("PJSIP/egress") for name in channels)
    assert any(name.startswith("PJSIP/1007") for name in channels)


@pytest.mark.parametrize(("callee", "agent"), [(PRESSES, ""), (SAYS_NOTHING, "PJSIP/1007")])
async def test_call_ends_when_the_service_says_so(lab: Lab, gate: RefusalGate, callee: str, agent: str) -> None:
    """With REFUSAL_HANGUP=yes the confirmation is heard first, and then the whole call ends, whoever pressed."""
    gate.hangup = "yes"
    call = await lab.originate(callee, agent=agent, variables=SELLER)
    event = await refusal_event(lab)
    await heard(lab, f"en/heedline-{event['Said']}")
    await call.ended()
    await hung_up(lab, event["Channel"])


async def test_confirmation_is_in_the_callees_language(lab: Lab, gate: RefusalGate) -> None:
    """The service's answer says in which language the callee hears that he will not be called again."""
    gate.language = "zh"
    await lab.originate(PRESSES, variables=SELLER)
    await heard(lab, "zh/heedline-refusal-recorded")


async def test_refusal_that_can_be_nobodys_is_not_confirmed(lab: Lab, gate: RefusalGate) -> None:
    """INVALID is the one answer after which nothing is kept, and who pressed hears that it could not be recorded."""
    gate.reply = Reply.INVALID
    await lab.originate(PRESSES, variables=SELLER)
    await heard(lab, "en/heedline-refusal-failed")
    assert await kept(lab) == {}


async def test_key_pressed_in_the_last_moment_is_told(lab: Lab, gate: RefusalGate) -> None:
    """Callees who press and hang up at once are each told of, though no channel is left to say anything to."""
    for _ in range(5):
        call = await lab.originate(PRESSES_AND_GOES, variables=SELLER)
        await call.ended()
        await lab.pbx.manager.expect(
            lambda event: event.get("Event") == "Hangup" and "heedline-tell" in event.get("Channel", ""), 10
        )
        lab.pbx.manager.events.clear()
    assert [told["number"] for told in gate.told] == [PRESSES_AND_GOES] * 5
    assert await kept(lab) == {}


async def test_administrators_own_features_stay(lab: Lab) -> None:
    """What an administrator has set in DYNAMIC_FEATURES stays on both channels, each gets its one key, and a key that
    is there already is not added again."""
    call = await lab.originate(SAYS_NOTHING, variables=SELLER | {"DYNAMIC_FEATURES": "mine#heedline_agent"})
    event = await lab.pbx.manager.expect(
        lambda event: event.get("Event") == "BridgeEnter" and event["Channel"].startswith("PJSIP/egress"), 10
    )
    for channel, wanted in (
        (event["Channel"], "mine#heedline_callee"),
        (call.response["Channel"], "mine#heedline_agent"),
    ):
        query = {"Channel": channel, "Variable": "DYNAMIC_FEATURES"}
        assert (await lab.pbx.manager.action("Getvar", query))["Value"] == wanted


async def test_emergency_call_has_no_key(lab: Lab) -> None:
    """Neither side of an emergency call can refuse by pressing a key."""
    call = await lab.originate("112", variables=SELLER)
    event = await lab.pbx.manager.expect(
        lambda event: event.get("Event") == "BridgeEnter" and event["Channel"].startswith("PJSIP/egress"), 10
    )
    for channel in (event["Channel"], call.response["Channel"]):
        query = {"Channel": channel, "Variable": "DYNAMIC_FEATURES"}
        assert (await lab.pbx.manager.action("Getvar", query))["Value"] == ""


# The service does not answer.


@pytest.mark.parametrize("reply", UNANSWERED)
async def test_refusal_that_the_service_does_not_take_is_kept_and_binds(
    lab: Lab, gate: RefusalGate, reply: Reply
) -> None:
    """Whatever the service does but take it, the refusal stays in AstDB and is confirmed, the call goes on, and the
    next call to this callee for this seller is denied by the switch itself though the gate allows it."""
    gate.reply = reply
    await lab.originate(PRESSES, variables=SELLER | {"HEEDLINE_LANG": "zh"})
    event = await refusal_event(lab)
    await heard(lab, "zh/heedline-refusal-recorded")
    assert event["Status"] == "FAILED"
    assert event["Channel"] in await lab.pbx.channels()
    entries = await kept(lab)
    assert list(entries) == [ENTRY]
    assert entries[ENTRY].split(":")[1:5] == ["1", "keyed", "call", "9"]
    await lab.hang_up_all()
    await lab.mark()
    denial = await denied(lab, PRESSES)
    assert (denial["Verdict"], denial["Reasons"], denial["Seller"]) == ("REFUSE", "REFUSED", "acme")
    assert await lab.invites() == 0


async def test_refusal_while_the_service_is_down_is_kept(lab: Lab, gate: RefusalGate) -> None:
    """With nobody on the service's port the refusal is kept and confirmed all the same."""
    await lab.originate(PRESSES, way=Way.CALLEE, variables=SELLER)
    await gate.stop()
    try:
        await heard(lab, "en/heedline-refusal-recorded")
        assert list(await kept(lab)) == [ENTRY]
    finally:
        await gate.start()


async def test_another_seller_may_still_call(lab: Lab, gate: RefusalGate) -> None:
    """What the switch keeps binds the seller who was refused, and no other."""
    await lab.pbx.cli(f"database put heedline-refusal {ENTRY} x")
    await lab.originate(PRESSES, variables=SELLER | {"HEEDLINE_SELLER": "other"})
    await lab.egress.manager.expect(lambda event: event.get("Event") == "BridgeEnter", 10)
    assert await lab.invites() == 1


@pytest.mark.parametrize("entry", [f"{PRESSES}/*", f"{PRESSES.removeprefix('+')}/*"])
async def test_refusal_to_all_binds_every_seller(lab: Lab, entry: str) -> None:
    """A caller who refused to all, his number with a plus or as carriers write it without one, is called for nobody."""
    await lab.pbx.cli(f"database put heedline-refusal {entry} x")
    assert (await denied(lab, PRESSES, "other"))["Reasons"] == "REFUSED"
    assert await lab.invites() == 0


async def test_press_without_anything_to_keep_it_is_said_to_have_failed(lab: Lab, gate: RefusalGate) -> None:
    """When neither AstDB nor the service takes the refusal, the callee hears that it could not be recorded."""
    gate.reply = Reply.FAILED
    await lab.originate(PRESSES, way=Way.CALLEE, variables=SELLER)
    async with without_func_db(lab):
        await heard(lab, "en/heedline-refusal-failed")
    assert gate.told


async def test_without_func_db_nobody_is_called(lab: Lab) -> None:
    """A switch that cannot look into AstDB denies, for it might keep a refusal there."""
    async with without_func_db(lab):
        assert (await denied(lab, PRESSES))["Reasons"] == "REFUSED"
    assert await lab.invites() == 0


async def test_only_the_very_entry_is_deleted(lab: Lab, gate: RefusalGate) -> None:
    """An answer that comes when another refusal stands in the entry's place deletes nothing."""
    await lab.pbx.cli(f"database put heedline-refusal {ENTRY} another:1:keyed:call:9:1:::")
    fields = [
        ("Channel", "Local/s@heedline-recorded/n"),
        ("Application", "Hangup"),
        ("Async", "true"),
        *(
            ("Variable", pair)
            for pair in (f"HEEDLINE_CALLEE={PRESSES}", "HEEDLINE_SELLER=acme", "HEEDLINE_RECEIPT=abcdef00")
        ),
    ]
    await lab.pbx.manager.originate(fields, 10)
    event = await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusalFetched", 10)
    assert event["Entry"] == "OTHER"
    assert list(await kept(lab)) == [ENTRY]


async def test_least_rights_suffice_and_the_doctor_counts(lab: Lab) -> None:
    """With the rights that `heedline pbx install` prints, what is kept is read, and deleted by the switch; the doctor
    names what waits and what is garbled."""
    receipt = "0a1b2c3d-0000-4000-8000-000000000001"
    await lab.pbx.cli(f"database put heedline-refusal +4930123456/acme {receipt}:1:keyed:call:9:1790000000:::")
    await lab.pbx.cli("database put heedline-refusal x/y z")
    manager = lab.pbx.folder / "etc" / "manager.conf"
    before = manager.read_text()
    manager.write_text(before + manager_user("least", "s", "127.0.0.0/255.0.0.0"))
    await lab.pbx.cli("manager reload")
    address = Address("pbx", lab.pbx.address, lab.pbx.ami_port, "least", "s")
    found = {finding.id: finding for finding in await examine(Patient(address, "pbx", ("egress",)), now, 5)}
    assert found["refusals.kept"].level is Level.WARN
    assert found["refusals.kept"].values["count"] == "1"
    assert found["refusals.garbled"].level is Level.FAIL
    assert "x/y" in found["refusals.garbled"].text()
    world = World(calls=MemoryCalls(party=None))
    async with Ami(address) as ami:
        await ami.ready()
        await Spool(ami, world.keyed).fetch()
        event = await lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "HeedlineRefusalFetched", 10)
    assert event["Entry"] == "GONE"
    assert [refusal.receipt for refusal in world.kept] == [receipt]
    assert await kept(lab) == {"x/y": "z"}
    manager.write_text(before)
    await lab.pbx.cli("manager reload")


# Announcements.


async def test_key_in_an_announcement(lab: Lab, gate: RefusalGate) -> None:
    """A 9 while the announcement plays is told as one that it offered; by default the call ends when he was told."""
    gate.hangup = ""
    call = await lab.originate(PRESSES, way=Way.ANNOUNCEMENT, variables=PRERECORDED)
    event = await refusal_event(lab)
    await heard(lab, "en/heedline-refusal-recorded")
    await hung_up(lab, event["Channel"])
    await call.ended()
    (told,) = gate.told
    assert [told[name] for name in ("how", "prompt", "number", "seller", "attempt")] == [
        "keyed",
        "announcement",
        PRESSES,
        "acme",
        "1",
    ]


async def test_announcement_without_features_and_audio_takes_the_key(bare: Lab, gate: RefusalGate) -> None:
    """Where nobody included the features and the AudioSocket server is gone, the switch plays the offer and takes the
    key itself."""
    gate.stream = "6f1c1f9e-3c5b-4f5e-9a51-0d6e0b0b4c11"
    await bare.originate(PRESSES, way=Way.ANNOUNCEMENT, variables=PRERECORDED)
    event = await refusal_event(bare)
    await heard(bare, "en/heedline-refusal-recorded")
    (told,) = gate.told
    assert [told[name] for name in ("how", "prompt", "number", "seller", "attempt", "key")] == [
        "keyed",
        "announcement",
        PRESSES,
        "acme",
        "1",
        "9",
    ]
    assert event["Channel"].startswith("Local/")
    streams = [request[1:] for request in gate.asked if request[0] == "stream"]
    assert [request[2] for request in streams] == ["", gate.stream]
    assert {tuple(request[:2]) for request in streams} == {("1", PRESSES)}


async def test_announcement_that_the_service_has_ended_is_not_played_again(bare: Lab, gate: RefusalGate) -> None:
    """When the service says that its stream had nothing more to say, the call ends and the switch plays nothing."""
    gate.stream, gate.ended = "6f1c1f9e-3c5b-4f5e-9a51-0d6e0b0b4c11", "done"
    call = await bare.originate(SAYS_NOTHING, way=Way.ANNOUNCEMENT, variables=PRERECORDED)
    await call.ended()
    assert [event for event in bare.pbx.manager.events if event.get("Application") == "BackGround"] == []


@pytest.mark.parametrize(
    "prompt", ["../../etc/${EVIL}", *(pytest.param(each, marks=pytest.mark.soak) for each in ("x&y", "a)b"))]
)
async def test_hostile_name_of_an_announcement_is_not_played(lab: Lab, prompt: str) -> None:
    """A prompt's name with anything but plain characters is no prompt: the callee hears the offer at once."""
    await lab.originate(SAYS_NOTHING, way=Way.ANNOUNCEMENT, variables=PRERECORDED | {"HEEDLINE_PROMPT": prompt})
    await heard(lab, "en/heedline-offer")
    played = [event["AppData"] for event in lab.pbx.manager.events if event.get("Application") == "BackGround"]
    assert len(played) == 1


# Callees who ring back.


async def test_key_of_a_callee_who_rings_back(lab: Lab, gate: RefusalGate) -> None:
    """Who rings a presented number hears what to press; his 9 is told with his number and the one that he rang."""
    await lab.ring_back(PRESENTED, cli="+4917600012")
    await heard(lab, "en/heedline-refusal-recorded")
    (told,) = gate.told
    assert {name: told[name] for name in ("how", "prompt", "attempt", "number", "seller", "key", "agent", "did")} == {
        "how": "inbound_call",
        "prompt": "callback",
        "attempt": "",
        "number": "+4917600012",
        "seller": "*",
        "key": "9",
        "agent": "",
        "did": PRESENTED,
    }
    assert await kept(lab) == {}


async def test_refusal_of_who_rings_back_is_kept_and_binds_all(lab: Lab, gate: RefusalGate) -> None:
    """While the service fails, who rang back is called for no seller from this switch."""
    gate.reply = Reply.FAILED
    await lab.ring_back(PRESENTED, cli=PRESSES.removeprefix("+"))
    await heard(lab, "en/heedline-refusal-recorded")
    assert list(await kept(lab)) == [f"{PRESSES.removeprefix('+')}/*"]
    assert (await denied(lab, PRESSES, "other"))["Reasons"] == "REFUSED"


@pytest.mark.parametrize(
    ("cli", "hidden"),
    [
        ("anonymous", False),
        ("+4917600012", True),
        ("1${EXTEN}", False),
        *(pytest.param(each, False, marks=pytest.mark.soak) for each in ("17600012):0", "1 | 1")),
    ],
)
async def test_caller_without_a_number_hears_so(lab: Lab, gate: RefusalGate, cli: str, hidden: bool) -> None:
    """A caller whose number is hidden, none or hostile is told that it cannot be seen, and nothing is recorded."""
    await lab.ring_back(PRESENTED, cli=cli, hidden=hidden)
    await heard(lab, "en/heedline-number-hidden", 30)
    assert gate.told == []
    assert await kept(lab) == {}


async def test_other_key_of_who_rings_back_records_nothing(lab: Lab, gate: RefusalGate) -> None:
    """Another key is no refusal, and the offer is played again."""
    await lab.ring_back(PRESENTED, cli="+4917600012", keys="5")
    await lab.pbx.manager.expect(lambda event: event.get("Event") == "Newexten" and event.get("Exten") == "i", 20)
    await lab.pbx.manager.expect(lambda event: event.get("Event") == "VarSet" and event.get("Value") == "xx", 20)
    assert gate.told == []
