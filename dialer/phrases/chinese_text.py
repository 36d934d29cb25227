"""Chinese text as the rules read it: simplified characters without politeness and fillers, in clauses, with spans."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from dialer.phrases.loops import looped

# Traditional and Cantonese characters that stand in the rules, each with the one that the rules use.
_FROM = (
    "請電話號碼刪這個們後來給聯絡繫擾騷煩別還絕營銷錄單數據庫資訊訂閱撥過說誰報訴舉裡裏讓總亂種類廣業務權許終將機媽從記丟聲經點鐘時間現開會車覺飯週歡麼沒與對關進劃註"
    "裝聽願興趣趕緊無條邊發簡內為問題應該難離遠靜淨饒纏斷續頻繁隨幾遍運動員國際醫院護爺奶親戚門號擔憶處價錢貸險麻煩擋謝絕準儘盡場書紙寫寄拿換舊鍵網絡絡頁戶帳賬"
    "傳妳您咱俺畀俾嚟嘅哋唔咪搵揾喇佢冇係喺啲嗰"
)
_TO = (
    "请电话号码删这个们后来给联络系扰骚烦别还绝营销录单数据库资讯订阅拨过说谁报诉举里里让总乱种类广业务权许终将机妈从记丢声经点钟时间现开会车觉饭周欢么没与对关进划注"
    "装听愿兴趣赶紧无条边发简内为问题应该难离远静净饶缠断续频繁随几遍运动员国际医院护爷奶亲戚门号担忆处价钱贷险麻烦挡谢绝准尽尽场书纸写寄拿换旧键网络络页户账账"
    "传你你我我给给来的们不别找找了他没是在些那"
)
_SIMPLE = dict(zip(_FROM, _TO, strict=True))
_FILLERS = frozenset("嗯啊呃哦喔哎唉呀嘛呢哈噢欸诶吧喂嘿嗨呗哟哇请")
_POLITE = re.compile(r"麻烦(?!我)|拜托|劳驾|谢谢|多谢|不好意思|对不起|抱歉|那个(?=[,，。 ]|$)")
_BREAK = "|"


@dataclass(frozen=True, slots=True)
class Sign:
    """A normalised character and its place in the transcript; `|` is a break between clauses."""

    text: str
    at: int
    looped: bool = False


def signs_of(transcript: str) -> list[Sign]:
    """The normalised characters, in order. Anything that is no letter and no digit breaks a clause."""
    signs = [Sign(_simple(character), at) for at, character in enumerate(transcript)]
    signs = _without_politeness(_in_mandarin(signs))
    marks = looped([sign.text for sign in signs])
    return [replace(sign, looped=mark) for sign, mark in zip(signs, marks, strict=True)]


def _simple(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).lower()
    if len(folded) != 1 or not folded.isalnum():
        return _BREAK
    return _SIMPLE.get(folded, folded)


def _in_mandarin(signs: list[Sign]) -> list[Sign]:
    """Cantonese 唔好 is 不要."""
    return [
        replace(sign, text="要")
        if sign.text == "好" and at and signs[at - 1].text == "不" and _is_cantonese(signs, at)
        else sign
        for at, sign in enumerate(signs)
    ]


def _is_cantonese(signs: list[Sign], at: int) -> bool:
    return at + 1 < len(signs) and signs[at + 1].text in "再打找给来骚烦搞联致拨传发俾畀"


def _without_politeness(signs: list[Sign]) -> list[Sign]:
    text = "".join(sign.text for sign in signs)
    dropped = {at for found in _POLITE.finditer(text) for at in range(*found.span())}
    return [sign for at, sign in enumerate(signs) if at not in dropped and sign.text not in _FILLERS]


def clauses_of(signs: list[Sign]) -> list[list[Sign]]:
    """Signs cut at breaks."""
    clauses: list[list[Sign]] = [[]]
    for sign in signs:
        if sign.text == _BREAK:
            clauses.append([])
        else:
            clauses[-1].append(sign)
    return [clause for clause in clauses if clause]
