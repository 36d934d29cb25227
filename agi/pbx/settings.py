"""The configuration files that an Asterisk of our own starts from, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agi.pbx.binary import AsteriskBinary

FOLDERS = ("etc", "run", "log", "db", "lib", "keys", "cache", "spool/outgoing", "spool/tmp", "spool/system")

# Dependencies stand before their users and must be named by hand with autoload=no: res_agi needs res_speech, chan_pjsip
# needs res_pjsip_pubsub. bridge_native_rtp stays out: with it, no key press is seen in a plain Dial.
_MODULES = """
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_pjproject res_pjsip res_pjsip_pubsub res_pjsip_session res_pjsip_sdp_rtp res_rtp_asterisk res_pjsip_logger
res_pjsip_endpoint_identifier_ip res_pjsip_authenticator_digest res_pjsip_caller_id res_pjsip_header_funcs
res_pjsip_rfc3326 chan_pjsip
func_callerid func_channel func_hangupcause func_logic func_strings func_timeout
app_dial app_echo app_exec app_playtones app_stack app_userevent app_verbose
bridge_simple bridge_softmix codec_ulaw codec_alaw
pbx_config res_speech res_agi
"""
MODULES = tuple(_MODULES.split())

# What a call centre's switch and a far end with a voice need beyond: sounds, keys, AstDB, audio to the service.
_VOICE_MODULES = """
func_db func_global func_uuid func_cut func_export
app_playback app_read app_originate app_softhangup app_senddtmf app_chanspy
res_audiosocket app_audiosocket codec_resample format_wav format_pcm
"""
VOICE_MODULES = (*MODULES, *_VOICE_MODULES.split())

# Files that a module insists on finding; their defaults suffice.
_EMPTY = ("acl", "ccss", "codecs", "dnsmgr", "features", "pjproject", "sorcery", "stasis", "udptl")


def base(folder: Path, binary: AsteriskBinary, modules: Sequence[str], address: str) -> dict[str, str]:
    """Every file but the manager's, the dialplan and the SIP peers."""
    directories = {
        "astetcdir": folder / "etc",
        "astmoddir": binary.modules,
        "astvarlibdir": folder / "lib",
        "astdbdir": folder / "db",
        "astkeydir": folder / "keys",
        "astdatadir": binary.data,
        "astagidir": folder / "lib",
        "astspooldir": folder / "spool",
        "astrundir": folder / "run",
        "astlogdir": folder / "log",
        "astcachedir": folder / "cache",
        "astsbindir": binary.path.parent,
    }
    return {
        **{f"{name}.conf": "" for name in _EMPTY},
        "asterisk.conf": (
            "[directories]\n"
            + "".join(f"{key} = {path}\n" for key, path in directories.items())
            # A far end that waits is silent, not mute: like a telephone, it goes on sending.
            + "[options]\nnocolor = yes\nverbose = 3\nhideconnect = yes\ntransmit_silence = yes\n"
        ),
        "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {name}.so\n" for name in modules),
        "logger.conf": (
            "[general]\ndateformat = %F %T.%3q\n[logfiles]\n"
            "full => notice,warning,error,verbose\nconsole => warning,error\n"
        ),
        "cdr.conf": "[general]\nenable = no\n",
        "cel.conf": "[general]\nenable = no\n",
        "rtp.conf": "[general]\nrtpstart = 10000\nrtpend = 19999\nicesupport = no\n",
        "indications.conf": "[general]\ncountry = us\n[us]\ndescription = tones\nringcadence = 2000,4000\n"
        "dial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n",
    }


def manager(address: str, port: int, user: str, secret: str) -> str:
    """manager.conf with one account that may do everything, from loopback alone."""
    return (
        f"[general]\nenabled = yes\nwebenabled = no\nbindaddr = {address}\nport = {port}\ndisplayconnects = no\n"
        f"[{user}]\nsecret = {secret}\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.0/255.0.0.0\n"
        "read = all\nwrite = all\nwritetimeout = 1000\n"
    )
