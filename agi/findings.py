"""What the doctor can find: one finding an observation, with its text and cure in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dialer.hostile import printable
from dialer.verdict import Language


class Level(StrEnum):
    """How bad it is: a `fail` means that calls could leave without the gate, or that the gate does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation. `id` names it for good; `switch` is the switch's name, empty when it concerns none.

    `values` fill the texts; they come from the switch and are made printable.
    """

    id: str
    level: Level
    switch: str
    values: Mapping[str, str]

    def text(self, language: Language = "en") -> str:
        """What was found."""
        return self._say(0, language)

    def cure(self, language: Language = "en") -> str:
        """What to do about it; empty when nothing is."""
        return "" if self.level is Level.OK else self._say(1, language)

    def as_json(self) -> dict[str, str]:
        """Plain data with stable keys."""
        return {
            "id": self.id,
            "level": self.level.value,
            "switch": self.switch,
            "text": self.text("en"),
            "text_zh": self.text("zh"),
            "cure": self.cure("en"),
            "cure_zh": self.cure("zh"),
        }

    def _say(self, which: int, language: Language) -> str:
        pair = TEXTS[self.id, self.level][which]
        return pair[language == "zh"].format_map({key: printable(value) for key, value in self.values.items()})


_NONE = ("", "")

# (id, level) -> ((text, 文), (cure, 法))
TEXTS: dict[tuple[str, Level], tuple[tuple[str, str], tuple[str, str]]] = {
    ("ami.connected", Level.OK): (("the manager interface is reached", "已连接管理接口"), _NONE),
    ("ami.connected", Level.FAIL): (
        ("the manager interface is not reached: {problem}", "无法连接管理接口：{problem}"),
        (
            "check that Asterisk runs, the address in heedline.toml, and the user in manager.conf",
            "请检查 Asterisk 是否运行、heedline.toml 中的地址以及 manager.conf 中的用户",
        ),
    ),
    ("ami.rights", Level.OK): (("the manager user has the rights that it needs", "管理用户权限齐全"), _NONE),
    ("ami.rights", Level.FAIL): (
        ("the manager user lacks rights: {missing}", "管理用户缺少权限：{missing}"),
        (
            "set `read = call,user,system` and `write = originate,call,user,reporting` in manager.conf, then "
            "`manager reload`",
            "在 manager.conf 中设置 `read = call,user,system` 和 `write = originate,call,user,reporting`，然后执行 "
            "`manager reload`",
        ),
    ),
    ("asterisk.version", Level.OK): (("Asterisk {version}", "Asterisk {version}"), _NONE),
    ("asterisk.version", Level.FAIL): (
        ("Asterisk {version} is older than {minimum}", "Asterisk {version} 低于 {minimum}"),
        ("upgrade Asterisk", "请升级 Asterisk"),
    ),
    ("clock", Level.OK): (("its clock is {seconds} s from ours", "时钟相差 {seconds} 秒"), _NONE),
    ("clock", Level.WARN): (
        ("its clock is {seconds} s from ours", "时钟相差 {seconds} 秒"),
        ("let both machines follow NTP", "请让两台机器都同步 NTP"),
    ),
    ("gate.present", Level.OK): (("the gate is in the dialplan", "拨号方案中已有闸门"), _NONE),
    ("gate.present", Level.FAIL): (
        ("the dialplan lacks the contexts {missing}", "拨号方案缺少上下文 {missing}"),
        (
            "run `heedline pbx install`, include its files in extensions.conf, then `dialplan reload`",
            "执行 `heedline pbx install`，在 extensions.conf 中包含其文件，然后执行 `dialplan reload`",
        ),
    ),
    ("gate.path", Level.OK): (("calls leave by the endpoint `{endpoint}`", "呼叫经由端点 `{endpoint}` 送出"), _NONE),
    ("gate.path", Level.WARN): (
        (
            "whether the endpoint `{endpoint}` can be reached is not known",
            "无法得知端点 `{endpoint}` 是否可达",
        ),
        (
            "set `qualify_frequency` in its aor in pjsip.conf, and load func_pjsip_endpoint, func_pjsip_aor and "
            "func_pjsip_contact",
            "请在 pjsip.conf 中为其 aor 设置 `qualify_frequency`，并加载 func_pjsip_endpoint、func_pjsip_aor 和 "
            "func_pjsip_contact",
        ),
    ),
    ("gate.path", Level.FAIL): (
        (
            "the endpoint `{endpoint}`, by which calls should leave, is missing or cannot be reached ({status})",
            "送出呼叫的端点 `{endpoint}` 不存在或不可达（{status}）",
        ),
        ("check its section in pjsip.conf and that the other side runs", "请检查 pjsip.conf 中的配置以及对端是否运行"),
    ),
    ("route.bypass", Level.OK): (
        ("no route of the dialplan leads around the gate", "拨号方案中没有绕过闸门的路由"),
        _NONE,
    ),
    ("route.bypass", Level.FAIL): (
        ("this step reaches a trunk without the gate: {step}", "此步骤不经闸门直达中继：{step}"),
        (
            "send such calls to `Goto(heedline-outbound,NUMBER,1)`",
            "请改为 `Goto(heedline-outbound,NUMBER,1)`",
        ),
    ),
    ("route.bypass", Level.WARN): (
        (
            "this step may reach a trunk; its destination cannot be told: {step}",
            "此步骤的去向无法判断，可能直达中继：{step}",
        ),
        (
            "see that it can reach phones alone, or list the endpoint among `trunks` in heedline.toml",
            "请确认它只能呼叫话机，或将该端点列入 heedline.toml 的 `trunks`",
        ),
    ),
    ("route.trunks", Level.OK): (("the trunks watched are {trunks}", "受监视的中继：{trunks}"), _NONE),
    ("route.trunks", Level.WARN): (
        ("no trunks are listed, so the alarm watches nothing", "未列出任何中继，警报不会监视任何线路"),
        (
            "list the endpoints that lead outside as `trunks` of this switch in heedline.toml",
            "请在 heedline.toml 中把通往外部的端点列为此交换机的 `trunks`",
        ),
    ),
    ("keys.native_bridge", Level.OK): (("no native bridge hides key presses", "没有会隐藏按键的原生桥接"), _NONE),
    ("keys.native_bridge", Level.FAIL): (
        (
            "with the bridge technology {technologies} a callee's key press is not seen in a plain Dial",
            "桥接技术 {technologies} 会使普通 Dial 中被叫的按键无法识别",
        ),
        (
            "add `noload = {modules}` to modules.conf and restart Asterisk",
            "在 modules.conf 中加入 `noload = {modules}` 并重启",
        ),
    ),
    ("keys.direct_media", Level.OK): (
        ("no trunk sends its media past the switch", "没有中继绕过交换机传送媒体"),
        _NONE,
    ),
    ("keys.direct_media", Level.WARN): (
        ("trunks with direct_media: {endpoints}", "启用 direct_media 的中继：{endpoints}"),
        (
            "set `direct_media = no`: media that passes the switch by carries refusals that nobody hears",
            "请设置 `direct_media = no`：绕过交换机的媒体中，拒绝按键无人接收",
        ),
    ),
    ("refusals.kept", Level.OK): (("no refusal waits in the switch", "交换机中没有待取的拒绝"), _NONE),
    ("refusals.kept", Level.WARN): (
        (
            "{count} refusals by key wait in the switch; they bind there, and nowhere else yet",
            "交换机中有 {count} 条按键拒绝待取；目前仅在该交换机上生效",
        ),
        (
            "start `heedline serve` and see that the database answers; they are fetched within a minute",
            "请启动 `heedline serve` 并确认数据库可用；一分钟内即会取走",
        ),
    ),
    ("refusals.garbled", Level.FAIL): (
        (
            "{count} entries in the switch's database are no refusals that can be read: {entries}",
            "交换机数据库中有 {count} 条记录无法识别为拒绝：{entries}",
        ),
        (
            "look at them with `asterisk -rx 'database show heedline-refusal'`, record what they say with `heedline "
            "refuse`, then delete them",
            "请用 `asterisk -rx 'database show heedline-refusal'` 查看，用 `heedline refuse` 登记其内容，然后删除",
        ),
    ),
    ("agi.answer", Level.OK): (
        ("the gate at {address} answers in {ms} ms", "闸门 {address} 在 {ms} 毫秒内应答"),
        _NONE,
    ),
    ("agi.answer", Level.FAIL): (
        (
            "the gate at {address} does not answer within {deadline} ms: {problem}",
            "闸门 {address} 未在 {deadline} 毫秒内应答：{problem}",
        ),
        (
            "start `heedline serve`, and check the address and the firewall",
            "请启动 `heedline serve`，并检查地址和防火墙",
        ),
    ),
    ("database", Level.OK): (("the database answers", "数据库可用"), _NONE),
    ("database", Level.FAIL): (
        ("the database does not answer: {problem}", "数据库不可用：{problem}"),
        ("check HEEDLINE_DATABASE_URL and the server", "请检查 HEEDLINE_DATABASE_URL 和数据库服务器"),
    ),
    ("settings.ami", Level.FAIL): (
        ("no switch is named in the settings", "设置中没有任何交换机"),
        (
            "add an `[[ami]]` section to heedline.toml; `heedline pbx install` prints one",
            "请在 heedline.toml 中加入 `[[ami]]`；`heedline pbx install` 会给出示例",
        ),
    ),
}
