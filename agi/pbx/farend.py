"""The far end of the lab: the dialplan of the carrier's Asterisk, with its callees, its callers and the agents' phones.

Keys are sent as RFC 4733 events and clips as sound, so that both reach the call centre through real RTP.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping
from pathlib import Path

from agi.pbx.instance import InstanceError

CLIP_ENDINGS = ("92", "93")
"""Last digits of the callees who say what is given to the lab."""

_CALLEES = """
[lab-callees]
exten => _[+0-9]!,1,Goto(lab-behaviour,${FILTER(0-9,${EXTEN:-2})},1)
[lab-behaviour]
exten => 86,1,PJSIPHangup(486)
exten => 80,1,Ringing()
 same => n,Wait(3600)
exten => 63,1,PJSIPHangup(603)
exten => 64,1,PJSIPHangup(404)
exten => 87,1,Answer()
 same => n,Hangup(16)
exten => 91,1,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(9)
 same => n,Wait(3600)
exten => 94,1,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(9)
 same => n,Hangup(16)
exten => _X!,1,Ringing()
 same => n,Answer()
 same => n,Echo()
"""

_CLIP = """
exten => {ending},1,Answer()
 same => n,Wait(0.5)
{play} same => n,Wait(3600)
"""
# Who rings back: the keys he presses, one after the other, are the extension.
_CALLERS = """
[lab-callers]
exten => silent,1,Wait(3600)
exten => _[0-9*#]!,1,Wait(1.5)
 same => n,SendDTMF(${EXTEN},500)
 same => n,Wait(3600)
"""

# The agents' phones live on the carrier's Asterisk, so that an agent is reached by SIP as in a call centre.
PHONES = ("1001", "1007", "1086")
_PHONES = """
[lab-phones]
exten => 1001,1,Ringing()
 same => n,Answer()
 same => n,Echo()
exten => 1007,1,Ringing()
 same => n,Answer()
 same => n,Wait(1.5)
 same => n,SendDTMF(*7)
 same => n,Wait(3600)
exten => 1086,1,PJSIPHangup(486)
"""


def far_end(folder: Path, clips: Mapping[str, Path]) -> str:
    """The carrier's extensions.conf. `clips` are what the callees of `CLIP_ENDINGS` say, linked to in `folder`.

    Raises `InstanceError` for a clip that Asterisk could not play.
    """
    unknown = set(clips) - set(CLIP_ENDINGS)
    if unknown:
        raise InstanceError(f"no callee says a clip by the ending `{min(unknown)}`")
    folder.mkdir(parents=True, exist_ok=True)
    said = "".join(_said(ending, folder, clips.get(ending)) for ending in CLIP_ENDINGS)
    return "[general]\n" + _CALLEES + said + _CALLERS + _PHONES


def _said(ending: str, folder: Path, clip: Path | None) -> str:
    if clip is None:
        return _CLIP.format(ending=ending, play="")
    link = folder / f"{ending}.{_clip_format(clip)}"
    link.unlink(missing_ok=True)
    link.symlink_to(clip.resolve())
    return _CLIP.format(ending=ending, play=f" same => n,Playback({folder / ending})\n")


def _clip_format(clip: Path) -> str:
    """The ending by which Asterisk knows a WAV file of that rate."""
    try:
        with wave.open(str(clip)) as sound:
            form = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
    except (OSError, EOFError, wave.Error) as error:
        raise InstanceError(f"the clip `{clip}` cannot be read: {error}") from error
    known = {(1, 2, 8000): "wav", (1, 2, 16000): "wav16"}
    if form not in known:
        raise InstanceError(f"the clip `{clip}` is not mono, 16-bit, at 8 or 16 kHz")
    return known[form]
