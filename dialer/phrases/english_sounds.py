"""What a recogniser of noisy speech writes for the words that matter: "stop coal in me", "take me off your this".

A word is taken for another only in a slot that a rule needs (a verb behind "do not", a list behind "off your") and only
when it sounds alike: the same consonants, voiced or not, whatever the vowels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from dialer.phrases.english_text import Word

_SPELLINGS = (
    ("ph", "f"),
    ("gh", ""),
    ("kn", "n"),
    ("wr", "r"),
    ("ck", "k"),
    ("th", "t"),
    ("sch", "sk"),
    ("x", "ks"),
    ("qu", "k"),
    ("ce", "se"),
    ("ci", "si"),
    ("cy", "sy"),
)
_CONSONANTS = str.maketrans({"c": "k", "q": "k", "g": "k", "d": "t", "b": "p", "v": "f", "z": "s", "m": "n", "j": "s"})
_SILENT = re.compile(r"[aeiouwhy'\d]+")
_TWICE = re.compile(r"(.)\1+")

_OBJECTS = frozenset(["me", "us", "this", "here", "my", "our", "again"])
_STOPS = frozenset(["stop", "quit", "cease"])
_LIKE_STOP = frozenset(
    [
        "top",
        "op",
        "stopped",
        "step",
        "steps",
        "stops",
        "stub",
        "stab",
        "stock",
        "stuff",
        "quite",
        "quick",
        "put",
        "kit",
        "quits",
        "stopping",
        "shop",
        "strop",
    ]
)
_LIKE_DO_NOT = frozenset(["don", "done", "dawn", "down", "dont", "donut", "dome", "donate", "done't", "dun", "doan"])
_REAL_VERBS = frozenset(
    [
        "kill",
        "killing",
        "kills",
        "clue",
        "glue",
        "go",
        "come",
        "can",
        "kick",
        "keep",
        "cook",
        "care",
        "carry",
        "fine",
        "find",
        "bring",
        "bringing",
    ]
)
_CALLING = {
    "klnk": "calling",
    "kln": "calling",
    "rnknk": "ringing",
    "rnkn": "ringing",
    "fnnk": "phoning",
    "fnk": "phoning",
}
_CALL = {
    "kl": "call",
    "klt": "call",
    "rnk": "ring",
    "fn": "phone",
    "kntkt": "contact",
    "kntk": "contact",
    "kntnt": "contact",
}
_LIST = frozenset(("lst", "ls", "lsts", "lt", "lft"))
_NOT_A_LIST = frozenset(["last", "lot", "lots", "late", "light", "list", "lists"])
_UNSUBSCRIBE = "nspskrp"


def sound(word: str) -> str:
    """The consonants of a word, voiced and voiceless ones alike: `call`, `coal` and `goal` are `kl`."""
    for spelling, spoken in _SPELLINGS:
        word = word.replace(spelling, spoken)
    return _TWICE.sub(r"\1", _SILENT.sub("", word).translate(_CONSONANTS))


def repaired(sentence: Sequence[Word]) -> list[Word]:
    """The sentence with each word in a needed slot replaced by the word that it sounds like."""
    words = _with_unsubscribe(list(sentence))
    kept: list[Word] = []
    at = 0
    while at < len(words):
        for repair in _REPAIRS:
            done = repair(kept, words, at)
            if done is not None:
                texts, taken = done
                last = words[at + taken - 1]
                kept.extend(replace(words[at], text=text, end=last.end) for text in texts)
                at += taken
                break
        else:
            kept.append(words[at])
            at += 1
    return kept


_Repair = tuple[tuple[str, ...], int]


def _texts(words: Sequence[Word], start: int, count: int) -> tuple[str, ...]:
    return tuple(word.text for word in words[max(0, start) : max(0, start + count)])


def _verb(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "do not cole me", "told you not to coal us"; "bring" only where "again" follows."""
    before, (behind, after) = _texts(kept, len(kept) - 2, 2), (*_texts(words, at + 1, 2), "", "")[:2]
    if behind not in _OBJECTS or not before or not (before[-1] in ("not", "never") or before in _NOT_TO):
        return None
    word = words[at].text
    if word == "bring" and "again" in _texts(words, at + 1, 4):
        return ("ring",), 1
    call = None if word in _REAL_VERBS else _CALL.get(sound(word))
    return ((call,), 1) if call and call != word and after != "the" else None


_NOT_TO = (("not", "to"), ("never", "to"))


