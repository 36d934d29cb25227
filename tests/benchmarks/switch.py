"""Calls through a real Asterisk: SIPp calls at a steady rate, the gate subroutine asks, every call ends with 608.

Both sides run the same dialplan at the same rate; what differs is who answers the question.
"""

from __future__ import annotations

import asyncio
import csv
import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from agi.dialplan.render import DialplanSettings, Fragment, render
from agi.pbx.instance import Instance
from agi.pbx.provision import find_asterisk
from tests.benchmarks.seed import FIRST_CALLEE, PRESENTED

_ADDRESS, _CALLER = "127.0.0.61", "127.0.0.62"

_DIALPLAN = f"""
[bench]
exten => _[+0-9]!,1,Set(HEEDLINE_DIALLED=${{EXTEN}})
 same => n,Set(HEEDLINE_SELLER=acme)
 same => n,Set(HEEDLINE_TRUNK=carrier)
 same => n,Set(HEEDLINE_CLI={PRESENTED})
 same => n,Gosub(heedline-gate,s,1)
 same => n,PJSIPHangup(608)
"""

_PJSIP = """[udp]
type = transport
protocol = udp
bind = {own}:{port}
[caller]
type = endpoint
context = bench
transport = udp
disallow = all
allow = ulaw
[caller]
type = identify
endpoint = caller
match = {caller}
"""

_SCENARIO = """<?xml version="1.0" encoding="us-ascii"?>
<scenario name="bench">
<send retrans="500"><![CDATA[
INVITE sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:agent@[local_ip]:[local_port]>;tag=[pid]b[call_number]
To: <sip:[field0]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:agent@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=u 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio 30000 RTP/AVP 0
a=rtpmap:0 PCMU/8000

]]></send>
<recv response="100" optional="true"/>
<recv response="608" rtd="true"/>
<send><![CDATA[
ACK sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: <sip:agent@[local_ip]:[local_port]>;tag=[pid]b[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
</scenario>
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: calls that ended as they should, those that did not, and calls a second from first to last."""

    answered: int
    failed: int
    per_second: float


class Switch:
    """One Asterisk whose gate subroutine asks at `agi_port`."""

    def __init__(self, home: Path, folder: Path, agi_port: int) -> None:
        self._folder = folder
        binary = find_asterisk(home, os.environ, lambda _: None)
        self.instance = Instance(binary, folder / "switch", "bench", _ADDRESS)
        settings = DialplanSettings(f"127.0.0.1:{agi_port}", deadline_s=5)
        self.instance.files = {
            "extensions.conf": "[general]\n"
            + render(Fragment.COMMON, settings)
            + render(Fragment.GATE, settings)
            + _DIALPLAN,
            "pjsip.conf": _PJSIP.format(own=_ADDRESS, port=self.instance.sip_port, caller=_CALLER),
            "logger.conf": "[general]\n[logfiles]\nconsole => error\n",
        }
        (folder / "bench.xml").write_text(_SCENARIO, "ascii")

    async def call(self, rate: int, seconds: float, rows: int) -> Run:
        """Calls at `rate` a second to callees who agreed; ends by itself."""
        chance = random.Random()  # noqa: S311 # a load, not a secret
        numbers = self._folder / "numbers.csv"
        numbers.write_text(
            "SEQUENTIAL\n"
            + "".join(f"+{FIRST_CALLEE + chance.randrange(rows)};\n" for _ in range(int(rate * seconds))),
            "ascii",
        )
        statistics = self._folder / f"stat-{time.time_ns()}.csv"
        command = [
            "sipp", f"{_ADDRESS}:{self.instance.sip_port}", "-sf", str(self._folder / "bench.xml"),
            "-inf", str(numbers), "-i", _CALLER, "-p", "5999", "-r", str(rate), "-m", str(int(rate * seconds)),
            "-nostdin", "-trace_stat", "-stf", str(statistics), "-fd", "1", "-timeout", f"{int(seconds * 3)}s",
        ]  # fmt: skip
        begun = time.perf_counter()
        await asyncio.to_thread(
            subprocess.run, command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self._folder, timeout=seconds * 4,
        )  # fmt: skip
        spent = time.perf_counter() - begun
        with statistics.open(encoding="ascii") as lines:
            last = list(csv.DictReader(lines, delimiter=";"))[-1]
        answered, failed = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
        return Run(answered, failed, answered / spent)
