"""English text as the rules read it: words without case, punctuation, contractions and fillers, each with its span."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from dialer.phrases.english_words import CONTRACTIONS, ENDINGS, FILLER_PAIRS, FILLERS
from dialer.phrases.loops import looped

_APOSTROPHES = str.maketrans("’‘ʼ`´＇", "''''''")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.!?;:]+|[,—–]")
_INITIALS = re.compile(r"(?<!\w)[a-z](?:(?:\. ?| )[a-z]){2,3}(?!\w)")
_LONGEST_STUTTER = 3
_END = "."
_ANSWERS = ("no", "not", "yes")


@dataclass(frozen=True, slots=True)
class Word:
    """A normalised word and where it stands in the transcript; `.` is the end of a sentence."""

    text: str
    start: int
    end: int
    looped: bool = False


def words_of(transcript: str) -> list[Word]:
    """The normalised words, in order. A comma ends a sentence only behind a bare "no": "no, call me again"."""
    folded = _fold(transcript)
    words: list[Word] = []
    for token in _TOKEN.finditer(folded):
        raw, start, end = token[0], *token.span()
        if raw[0] in ".!?;:":
            words.append(Word(_END, start, end))
        elif raw in ",—–":
            if words and words[-1].text in _ANSWERS:
                words.append(Word(_END, start, end))
        else:
            words.extend(Word(text, start, end) for text in _expanded(raw))
    words = _without_fillers(words)
    marks = looped([word.text for word in words])
    return _without_stutter([replace(word, looped=mark) for word, mark in zip(words, marks, strict=True)])


def sentences_of(words: list[Word]) -> list[list[Word]]:
    """Words cut at the ends of sentences, which a recogniser puts where it likes."""
    sentences: list[list[Word]] = [[]]
    for word in words:
        if word.text == _END:
            sentences.append([])
        else:
            sentences[-1].append(word)
    return [sentence for sentence in sentences if sentence]


def joined_of(words: list[Word]) -> list[list[Word]]:
    """The sentences without the ends that may be the recogniser's alone; behind "no" and "yes" an end stays."""
    kept = [word for at, word in enumerate(words) if word.text != _END or (at and words[at - 1].text in _ANSWERS)]
    return sentences_of(kept)


def _fold(transcript: str) -> str:
    """Lower case with plain apostrophes, of the same length as the transcript so that spans stay true."""
    text = transcript.translate(_APOSTROPHES)
    text = "".join(_folded(character) for character in text)
    return _INITIALS.sub(_joined_initials, text)


def _folded(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).lower()
    return folded if len(folded) == 1 else character


def _joined_initials(found: re.Match[str]) -> str:
    """ "t p s", "T.P.S.": one word, padded to the length it had. Words of one letter ("i", "a") do not begin one."""
    letters = re.sub(r"[. ]", "", found[0])
    if letters not in {"tps", "dnd", "dnc", "ctps", "ndnc", "sms", "crm"}:
        return found[0]
    return letters + " " * (len(found[0]) - len(letters))


def _expanded(raw: str) -> list[str]:
    if raw in CONTRACTIONS:
        return CONTRACTIONS[raw].split()
    for ending, word in ENDINGS.items():
        if raw.endswith(ending) and len(raw) > len(ending):
            return [raw.removesuffix(ending), word]
    return [raw]


def _without_fillers(words: list[Word]) -> list[Word]:
    kept: list[Word] = []
    at = 0
    while at < len(words):
        pair = tuple(word.text for word in words[at : at + 2])
        if pair in FILLER_PAIRS:
            at += 2
            continue
        if words[at].text == "please" and kept and kept[-1].text == "no":
            kept.append(Word(_END, words[at].start, words[at].end))
        elif words[at].text not in FILLERS:
            kept.append(words[at])
        at += 1
    return kept


def _without_stutter(words: list[Word]) -> list[Word]:
    """Each immediate repetition of one to three words once: "stop stop calling", "do not do not call"."""
    kept: list[Word] = []
    for word in words:
        kept.append(word)
        for size in range(1, _LONGEST_STUTTER + 1):
            if len(kept) >= 2 * size and _same(kept[-size:], kept[-2 * size : -size]):
                del kept[-size:]
                break
    return kept


def _same(left: list[Word], right: list[Word]) -> bool:
    return [word.text for word in left] == [word.text for word in right]