def _gerund(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "stop coal in me", "stop colin us", "quit bringing my house"."""
    if not kept or kept[-1].text not in _STOPS:
        return None
    for taken in (2, 1):
        texts = _texts(words, at, taken)
        behind = _texts(words, at + taken, 1)
        joined = "".join(texts)
        if len(texts) < taken or not behind or behind[0] not in _OBJECTS or joined in _REAL_VERBS - {"bringing"}:
            continue
        if taken == 2 and texts[1] not in ("in", "on", "an", "and", "en", "ing"):
            continue
        gerund = (
            "ringing"
            if joined == "bringing"
            else _CALLING.get(sound(joined.removesuffix("d") if taken == 2 else joined))
        )
        if gerund:
            return (gerund,), taken
    return None


def _opening(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """The first word, often clipped: "top calling me", "done call this number again"."""
    if kept:
        return None
    verb, behind = (*_texts(words, at + 1, 2), "", "")[:2]
    if words[at].text in _LIKE_STOP and verb in _CALLING.values() and behind in _OBJECTS:
        return ("stop",), 1
    if words[at].text in _LIKE_DO_NOT and verb in ("call", "ring", "phone", "contact") and behind in _OBJECTS:
        return ("do", "not"), 1
    return None


def _listed(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "off your this", "from the Lisa", "your calling least"."""
    before = _texts(kept, len(kept) - 3, 3)
    word = words[at].text
    if word in _NOT_A_LIST or not before or not (sound(word) in _LIST or (word in ("this", "it") and "your" in before)):
        return None
    phrase = " ".join(before)
    return (
        (("list",), 1) if re.search(r"\b(?:off|of|from) (?:your|the|that)(?: calling| call| phone)?$", phrase) else None
    )


def _numbered(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "remove my lumber", "delete our member"."""
    before = _texts(kept, len(kept) - 2, 2)
    if (
        len(before) < 2
        or before[0] not in ("remove", "delete", "lose", "forget", "erase", "move")
        or before[1] not in ("my", "our")
    ):
        return None
    return (("number",), 1) if sound(words[at].text) in ("npr", "lnpr", "nprt", "nprs") else None


def _consented(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "I withdraw my content"."""
    before = _texts(kept, len(kept) - 2, 2)
    if before not in _WITHDRAWN:
        return None
    return (("consent",), 1) if sound(words[at].text) in ("knsnt", "kntnt", "knsn", "knst", "knspt") else None


_WITHDRAWN = tuple((verb, my) for verb in ("withdraw", "revoke", "withdrew") for my in ("my", "the", "all"))


def _opted(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "I want to opt our", "I'd like to op out"."""
    texts = _texts(words, at, 2)
    if not kept or kept[-1].text != "to" or len(texts) < 2:
        return None
    first, second = texts
    out = (first == "opt" and sound(second) in ("r", "t", "rt", "l", "")) or (
        first in ("op", "apt", "hop", "up", "opted") and second == "out"
    )
    return (("opt", "out"), 2) if out and texts != ("opt", "out") else None


def _called(kept: list[Word], words: list[Word], at: int) -> _Repair | None:
    """ "I don't want any more cause from you", "no more coals please"."""
    before = _texts(kept, len(kept) - 2, 2)
    if before not in (("any", "more"), ("no", "more"), ("want", "these"), ("want", "your"), ("of", "these")):
        return None
    return (
        (("calls",), 1)
        if sound(words[at].text) in ("kls", "ks")
        and words[at].text not in ("case", "cases", "keys", "gas", "kiss", "kids")
        else None
    )


_REPAIRS: tuple[Callable[[list[Word], list[Word], int], _Repair | None], ...] = (
    _verb,
    _gerund,
    _opening,
    _listed,
    _numbered,
    _consented,
    _opted,
    _called,
)


def _with_unsubscribe(words: list[Word]) -> list[Word]:
    """ "answer the scribe for me", "and subscribe me from": up to four first words that sound like `unsubscribe`."""
    for taken in range(min(4, len(words)), 0, -1):
        texts = _texts(words, 0, taken)
        if texts[0] in ("unsubscribe", "subscribe", "subscribed") or "describe" in texts or "prescribe" in texts:
            return words
        rest = _texts(words, taken, 3)
        named = any(word in ("me", "us", "my", "this") for word in rest[:2])
        # "and subscribe me too" is a wish; "from" behind it makes it the opposite.
        if (
            named
            and (texts[0] not in ("and", "or", "i", "please", "yes", "to", "can") or "from" in rest)
            and _near(sound("".join(texts)))
        ):
            return [
                replace(words[0], text="unsubscribe", end=words[taken - 1].end),
                *(word for word in words[taken:] if word.text != "for"),
            ]
    return words


def _near(spoken: str) -> bool:
    """Whether at most two consonants differ from those of `unsubscribe`."""
    if abs(len(spoken) - len(_UNSUBSCRIBE)) > 2 or "skrp" not in spoken:
        return False
    row = list(range(len(_UNSUBSCRIBE) + 1))
    for count, heard in enumerate(spoken, 1):
        diagonal, row[0] = row[0], count
        for at, meant in enumerate(_UNSUBSCRIBE, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (heard != meant))
    return row[-1] <= 2
