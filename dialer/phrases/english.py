"""What an English transcript means: normalised words, rules, and what narrows or loops them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dialer.phrases.english_calls import CALL_RULES
from dialer.phrases.english_cease import CEASE_RULES
from dialer.phrases.english_consent import CONSENT_RULES
from dialer.phrases.english_doubts import DOUBTFUL_RULES
from dialer.phrases.english_lists import LIST_RULES
from dialer.phrases.english_registers import REGISTER_RULES
from dialer.phrases.english_sounds import repaired
from dialer.phrases.english_text import Word, joined_of, sentences_of, words_of
from dialer.phrases.english_wants import WANT_RULES
from dialer.phrases.english_words import CLASSES
from dialer.phrases.meaning import NOTHING, Heard, Meaning
from dialer.phrases.rule import Match, expand

RULES = (*CALL_RULES, *CEASE_RULES, *LIST_RULES, *REGISTER_RULES, *WANT_RULES, *CONSENT_RULES, *DOUBTFUL_RULES)
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_TIME = expand(
    "( (any|so|too|that|this|me|us|please|very))*( (before (?!i )|until|till|after (?!(this|that|"
    r"today|all|now)\b)|between|during|while|when (i|we) (am|are)|when (i'm|we're)|in the (morning|"
    "mornings|evening|evenings|afternoon|night|middle|next)|at (night|nights|lunch|dinner|noon|"
    r"midnight|the weekend|weekends|this (time|hour|moment)|the moment|\d+|one|two|three|four|five|"
    f"six|seven|eight|nine|ten|eleven|twelve)|on (a )?({_DAYS}|weekdays|weekends|the weekend|holidays|"
    r"christmas)s?|(i am|we are) not (home|in|here|back|available)( \S+)? until|today|tonight|tomorrow|"
    "this (morning|week|evening|early|late|afternoon|time)|now|"
    "right now|yet|first|early|late|for (another|a (while|few|bit|week|month|couple)|the (next|"
    r"moment|time being))|later|next (week|month|time)|unless|except)\b)",
    CLASSES,
)
_PLACE = (
    "( (me|us|please))*( (at (work|the office|home|my (office|work|home|desk|job))|on (my (mobile|"
    "cell|work|home|other|office|landline|cellphone|house)|the (mobile|landline|cell|home|office))|"
    "on (another|the other|a different)|through (my )?|to (my|the) (office|home)|by (e ?mail|post|"
    r"mail|letter|fax))\b)"
)
_NARROWED_BY_TIME = re.compile(_TIME)
_NARROWED_BY_PLACE = re.compile(_PLACE)
_FOR_GOOD = re.compile(r"(?<!\S)(?:again|any more|any longer|no more)(?!\S)")
_INVITED = re.compile(
    expand(
        r"(?<!\S)((can|could|would|will|may) you |you (can|could|may) |better |but |instead )?(call|ring|"
        r"phone|text|contact|try|reach|use|call up|message)( (me|us|him|her|back|again|here|my \S+|the "
        r"\S+))*( (at \S+|on (my|the|another|this|a|\S+day)|in (the|a|an|\S+ (minutes|hours|days))|before|"
        r"after|later|tomorrow|tonight|next (week|month|year|\S+day)|instead|any ?time|when|between|"
        rf"around|by (email|post|mail)|{_DAYS}|around))(?!\S)|(?<!\S)(call|ring|phone|try|use|contact) (my|"
        r"the) (mobile|cell|office|work|other|home|landline|husband|wife|secretary|assistant)(?!\S)",
        CLASSES,
    )
)
_NOT_INVITED = re.compile(
    r"(?<!\S)(?:not|never|to|you|they|he|she|we|i|who|that|if|no|stop|quit|people|and|these|your|the)$"
)
_CALLS_HIMSELF = re.compile(r"(?<!\S)(?:i|we|i'll|we'll) (?:will )?(?:call|ring|phone|contact|get back to) you(?!\S)")
_NEW_NUMBER = re.compile(r"(?<!\S)new (?:number|one|phone|address|details)(?!\S)")


def judge_english(transcript: str) -> Heard:
    """Judge an English transcript of bounded length."""
    words = words_of(transcript)
    best = _best(sentences_of(words), transcript)
    if best.meaning is not Meaning.REFUSAL:
        heard = _best([repaired(sentence) for sentence in sentences_of(words)], transcript)
        if _RANK[heard.meaning] > _RANK[best.meaning]:
            best = Heard(heard.meaning, heard.phrase, f"{heard.rule}~sound")
    if best.meaning is Meaning.NOTHING:
        joined = _best(joined_of(words), transcript)
        if joined.meaning is not Meaning.NOTHING:
            best = Heard(Meaning.NEAR_MISS, joined.phrase, joined.rule)
    return best


def _best(sentences: list[list[Word]], transcript: str) -> Heard:
    best = NOTHING
    invited = False
    for sentence in sentences:
        text = " ".join(word.text for word in sentence)
        matches = list(_judged(text))
        for match in matches:
            first, last = text.count(" ", 0, match.start), text.count(" ", 0, match.end - 1)
            meaning = Meaning.NEAR_MISS if any(word.looped for word in sentence[first : last + 1]) else match.meaning
            phrase = transcript[sentence[first].start : sentence[last].end]
            heard = Heard(meaning, phrase, match.rule)
            if _RANK[meaning] > _RANK[best.meaning]:
                best = heard
        invited = invited or _invites(text, matches)
    if invited and best.meaning is Meaning.REFUSAL:
        return Heard(Meaning.NEAR_MISS, best.phrase, best.rule)
    return best


_RANK = {Meaning.NOTHING: 0, Meaning.NEAR_MISS: 1, Meaning.REFUSAL: 2}


def _judged(text: str) -> Iterable[Match]:
    for rule in RULES:
        for match in rule.matches(text):
            if rule.scoped and match.meaning is Meaning.REFUSAL and _narrowed(text, match):
                yield Match(Meaning.NEAR_MISS, match.rule, match.start, match.end)
            else:
                yield match


def _narrowed(text: str, match: Match) -> bool:
    """Whether a time or a place behind a request makes it one for another time or place."""
    rest = text[match.end : match.end + 60]
    if _NARROWED_BY_TIME.match(rest):
        return True
    return bool(_NARROWED_BY_PLACE.match(rest)) and not _FOR_GOOD.search(text, match.start, match.end)


def _invites(text: str, matches: list[Match]) -> bool:
    if _CALLS_HIMSELF.search(text) or _NEW_NUMBER.search(text):
        return True
    for found in _INVITED.finditer(text):
        inside = any(match.start <= found.start() < match.end for match in matches)
        if not inside and not _NOT_INVITED.search(text[: found.start()].rstrip()):
            return True
    return False
