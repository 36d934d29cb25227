"""Chinese by sound: toneless pinyin of what a recogniser wrote with the wrong characters (再大, 退定).

Needs `pypinyin`, which comes with the extra `mandarin`; without it nothing is matched by sound. Stricter than the rules
by characters: only complete requests of four syllables or more, or a whole clause.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from dialer.phrases.meaning import Meaning
from dialer.phrases.rule import Rule, expand

# Syllables that are heard for one another on the telephone: initials that noise hides, n and ng, flat and curled s.
CLASSES = {
    "BUYAO": "bu yao|bu you|bu rao|bie|bi|bu xu|bu zhun|bu neng|bu ke yi|bu yong|pu yao|mu yao|wu yao",
    "ZAI": "zai|cai|zhai|zei",
    "DA": "da|ta",
    "DIANHUA": "(dian|jian|tian|ding|bian|nian|lian|dan|die) (hua|hui|huo|fa|wa)",
    "LE": "le|la|liao|lian|lai|luo|ne|de",
    "GEIWO": "(gei|ge|kei|dei|wei) (wo|o|wo men|ni|wo)",
    "SAORAO": "(sao|shao|zao|cao|xiao) (rao|lao|rou|nao|yao|shao)",
    "DARAO": "(da|ta) (rao|lao|jiao|rou)",
    "LIANXI": "(lian|nian|lie) (xi|luo|si|ji)",
    "HAOMA": "(hao|bao|hou|gao|lao|kao) (ma|man|mai|mo|mu)",
    "SHAN": "(shan|san|shen|sheng|shang|sha|chan|tan) (diao|jiao|chu|qu|le|tiao|liao)",
    "HEIMINGDAN": "(hei|fei|hui|lei|hai|xin|ei|wei) (ming|min|ying|meng|mi|bing) (dan|dang|tan|zhan|jia|duan|zhang|"
    "den)",
    "FILL": "gei|wo|men|ni|lao|shi|yi|zhi|tian|zhe|ge|lai|you|zong|dui|de|shou|ji|jia|sui|bian|xiang",
    "LAI": "lai|guo lai|guo nai|jin lai|guo",
}
_NEAR = Meaning.NEAR_MISS


def _sounding(
    name: str, pattern: str, before: str = "", meaning: Meaning = Meaning.REFUSAL, scoped: bool = True
) -> Rule:
    return Rule(
        name=f"{name}~pinyin",
        pattern=re.compile(expand(rf"(?<!\S)({pattern})(?!\S)", CLASSES)),
        meaning=meaning,
        before=re.compile(expand(rf"(?<!\S)({before})\s$", CLASSES)) if before else None,
        scoped=scoped,
    )


_REPORTED = "yao|bu shi|shuo|jiao wo|rang wo|zen me|wei shen me|ta shuo"
RULES = (
    _sounding(
        "zh.forbid",
        "(<BUYAO>) (<ZAI>) (<DA>) ((<DIANHUA>)|(<GEIWO>)|(<LAI>)|wo|le$|la$|liao$|lian$|zhe ge)",
        before=_REPORTED,
    ),
    _sounding(
        "zh.forbid",
        "(bu yao|bie|qing wu|bu xu|bu zhun|yi hou bu yao|yi hou bie) ((<FILL>) ){0,4}(<DA>) ((<DIANHUA>)|"
        "gei wo|dian hua gei wo)",
        before=_REPORTED,
    ),
    _sounding("zh.forbid", "^(bu yao|bie) (zai )?(<DA>) (le|la|liao)$"),
    _sounding("zh.forbid", "(yi hou|yi huo|qi hou) (bie|bu yao) (zai )?(<DA>)( (<LE>|guo lai|dian hua))?$"),
    _sounding("zh.forbid", "(bu xu yao|mei xing qu|bu yong) (bie|bu yao) (zai )?(<DA>) (<LE>)$"),
    _sounding(
        "zh.forbid", "(<BUYAO>) ((<ZAI>|lai|lao shi|zong shi) )?((<FILL>) ){0,2}(<SAORAO>)( wo)?", before=_REPORTED
    ),
    _sounding("zh.forbid", "(<BUYAO>) (<ZAI>) ((<FILL>) ){0,2}(<DARAO>|<LIANXI>)", before=_REPORTED),
    _sounding(
        "zh.cease",
        "(ting zhi|ting zi) (gei wo )?(<SAORAO>|da dian hua|<LIANXI>|<DARAO>)",
        before="bu yao|bie|wei shen me|zen me|wei he|mei|mei you|bu",
    ),
    _sounding(
        "zh.remove",
        "(ba|pa|bang|dang|qing|jiang|ni|da) wo (de|di|da|dian|men de) (dian hua )?(<HAOMA>) (\\S+ )?(<SHAN>)",
        before="bu yao|bie|bu|mei",
    ),
    _sounding(
        "zh.remove",
        "(ba|jiang) wo de (dian hua|shou ji|zi liao|xin xi|ming zi|dian hua hao ma|shou ji hao) (\\S+ "
        "){0,8}?(<SHAN>|yi chu|qing chu)",
        before="bu yao|bie|mei",
    ),
    _sounding(
        "zh.remove",
        "(shan chu|shan diao|san chu|shan qu) wo (men )?(de )?(dian hua|shou ji|<HAOMA>|zi liao|xin xi)",
        before="bu yao|bie|mei|bu",
    ),
    _sounding(
        "zh.blacklist",
        "(la|jia|fang|lie) (jin|ru|dao|jing) (ni men )?(de )?(<HEIMINGDAN>)",
        before=r"(ba|jiang) ni|(bu yao|bie)( \S+){0,3}",
    ),
    _sounding(
        "zh.blacklist",
        "(ba|jiang|dao) (wo|wo de hao ma|wo de dian hua) (la|jia|fang) (jin|ru|dao|jing) ((<HEIMINGDAN>)|"
        "hei \\S+|\\S+ ming \\S+)",
        before="bu yao|bie",
    ),
    _sounding(
        "zh.unsubscribe",
        "(wo yao|bang wo|gei wo|wo xiang|wo xiang yao|qing) tui (ding|ting|din)( (le|ba|ni men|zhe ge))?$",
        scoped=False,
    ),
    _sounding("zh.unsubscribe", "^tui (ding|ting)$", meaning=_NEAR),
    # A whole sentence "I want to tui-jing" says nothing else that a callee would say.
    _sounding("zh.unsubscribe", "^(wo )?yao tui (jing|jin|qing|ning|ling)( (le|ba))?$", scoped=False),
    _sounding(
        "zh.unwanted",
        "bu (xiang|xian|yuan yi|xi wang|jiang) (<ZAI>) (jie|xie|shou|ting|qie|bei) (dao |ting |dao le "
        ")?(ni men|ni|zhe zhong|tui xiao|ren he|zhe xie|guang gao|gui gong si)( de)?",
        scoped=True,
    ),
    _sounding(
        "zh.unwanted",
        "bu (xiang|xian|yuan yi|xi wang) (zai )?(jie|shou) (dao )?(ni men|zhe zhong|tui xiao|ren he|"
        "guang gao|zhe xie)( de)? (\\S+ )?(<DIANHUA>)",
    ),
    _sounding("zh.unwanted", "bu (xiang|xian|yuan yi|xi wang) (zai )?bei (ni men )?(<SAORAO>|<DARAO>)"),
    _sounding(
        "zh.unwanted",
        "(ju jue|jue jue) (jie shou |jie ting )?(ni men de |ren he )?(tui xiao|ying xiao|<SAORAO>|lai dian|guang gao)",
    ),
    _sounding(
        "zh.threat",
        "zai (gei wo )?(da|ta) (\\S+ ){0,4}(wo |jiu |hui |yao )+(qu )?(tou su|bao jing|ju bao|tou shu|qi su)",
    ),
    _sounding(
        "zh.consent",
        "(che hui|che xiao|shou hui) (wo )?(de |zhi qian de )*(tong yi|shou quan)",
        before="bu|mei|mei you",
    ),
)


@lru_cache(maxsize=1)
def loaded() -> Callable[..., list[str]] | None:
    try:
        from pypinyin import lazy_pinyin  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        return None
    return lazy_pinyin


def syllables(characters: Sequence[str]) -> list[str]:
    """One toneless syllable a character (itself where it has none); empty without `pypinyin`."""
    pinyin = loaded()
    if pinyin is None:
        return []
    spoken = pinyin("".join(characters), errors=list)
    return [syllable.replace(" ", "") or "?" for syllable in spoken] if len(spoken) == len(characters) else []
