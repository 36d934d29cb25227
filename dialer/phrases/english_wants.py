"""English rules about what the callee does not want: calls, to be called, to hear from the caller."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, NEXT, english

_NOT_WANT = (
    "(not|never|no longer|no more|hardly) (ever )?(to )?(want|wish|need|like(?! (these|those|the|"
    "this|your|any|such|all))|care|expect|intend|desire|wanting|wishing|interested in|asked|consent|"
    "agree)( (to|for))?|no (want|wish)( to)?|rather not|prefer not( to)?|prefer to not|not prefer to|"
    "not love to|(appreciate|prefer|like|love|want|wish|grateful) (it )?(if |to )?(not|never)( to)?|"
    "ask(ed)? not to|asking not to|request not to|hate to|tired of|sick of|fed up (with|of)|sick and "
    "tired of|had enough of|sick to death of|do not have to|should not have to|not interested to"
)
_GET = (
    "(get|getting|receive|receiving|have|having|take|taking|accept|accepting|be getting|be receiving|"
    "answer|answering|hear|keep getting|keep receiving|be given|see|be having|pick up|entertain|deal "
    "with|be subjected to|find)( any)?"
)
_ASKS_YOU = r"(if|do|did|that) (you|they)( do| did)?|why (do|did) (you|they)|people|do you"
_FROM_YOU = (
    "(<YOU>|them|anyone|any of them|that company|any company|any more (<YOU>)|this company|people "
    r"like you|any \S+ people|telemarketers|salespeople|sales people|marketers|cold callers|strangers|"
    "random people|no one)"
)
_COMPLAIN = (
    "(sick|tired|sick and tired|fed up|bored|exhausted|weary|sick to death|annoyed|had enough|enough|"
    "done|over it|had it)"
)

WANT_RULES = (
    # I don't want any more calls; I never want to get another call from you
    english(
        "unwanted.calls",
        f"({_NOT_WANT}) (({_GET}) )?(no )?(any of )?(<SOMECALLS>|((a|another|one more|a single|one single|"
        r"one) )?(phone )?(call|calls) (from|by) (<YOU>|anyone|your \S+)|calls|phone calls|phone contact|"
        "telephone calls|call(?=$| from you| again)|(sales|marketing|cold|promotional|advertising|spam|"
        "telemarketing|commercial|robo) (phone )?calls)( (<AGAIN>))?",
        before=_ASKS_YOU + r"|mind|not say i( do)?|not that (i|we)( do)?",
        after=NEXT + r"|\s(these|here|please|back|whatsoever|\S+ly)(\s|$)",
        otherwise=NEAR,
        scoped=True,
    ),
    english(
        "unwanted.accept",
        "(not|never|no longer|not going to|refuse to|not to) (accept|take|receive|answer|welcome|respond "
        "to|entertain|deal with|permit|allow|want|need|buy from)( any| your| these| any more)* "
        "((<CALLKIND>) ){1,3}(calls|phone calls|solicitation|solicitors|soliciting|callers|telemarketers)",
        before=r"(do|did|if|could|can|that) (you|they)|could|can|not that (i|we) do",
        after=NEXT + r"|\s(here|please|at|on this)(\s|$)",
        scoped=True,
    ),
    english(
        "unwanted.accept",
        "(not|never) (want|have|accept|speak|talk|deal)( to| with)? (telemarketers|cold callers|sales callers)",
        meaning=NEAR,
    ),
    # I don't want to be called / bothered; my mother does not want to be contacted
    english(
        "unwanted.called",
        f"({_NOT_WANT}) (be|being|get|getting|have been|keep being|be getting|keep getting) (<CALLED>)( "
        "(up|by|on|from|with))*( (<YOU>|this number|this|these calls))?( (<AGAIN>))*",
        before=_ASKS_YOU + r"|(they|he|she|you|i) did|was|were",
        after=NEXT + r"|\s(here|please|by|calls|like|constantly|every\S*|all)(\s|$)",
        otherwise=NEAR,
        scoped=True,
    ),
    # I don't want you to call me; I'd rather you didn't ring; nobody wants you calling
    english(
        "unwanted.you",
        rf"({_NOT_WANT})( that)? ({_FROM_YOU})( (from|at) \S+( \S+)?)?( to)?( (ever|keep|be|try to|keep on|"
        "always|people|even|not|constantly))* (<CALL>|<NAG>|<CALLING>|<NAGGING>|<CALLED>)( (up|for|"
        "to))?( (<OBJ>|him|her|them))?( (<AGAIN>))*",
        before=_ASKS_YOU + r"|we would",
        after=NEXT + r"|\s(here|every\S*|constantly)(\s|$)",
        otherwise=NEAR,
        scoped=True,
    ),
    english(
        "unwanted.you",
        "(rather|prefer|prefer it|appreciate it|appreciate|grateful|like it|nice|great|happy|happier|"
        "love it|better|glad|thankful|obliged|good|best|wish|suggest)( if| that| it if)* (<YOU>)( (would|"
        "could|did|do|can|never|will|people))*( (not|stop|stopped|never|quit|refrained|refrain|cease|"
        "ceased))( to| from)?( ever| keep| be)* (<CALL>|<CALLING>|<NAG>|<NAGGING>|<CALLED>)( (<OBJ>|him|"
        "her))?( (<AGAIN>))*",
        before=r"not",
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
    english(
        "unwanted.noone",
        "no one( (here|in|at|on|of|from|this|the|us|address|house|my|our|family|office|company|home|"
        "household|number|place))* (wants|want|needs|need|likes|wishes|asked|is interested in)( (to|"
        "for))* ((be|being|get|getting|receive|receiving) )?((<CALLED>)|(<SOMECALLS>)|hear from (<YOU>)|"
        "(talk|speak) to (<YOU>))",
        after=NEXT + r"|\s(stop|so|please)(\s|$)",
    ),
    english(
        "unwanted.mind",
        r"(would|do|could|can|if) you( \S+)? mind( if you)?( to)? (not|never|to not|stopping|stop) "
        "(<CALLING>|<CALL>|<NAGGING>|<NAG>)( (<OBJ>))?( (<AGAIN>))*",
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
    english(
        "unwanted.mind",
        "(ask|request|beg|urge|want|need|expect|like|tell|order|advise|require) (<YOU>)( (to|that you|"
        "please))* (not|never)( to)?( ever| keep| be)* (<CALL>|<CALLING>|<NAG>|<NAGGING>)( (<OBJ>|him|"
        "her))?( (<AGAIN>))*",
        before=r"(did|do|would|will|not|never|he|she|they|boss|who)( not| i| have)?",
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
    english(
        "unwanted.accept",
        "(not|never|no longer|refuse to) (accept|take|want|answer|receive|welcome)( any| these)* (calls|"
        r"phone calls) from (telemarketers|strangers|companies|any \S+|unknown \S+|sales\S*( people)?|"
        "people i do not know|call centers|call centres)",
        before=r"(do|did|if|could|can|that) (you|they)",
    ),
    english(
        "unwanted.hear",
        r"(not|never)( \S+)? (let me|make me|have me|want to) hear from (<YOU>)( (<AGAIN>))*",
        before="i|did",
    ),
    # I never want to hear from you again
    english(
        "unwanted.hear",
        f"({_NOT_WANT}) (hear|hearing|hear anything|hear any more|here|be hearing|see|hear any of this|"
        rf"hear a word|get to hear)( \S+)? ?(from|of|out of) ({_FROM_YOU})( (<AGAIN>))*",
        before=_ASKS_YOU,
        scoped=True,
    ),
    english(
        "unwanted.hear",
        "(if i|i had better|i hope i|make sure i|let me|hope to|better) (never|not) (hear|have to hear) "
        f"(from|of) ({_FROM_YOU})( (<AGAIN>))*",
    ),
    english(
        "unwanted.hear",
        r"no (all )?(contact|communication)( (from|with) (<YOU>))?( (<AGAIN>))*",
        before=r"(have|had|has|we|i|there is|got|with|is|was|in|of)( \S+)?",
        after=NEXT,
        scoped=True,
    ),
    english(
        "unwanted.person",
        "(do|does|did) not (want|wish|like) (this|these|those|your|any of this|any more of this|to get "
        "these|to get this)( (again|any more))?",
        before=r"you",
        after=r"\s*$|\s(stop|please|any|again|leave)",
        meaning=NEAR,
    ),
    # no more calls; not another call; no further contact
    english(
        "nomore",
        "(no|no more|not another|no further|not one more|no other|not any more|enough|no any more|zero)( "
        "of)?( (<CALLKIND>)){0,4} (<CALLS>)( (from|by) (<YOU>|any of you|anyone))?( (to|on|at|for) "
        "(<OBJ>))?( (<AGAIN>))*",
        before="(there|i|we|she|he|they|it|you|is|are|was|were|had|have|has|got|get|received|with|make|made|see|"
        r"takes?|got|after|were|but|just|been|having|through)( \S+)?",
        after=r"\s*$|\s(please|thanks|thank|bye|goodbye|i|we|from|to|and|or|for|on|at|never|sorry|not|stop|"
        "again|any|take|it|this|sir|madam|you|ta|mate|before|after|until|here|about|whatsoever|remove|"
        r"do)(\s|$)",
        scoped=True,
    ),
    english(
        "nomore",
        "(want|like|prefer|need|have|be|wish for|demand|receive|get) no (more |further |other "
        ")?((<CALLKIND>) ){0,3}(calls|phone calls|contact|communication)( from (<YOU>))?",
        before=r"(had|have|has|there|will|did|i|we|you|they)",
        after=NEXT,
        scoped=True,
    ),
    english(
        "nomore",
        "(want|like|need|wish for|demand|expect) no (more |further |other )((<CALLKIND>) ){0,3}(calls|"
        "phone calls|contact|communication)( from (<YOU>))?",
        after=NEXT,
        scoped=True,
    ),
    english(
        "nomore.last",
        "(this|that|let this|make this|make that)( (is|had|has|must|should|will|needs to|better|will be|"
        "would be|to|got to|be|is going to|have|had better))* (the )?(very )?(last|final) ((<CALLKIND>) "
        ")?(time (that )?((<YOU>)|i (want|will|ever|need|am|expect|have) (to )?(hear|tell|ask|say|get|"
        "telling|you))|call|phone call)( (that|i|you|from|<YOU>|get|receive|ever|want|will|to|are|have|"
        "should|take|hear|of|with|phone|call|ring|calling|contact|dial|ringing|we|me|us|here))*",
        before=r"(is|was|are|not|when was|hope)",
        after=NEXT + r"|\s(this|please)",
        otherwise=NEAR,
    ),
    english(
        "nomore.sure",
        "(make sure|ensure|see to it|be sure|make certain|see|guarantee|promise me|confirm|assure me|"
        r"promise)( that)?( (<COMPANY>|i|we|my \S+|this number|it|my number|our number))?( (from|at|in) "
        r"\S+( \S+)?)?( (is|am|are|do|does|will|that|never|you|has|have))*( (never|not|no longer|stop|"
        "stops|no more|no one))( (get|gets|receive|receives|ever|be|is|getting|will|again))*( any| any "
        "more| more| these| another| from you)* (<CALLED>|<CALL>|<CALLING>|calls?|phone calls?|ring|"
        "rings|phones)( (<OBJ>))?( (<AGAIN>))*",
    ),
    english(
        "nomore.sure",
        "(make sure|ensure|see to it|be sure|make certain|promise|guarantee|confirm|make it clear)( "
        r"me)?( that)? (no one|none of you|none of your \S+|not one of you)( else)?( (from|at|in) \S+( "
        r"\S+)?)?( (ever|will|else|is|be))* (<CALL>|calls|rings|phones|contacts|bothers|texts|calling|"
        "ringing|harasses)( (<OBJ>))?( (<AGAIN>))*",
    ),
    english(
        "nomore.sure",
        "(so|that|and) (no one|none of you) (ever )?(<CALL>|calls|rings|phones|contacts)( (<OBJ>))?( (<AGAIN>))*",
        before="has|if",
        meaning=NEAR,
    ),
    # leave me alone
    english(
        "alone",
        r"(leave (me|us|my \S+|our \S+|this (house|number|family))( (the (hell|fuck|heck)))? (alone|in "
        "peace|be|a loan|along)|let (me|us) (be(?= (and|i|please|stop|thank)|$)|live in peace|have (some|"
        "my) peace))",
        before="(not|never|they|he|she|we|who|did|you|(them|him|her|people) to|will|would not|did not|have|had|"
        r"has|(do|did|does) \S+)",
        after=r"(?! (with (?!(your|these|the|all|this))|for (a|five|ten|two|one)|on the|in the|at))",
        otherwise=NEAR,
    ),
    english("alone", r"^leave (him|her|them) (alone|in peace)", meaning=NEAR),
    english(
        "alone",
        "(would|could|will|can|why do not|why can not|why will not)( <YOU>)?( not)?( all)? (leave|let) "
        r"(me|us|my \S+) (alone|be|in peace)",
    ),
    english(
        "alone",
        "(i|we|just|mother|father|he|she|would) (want|wants|need|needs|like|prefer|wish|ask|asked) to be "
        "(left alone|left in peace|let alone)",
        before="not",
    ),
    english("alone", r"i (want|need) (you|your \S+) to leave (me|us|my \S+) (alone|be|in peace)", before="not"),
    # I'm sick of these calls: a complaint that no caller mistakes
    english(
        "sick",
        f"{_COMPLAIN}( (of|with|from|by|up|about))*( (getting|receiving|all|having|taking|hearing|"
        r"answering|being|you|people|always))* (<SOMECALLS>|<YOU>( \S+)? (<CALLING>|<NAGGING>)|being "
        "(<CALLED>)|((<CALLKIND>) ){1,3}(calls|phone calls))( (<OBJ>))?( (<AGAIN>))*",
        before=r"not|you|never",
    ),
)
