"""`heedline pbx`: what a switch needs of Heedline."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, group, say, settings

if TYPE_CHECKING:
    from agi.dialplan.render import DialplanSettings
    from agi.install import Planned, Prompt

app = group("Switches: install the gate on an Asterisk.")


class Role(StrEnum):
    """What the switch is."""

    PBX = "pbx"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True)
class _Report:
    """What was done, and what is left to a person."""

    files: list[dict[str, Any]]
    sounds: list[dict[str, Any]]
    extensions: list[str]
    features: list[str]
    manager: str
    secret_file: str
    pjsip: str
    modules: list[str]
    settings: str
    reload: list[str]
    dry_run: bool


@app.callback()
def pbx() -> None:
    """Switches: install the gate on an Asterisk."""


@app.command()
def install(
    etc: Annotated[Path, typer.Option("--etc", metavar="DIR", help="The switch's folder, such as /etc/asterisk.")],
    role: Annotated[Role, typer.Option(help="A call centre's switch, or the one way to the carrier.")] = Role.PBX,
    agi: Annotated[
        str | None, typer.Option("--agi", metavar="HOST:PORT", help="Where Heedline listens. Default: the settings.")
    ] = None,
    egress: Annotated[
        str, typer.Option(metavar="ENDPOINT", help="PJSIP endpoint that leads to the egress.")
    ] = "egress",
    carrier: Annotated[
        str, typer.Option(metavar="ENDPOINT", help="PJSIP endpoint of the carrier, on the egress.")
    ] = "carrier",
    country: Annotated[
        list[str] | None,
        typer.Option("--country", metavar="CC", help="Whose emergency numbers go out. Repeatable. Default: all known."),
    ] = None,
    callee_key: Annotated[str, typer.Option(metavar="KEYS", help="What a callee presses in mid-call to refuse.")] = "9",
    agent_key: Annotated[
        str, typer.Option(metavar="KEYS", help="What an agent presses in mid-call when the callee has said so.")
    ] = "*7",
    audio: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where Heedline listens to announcements; empty: the switch plays them alone. Default: the settings.",
        ),
    ] = None,
    sounds: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the prompts. Default: `heedline-sounds` in the switch's folder."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The switch's name in the settings. Default: its role.")] = None,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Make a new secret for the manager user.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that a person changed; a copy is kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the gate's dialplan into a switch's folder, and say what to add by hand.

    \b
    Examples:
      heedline pbx install --etc /etc/asterisk --country CN
      heedline pbx install --etc /etc/asterisk --role egress --carrier my-carrier --dry-run
    """
    from agi import install as installing

    known = settings()
    address = agi or _own_address(known.agi.host, known.agi.port)
    speech = known.speech
    if audio is None:
        audio = f"{address.rpartition(':')[0]}:{speech.port}" if speech.enabled and speech.port else ""
    prompts = (sounds or etc / "heedline-sounds").absolute()
    wanted = _dialplan(
        country,
        agi=address,
        egress=egress,
        carrier=carrier,
        callee_key=callee_key,
        agent_key=agent_key,
        audio=audio,
        sounds=str(prompts),
    )
    if not etc.is_dir():
        raise typer.BadParameter(f"`{etc}` is no folder", param_hint="--etc")
    label = installing.checked_name(name or role.value)
    planned = installing.plan(etc, role.value, wanted)
    recordings = installing.plan_sounds(role.value, prompts)
    written = [] if dry_run else installing.install(planned, force=force)
    copied = [] if dry_run else installing.install_sounds(recordings)
    secret_file = known.home / "keys" / f"ami-{label}.secret"
    secret = "(a random secret)" if dry_run else installing.secret(secret_file, renew=new_secret)
    trunk = egress if role is Role.PBX else carrier
    report = _Report(
        files=[_file(file, file.path in written) for file in planned],
        sounds=[_sound(prompt, prompt.path in copied) for prompt in recordings],
        extensions=installing.includes(etc, role.value),
        features=installing.feature_includes(etc, role.value),
        manager=installing.manager_user("heedline", secret),
        secret_file=str(secret_file),
        pjsip=installing.pjsip_notes(role.value, wanted),
        modules=["noload = bridge_native_rtp.so"],
        settings=installing.settings_section(label, role.value, secret_file, trunk),
        reload=["dialplan reload", "module reload features", "manager reload", "module reload res_pjsip.so"],
        dry_run=dry_run,
    )
    answer(as_json, _document(report), lambda: _tell(report))


