"""Words for codes, in both languages."""

from __future__ import annotations

from dialer.verdict import Language, Reason

_LABELS: dict[str, tuple[str, str]] = {
    # grounds of consent
    "basis.written": ("in writing", "书面"),
    "basis.express": ("expressly", "明示"),
    "basis.inferred": ("inferred from conduct", "由行为推定"),
    "basis.purchase": ("by a purchase", "因购买"),
    "basis.inquiry": ("by an inquiry", "因咨询"),
    "kind.live": ("calls by a person", "人工呼叫"),
    "kind.prerecorded": ("recorded messages", "录音播放"),
    # ways to refuse
    "how.keyed": ("by a key", "按键"),
    "how.spoken": ("by spoken words", "口头"),
    "how.agent": ("told to an agent", "告知坐席"),
    "how.web": ("on a web page", "网页"),
    "how.api": ("through another system", "经其他系统"),
    "how.message": ("by message", "短信或消息"),
    "how.complaint": ("by a complaint", "投诉"),
    "how.import": ("in an imported list", "导入名单"),
    "how.inbound_call": ("by calling back", "回拨"),
    "prompt.call": ("during the call", "通话中"),
    "prompt.agent": ("by the agent", "由坐席"),
    "prompt.announcement": ("in answer to a recorded message", "播放录音时"),
    "prompt.callback": ("in the menu of the number that had called", "回拨语音菜单"),
    # verdicts
    "outcome.ALLOW": ("permitted", "允许"),
    "outcome.REFUSE": ("not permitted", "不允许"),
    "outcome.DEFER": ("put off", "推迟"),
    # why a file is not there
    "missing.gone": ("not in this node's folders: lost, or kept elsewhere", "本节点文件夹中没有：已丢失或存于他处"),
    "missing.changed": (
        "is there, but is not what was kept: its hash differs",
        "文件存在，但散列不符，已不是当初保存的文件",
    ),
    "missing.unreadable": ("is there, but cannot be read", "文件存在，但无法读取"),
    "missing.elsewhere": ("kept elsewhere", "存于他处"),
    # on whose word a rule rests
    "authority.law": ("law", "法律"),
    "authority.regulator": ("regulator", "监管机构"),
    "authority.draft": ("draft", "征求意见稿"),
    "authority.industry": ("industry code", "行业规范"),
    "authority.platform": ("platform", "平台规则"),
    "authority.project_default": ("default of this product", "本产品默认"),
    "authority.administrator": ("administrator of this installation", "本系统管理员"),
    "origin.domestic": ("domestic", "国内"),
    "origin.international": ("international", "国际"),
    "origin.mixed": ("domestic and international", "国内与国际"),
    "review.refusal": ("judged a refusal", "判定为拒绝"),
    "review.dismissed": ("judged none", "判定不是拒绝"),
    "erased.request": ("at a person's request", "应本人请求"),
    "erased.retention": ("at the end of its time", "保存期满"),
}

_CAUSES: dict[int, tuple[str, str]] = {
    1: ("unallocated number", "空号"),
    16: ("ended normally", "正常结束"),
    17: ("busy", "忙"),
    18: ("no response", "无响应"),
    19: ("no answer", "无人接听"),
    21: ("rejected", "被拒接"),
    26: ("answered elsewhere", "他处接听"),
    27: ("destination out of order", "目的地故障"),
    28: ("invalid number", "号码无效"),
    31: ("normal, unspecified", "正常，未说明"),
    34: ("no channel free", "无可用电路"),
    38: ("network out of order", "网络故障"),
    41: ("temporary failure", "临时故障"),
    127: ("interworking, unspecified", "互通错误，未说明"),
}


def label(group: str, code: str | None, language: Language) -> str:
    """The word for a code; an unknown code stands for itself."""
    english, chinese = _LABELS.get(f"{group}.{code}", (code or "", code or ""))
    return chinese if language == "zh" else english


def cause(code: int | None, language: Language) -> str:
    """A Q.850 cause with its meaning."""
    if code is None:
        return ""
    english, chinese = _CAUSES.get(code, ("", ""))
    words = chinese if language == "zh" else english
    opening, closing = ("（", "）") if language == "zh" else (" (", ")")
    return f"{code}{opening}{words}{closing}" if words else str(code)


def reason(code: str, language: Language) -> str:
    """The sentence of a reason; an unknown code stands for itself."""
    try:
        return Reason(code).text(language)
    except ValueError:
        return code
