"""English rules about calls that are forbidden: do not call, never ring again, you must not phone here.

Read a rule as one construction with open word classes (`english_words.CLASSES`). `<X>` is a class, a plain
group captures nothing, `NEXT` is the end of the sentence or a word that begins another thought.
"""

from __future__ import annotations

import re

from dialer.phrases.english_words import CLASSES
from dialer.phrases.meaning import Meaning
from dialer.phrases.rule import Rule, expand

NEXT = r"\s*$|\s(<NEXT>)(\s|$)"


def english(
    name: str,
    pattern: str,
    *,
    before: str = "",
    after: str = "",
    meaning: Meaning = Meaning.REFUSAL,
    otherwise: Meaning = Meaning.NOTHING,
    scoped: bool = False,
) -> Rule:
    """A rule over whole words. `before` ends where the match begins."""
    return Rule(
        name=name,
        pattern=re.compile(expand(rf"(?<!\S)({pattern})(?!\S)", CLASSES)),
        meaning=meaning,
        before=re.compile(expand(rf"(?<!\S)({before})\s$", CLASSES)) if before else None,
        after=re.compile(expand(after, CLASSES)) if after else None,
        otherwise=otherwise,
        scoped=scoped,
    )


NOT_A_NAME = (
    "(?!(?<=(ll|ng) me) (sir|madam|ma'am|miss|mister|missus|love|dear|darling|lady|buddy|mate|dude|"
    r"bro)(\s|$))(?! it (a|an|the|that)\s)"
)
"""What makes "call me" a matter of names: "stop calling me sir"."""

NEAR = Meaning.NEAR_MISS

# A statement about somebody, no order: "my kids do not call me any more", "why do not you call me".
_STATEMENT = (
    "i|we|they|he|she|who|it|that|which|people|why|folks|children|men|women|what|when|but i|did|(my|"
    r"our|the|their|your|his|her|these|those|most|some|many)( \S+)? \S*[^su\s]s"
)
# Anything but the beginning or a word that cannot be a subject.
_SUBJECT = (
    "(?!(please|and|so|but|now|just|then|no|not|again|me|us|here|sorry|sir|madam|thanks|bye|goodbye|"
    "hello|hi|yes|or|said|say|list|number|interested|to|of|guys|work|stop|busy|hey|look|listen|well|"
    r"today|people|calls|calling)(\s|$))\S+"
)
_PERSISTENT = (
    "(keep|keep on|continue|continue to|carry on|go on|start|be|bother|even think (about|of)|think (about|of)|come)"
)
_TRY = (
    "(dare |to |waste (my|your|our) time |you |people |dare to |you dare |try to |try and |try |"
    f"attempt to |continue to |go |ever |keep |{_PERSISTENT} )*"
)
_FORBID = (
    "must not|should not|may not|can not|are not to|is not to|are never to|are not allowed to|are "
    "not permitted to|are not supposed to|are not authorized to|are not welcome to|are forbidden to|"
    "have no right to|have no business|have no reason to|do not have the right to|do not have any "
    "right to|ought not to|had better not|better not|are prohibited from|need not to|got no right to|"
    "cannot|do not have to(?= (be |keep |always |again ))|need to not|not allowed to|not permitted to"
)
_YOUR = r"<YOU>|no one|everyone|<YOU> (all|guys|people)|anyone|and|please|so|<YOU> (really|just)"
THIRD = r"(it|him|her|them|people|my \S+|our \S+|(for |to )(him|her|them|my \S+|me|us))"