def _dialplan(countries: list[str] | None, **choices: Any) -> DialplanSettings:
    from agi.dialplan.render import EMERGENCY_NUMBERS, DialplanSettings

    chosen = [country.upper() for country in countries or EMERGENCY_NUMBERS]
    for country in chosen:
        if country not in EMERGENCY_NUMBERS:
            known = ", ".join(EMERGENCY_NUMBERS)
            raise typer.BadParameter(f"`{country[:16]}` is not one of {known}", param_hint="--country")
    try:
        emergency = {country: EMERGENCY_NUMBERS[country] for country in chosen}
        return DialplanSettings(emergency=emergency, **choices)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _own_address(host: str, port: int) -> str:
    """How the switch on this machine reaches Heedline, from where Heedline listens."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{reached}]:{port}" if ":" in reached and not reached.startswith("[") else f"{reached}:{port}"


def _file(file: Planned, written: bool) -> dict[str, Any]:
    return {"path": str(file.path), "state": file.state.value, "written": written}


def _sound(prompt: Prompt, written: bool) -> dict[str, Any]:
    return {"path": str(prompt.path), "state": "present" if prompt.there else "new", "written": written}


def _document(report: _Report) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(report)


def _tell(report: _Report) -> None:
    for file in report.files:
        done = say("written", "已写入") if file["written"] else say("not written", "未写入")
        typer.echo(f"{file['path']}: {_state(file['state'])}, {done}")
    if report.sounds:
        copied = sum(prompt["written"] for prompt in report.sounds)
        folder = Path(report.sounds[0]["path"]).parents[1]
        typer.echo(say(f"{folder}: {copied} prompts written", f"{folder}：已写入 {copied} 条提示音"))
    _section(say("add to extensions.conf", "加入 extensions.conf"), "\n".join(report.extensions))
    if report.features:
        _section(
            say(
                "add to features.conf under [applicationmap], or no key will be heard",
                "加入 features.conf 的 [applicationmap]，否则按键无效",
            ),
            "\n".join(report.features),
        )
    _section(
        say(
            f"add to manager.conf (the secret is also in {report.secret_file})",
            f"加入 manager.conf（密钥另存于 {report.secret_file}）",
        ),
        report.manager,
    )
    _section(say("pjsip.conf needs, with your addresses", "pjsip.conf 需要（请填入实际地址）"), report.pjsip)
    _section(
        say("add to modules.conf, so that key presses are seen", "加入 modules.conf，以便识别按键"),
        "\n".join(report.modules),
    )
    _section(say("add to heedline.toml", "加入 heedline.toml"), report.settings)
    lines = "\n".join(f"asterisk -rx '{line}'" for line in report.reload)
    _section(say("then reload, and examine the switch", "然后重新加载并检查交换机"), f"{lines}\nheedline doctor")


def _state(state: str) -> str:
    words = {
        "new": ("new", "新文件"),
        "same": ("up to date", "已是最新"),
        "renewed": ("of an earlier install", "由先前安装写入"),
        "changed": ("changed by a person", "已被人修改"),
        "foreign": ("somebody else's", "并非 Heedline 写入"),
    }
    return say(*words[state])


def _section(title: str, text: str) -> None:
    typer.echo(f"\n{title}:\n")
    for line in text.rstrip().splitlines():
        typer.echo(f"  {line}")
