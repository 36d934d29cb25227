"""What a Chinese transcript means: by characters first, then by sound, stricter."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dialer.phrases import chinese_sounds
from dialer.phrases.chinese_rules import RULES
from dialer.phrases.chinese_text import Sign, clauses_of, signs_of
from dialer.phrases.meaning import NOTHING, Heard, Meaning
from dialer.phrases.rule import Match

_RANK = {Meaning.NOTHING: 0, Meaning.NEAR_MISS: 1, Meaning.REFUSAL: 2}

# A time that a request is about makes it one for another time; a state ("I am driving") too, unless it says "again".
_TIME = re.compile(
    "今天|今晚|今日|上班时间|上班的?时候|晚上|早上|早晨|中午|半夜|深夜|夜里|凌晨|周末|"
    "周[一二三四五六日天]|星期|礼拜|点(?:钟|半)?(?:之|以)?[前后]|休息时间|吃饭的?时|睡觉的?时|午休|"
    "这么(?:早|晚)|那么(?:早|晚)|太(?:早|晚)|白天|假期|节假日"
)
_STATE = re.compile(r"现在|上班|开会|开车|睡觉|吃饭|在忙|这会儿?|暂时|先(?=不要|别)")
_FOR_GOOD = re.compile(r"再(?!说)|以后|永远|老是?|总是?|一直|天天|今后")
_INVITED = re.compile(
    "(?:明天|后天|晚点|晚一点|晚些|等会儿?|等一会|等下|一会儿?|待会儿?|下午|下周|下个?月|改天|过几天|"
    "周末|星期.|晚上|有空|随时|直接|可以|[一二三四五六七八九十]点)[^不别勿停]{0,6}(?:打|联系|来电|"
    "找我)|打(?:我)?(?:的)?(?:办公室|座机|家里|另|单位|公司电话|老公|太太|固话|手机号)"
)
_NOT_INVITED = re.compile(r"(?:不要|别|不准|不许|勿|停止|不能|不可以|不想|再|老|总|天天|敢)[^|]{0,3}$")


def judge_chinese(transcript: str) -> Heard:
    """Judge a Chinese transcript of bounded length."""
    signs = signs_of(transcript)
    clauses = clauses_of(signs)
    best = _best(clauses, transcript)
    if best.meaning is not Meaning.REFUSAL:
        best = _better(best, _best_by_sound(clauses, transcript))
    plain = [sign for sign in signs if sign.text != "|"]
    if best.meaning is Meaning.NOTHING and len(clauses) > 1:
        for joined in (_best([plain], transcript), _best_by_sound([plain], transcript)):
            if joined.meaning is not Meaning.NOTHING:
                return Heard(Meaning.NEAR_MISS, joined.phrase, joined.rule)
    return best


def _better(one: Heard, other: Heard) -> Heard:
    return other if _RANK[other.meaning] > _RANK[one.meaning] else one


def _best(clauses: list[list[Sign]], transcript: str) -> Heard:
    best = NOTHING
    invited = False
    for clause in clauses:
        text = "".join(sign.text for sign in clause)
        spans = [(match, match.start, match.end) for rule in RULES for match in rule.matches(text)]
        best = _better(best, _heard(spans, clause, text, transcript))
        invited = invited or _invites(text, spans)
    if invited and best.meaning is Meaning.REFUSAL:
        return Heard(Meaning.NEAR_MISS, best.phrase, best.rule)
    return best


def _best_by_sound(clauses: list[list[Sign]], transcript: str) -> Heard:
    best = NOTHING
    for clause in clauses:
        spoken = " ".join(chinese_sounds.syllables([sign.text for sign in clause]))
        text = "".join(sign.text for sign in clause)
        spans = [
            (match, spoken.count(" ", 0, match.start), spoken.count(" ", 0, match.end) + 1)
            for rule in chinese_sounds.RULES
            for match in rule.matches(spoken)
        ]
        if not _invites(text, spans):
            best = _better(best, _heard(spans, clause, text, transcript))
    return best


def _heard(spans: Iterable[tuple[Match, int, int]], clause: list[Sign], text: str, transcript: str) -> Heard:
    """The strongest of the matches in a clause; `spans` give the places of each in it."""
    best = NOTHING
    for match, start, end in spans:
        meaning = match.meaning
        if any(sign.looped for sign in clause[start:end]) or (_narrows(match) and _narrowed(text, start, end)):
            meaning = Meaning.NEAR_MISS
        phrase = transcript[clause[start].at : clause[end - 1].at + 1]
        best = _better(best, Heard(meaning, phrase, match.rule))
    return best


def _narrows(match: Match) -> bool:
    return match.meaning is Meaning.REFUSAL and match.rule.startswith(("zh.forbid", "zh.unwanted", "zh.needless"))


def _narrowed(text: str, start: int, end: int) -> bool:
    around = text[max(0, start - 12) : end]
    if _TIME.search(around):
        return True
    return bool(_STATE.search(around)) and not _FOR_GOOD.search(around)


def _invites(text: str, spans: Iterable[tuple[Match, int, int]]) -> bool:
    for found in _INVITED.finditer(text):
        inside = any(start < found.end() and found.start() < end for _, start, end in spans)
        if not inside and not _NOT_INVITED.search(text[: found.start()]):
            return True
    return False