CALL_RULES = (
    # do not call me (again); never ring this house; don't you dare phone here
    english(
        "forbid.object",
        f"(do not|never|never ever|do not never|don not) {_TRY}(<CALL>|<CALLING>)( (up|to|with|at|in|on|"
        "back))? (<OBJ>)( up)?( (<AGAIN>))*",
        before=_STATEMENT + r"|you|has|have|had|would|could|might|will",
        after=NOT_A_NAME + f"({NEXT})",
        otherwise=NEAR,
        scoped=True,
    ),
    # don't bother me: an order only where nothing before it can be its subject ("spiders don't bother me")
    english(
        "forbid.nag",
        f"(do not|never) {_TRY}(<NAG>|<NAGGING>)( with| at)?( (<OBJ>)( (<AGAIN>))*| again| again and again| any more)",
        before=_SUBJECT,
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
    # do not call; never call again; don't ring back
    english(
        "forbid.again",
        rf"(do not|never|never ever) {_TRY}(<CALL>|<CALLING>)( (<OBJ>|{THIRD}))?( (<AGAIN>))+",
        before=_STATEMENT + r"|you|has|have|had|would|could|might|will",
        scoped=True,
    ),
    english(
        "forbid.bare",
        rf"(do not|never) {_TRY}(<CALL>|calling|ringing|phoning)(?! (off|in|round)\b)",
        before=_STATEMENT + r"|you|not|has|have|had|would|could|might|will|always|to",
        after=r"\s*$|\s(i|we|because|thanks|thank|bye|goodbye|sorry|understand|understood|sir|madam|mate|man|"
        "for|about|regarding|with|from|if|unless|before|until|till|after|during|between|today|tonight|"
        r"tomorrow|now|so|early|late|yet|at|in|on|or|and|any|it is|it's|not|no|off|stop)(\s|$)",
        scoped=True,
    ),
    english(
        "forbid.addressed",
        rf"you (do not|never) {_TRY}(<CALL>|<NAG>) (<OBJ>)( (<AGAIN>))+",
        before=r"why|did|do|if|when|since|that|as|said|because",
        meaning=NEAR,
    ),
    # you must not call here; you have no right to contact me; nobody should ring this number
    english(
        "forbid.law",
        f"({_YOUR}) (also )?({_FORBID}) {_TRY}(be )?(<CALL>|<NAG>|<CALLING>|<NAGGING>)( (<OBJ>|{THIRD}|"
        "people))?( (<AGAIN>))*",
        before=r"why|if|when|that|because|know|i|sorry|said|says|and (i|we)|hope|afraid|see",
        after=NEXT + r"|\s(numbers?|anyone|a)(\s|$)",
        otherwise=NEAR,
        scoped=True,
    ),
    english("forbid.law", r"^(are |am )?(not allowed|not permitted|not supposed|forbidden) to (<CALL>) (<OBJ>)"),
    english(
        "forbid.law",
        "(no one|anyone) (should|is allowed to|is to|must|may|can|needs to|had better)( not)?( ever)? "
        "(be )?(<CALL>|<NAG>|<CALLING>) (<OBJ>)( (<AGAIN>))*",
        before="has|if|and|why|there is|anyone|that",
    ),
    english(
        "forbid.illegal",
        "(i|we) (forbid|prohibit|do not (allow|permit|authorize)|never (allowed|authorized)|did not "
        "(authorize|allow)|have not authorized|will not (allow|accept|tolerate)|refuse to (accept|take|"
        "be))( <YOU>)?( (to|from))? (<CALL>|<NAG>|<CALLING>|<NAGGING>|<CALLED>|<SOMECALLS>)( (<OBJ>))?( "
        "(<AGAIN>))*",
        before="if|do|what|when",
        scoped=True,
    ),
    # do not under any circumstances call me again; at no time are you to ring us
    english(
        "forbid.apart",
        "(do not|never|not)( to)? (under|in|for|at|by|on) (any|no|all) (circumstances|circumstance|"
        "reason|way|means|time|point|condition|terms|account)( (whatsoever|again|should|are|you|to|"
        "people|or))* (<CALL>|<CALLING>|<NAG>) (<OBJ>)( (<AGAIN>))*",
        before=_STATEMENT,
        after=NEXT,
        scoped=True,
    ),
    english(
        "forbid.apart",
        "(under no circumstances?|at no (time|point)|in no way|on no account|by no means)( (are|is|"
        "should|may|can|must|will|do|ought|shall))? (<COMPANY>)?( (to|ever|be|allowed|permitted|should|"
        "may|can|must|again))*( )?(<CALL>|<CALLING>|<NAG>)( (<OBJ>))?( (<AGAIN>))*",
    ),
    english(
        "forbid.insist",
        "(insist|insisting|ask|asking|request|requesting|demand|demanding|suggest|require|recommend|"
        "prefer|want|like|appreciate it if|grateful if|hope|pray|trust|expect|note|wish|obliged if|"
        "rather|better|advise|warn|warning|beg)( that)? (<YOU>)( (please|would|should|will|must|could|"
        "do))* (not|never|no longer|do not)( (to|ever|be|again|keep))* (<CALL>|<CALLING>|<NAG>)( (<OBJ>|"
        f"{THIRD}))?( (<AGAIN>))*",
        before=r"not|did|do|he|she|they|boss",
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
    english("forbid.learner", r"^to not (<CALL>|<CALLING>)( (<OBJ>))?( (<AGAIN>))*", after=NEXT, scoped=True),
    english("forbid.learner", "^not (call|calling|ring|phone)( (again|any more|here|this number))+", scoped=True),
    english(
        "forbid.learner",
        r"no need( any more| again| more| of| to)* (<CALL>|<CALLING>) (me|us|here)( (<AGAIN>))*",
        before="there is|i|if",
        after=NEXT,
        meaning=NEAR,
    ),
    english("forbid.learner", r"no need any more (<CALL>|<CALLING>|calls)( (<OBJ>))?"),
    # don't any of you call me again; don't let anyone from your company ring us any more; the courtesy of not ringing
    english(
        "forbid.apart",
        "(do not|never|not)( (let|have|allow|get|make|any|of|you|your|people|guys|anyone|one|person|from|"
        "company|office|firm|team|to|be|want|need|try|the|staff|agents|lot|all|folks|else|colleagues|"
        "colleague|friends|ask|tell)){1,8} (<CALL>|<CALLING>|<NAG>) (<OBJ>)( up)?( (again|any more|any "
        "longer|ever again|back))+",
        before=_STATEMENT + r"|have|has|had|would|could|might|will|is|was|you",
        scoped=True,
    ),
    english("forbid.apart", r"(of|by|about) not (<CALLING>|<NAGGING>)( (<OBJ>))?( (<AGAIN>))+", scoped=True),
    english("forbid.apart", r"(i|we) (will|would) not to (<CALL>|<NAG>) (<OBJ>)( (<AGAIN>))*", scoped=True),
    english("forbid.part", r"(what|which) part of( the words?)? (do not|stop|no|never|not)( \S+){0,3}"),
    # could you not ring this house; put a note on my file not to call
    english(
        "forbid.ask",
        "(could|can|would|will|might|may i ask) (<YOU>) not (<CALL>|<NAG>) (<OBJ>)( (again|any more|any "
        "longer|ever|at all))*",
        before="why",
        after=r"\s*$|\s(i|we|because|thanks|thank|it|this|in|from)(\s|$)",
        scoped=True,
    ),
    english(
        "forbid.note",
        r"(note|notes|file|record|records|system|account|instruction|reminder)( \S+){0,4} (not to|never "
        "to|do not|to not|to never) (<CALL>|be (<CALLED>))( (<OBJ>))?( (<AGAIN>))*",
        before=r"not|the|a love",
    ),
    english(
        "forbid.passive",
        "(i am|we are|this number is|my number is|number is|i'm) (not|never) (<CALLED>|to be "
        "(<CALLED>))( (by <YOU>|on this number))?( (again|any more|in future|in the future|by you))+",
        before="why|if",
    ),
    # learners' English: "no call me again", "not call me", "don't to call", "you no call this number"
    english(
        "forbid.learner",
        "(no|not) (to )?(<CALL>|calling|ringing|phoning|called|disturb|bother) (<OBJ>)( (<AGAIN>))+",
        before="(have|has|had|did|is|was|were|i|he|she|we|they|it|why|if|would|could|does|do|to|will|or|am)( "
        r"\S+)?",
        scoped=True,
    ),
    english(
        "forbid.learner",
        r"not (to )?(call|ring|phone|contact|calling) (me|us|here|this number)( (<AGAIN>))*",
        before=r"(\S+ )?(?!you|please|sir|and|so|again|hello|again|people|sorry|number|interested|list)\S+|(did|"
        "do|could|can|have|why|should) you",
        after=NEXT,
        scoped=True,
    ),
    english(
        "forbid.learner",
        r"you (no|not) (call|ring|phone|contact|calling)( (<OBJ>))?( (<AGAIN>))*",
        before=r"(why|do|did|are|have|could|can|would|will|if|that|when)",
        after=NEXT,
        scoped=True,
    ),
    english(
        "forbid.learner",
        r"no (calling|ringing|phoning|soliciting|cold calling)( (<OBJ>))?( (<AGAIN>))*",
        before=r"(is|was|am|are|of|with|there( is| was)?)",
        after=NEXT,
        scoped=True,
    ),
    # I told you not to call; tell your people never to ring here; I asked not to be called
    english(
        "told.not",
        "(told|asked|said|warned|begged|instructed|requested|tell|ask|inform|advise|telling|asking|"
        r"request|beg|ordered|says|say|remind|mentioned|reminded|informed)( (<COMPANY>)( \S+ time| \S+ "
        r"times)?)?( (many|several|three|two|four|five|ten|hundred|a hundred|a thousand|\d+) times| times|"
        " repeatedly| already| before| again| yesterday| today| last (week|month|time|year)| clearly| "
        "twice| once| politely| nicely| specifically)* (to )?(not|never)( to)?(?! (sure|interested))( "
        f"ever| try to| keep| be)* (<CALL>|<NAG>|<CALLING>|<NAGGING>|be (<CALLED>))( (<OBJ>|{THIRD}))?( "
        "(<AGAIN>))*",
        before="(will|did|going to|he|she|they|who|boss|not|should|shall|could you|website|never)( have| had| "
        "has| to| not)?",
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
)
