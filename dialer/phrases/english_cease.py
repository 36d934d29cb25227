"""English rules about calls that are told to stop: quit calling, cease, how many times must I say it."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, NEXT, NOT_A_NAME, THIRD, english

_OTHERS_ORDER = (
    "(told|asked|tells|asks|tell|ask|want|wants|wanted|ordered|advised|begged|warned|expects|need|"
    r"needs|like) (me|us|him|her|my \S+|our \S+|his \S+|her \S+|each other)( to)?"
)
# Where "stop calling" is no order to the caller.
_NO_ORDER = (
    "not|not (to|have to|need to|want (<YOU>|them|him|her|anyone|it) to|say|said|mean|tell you to|"
    "ask you to|make me|going to|want to|let me)|without|never|never (said|asked you to|told you to|"
    "to|want you to|say)|did (you|they|he|she)|(should|shall|can|may|will|do|did|must|could|would) "
    "(i|we)|(i|we) (will|would|can|could|should|shall|might|may|must|had to|have to|need to|decided "
    "to|had better|am going to|are going to|want to|used to)|when (did|will|do) (you|they|he|she)|"
    "(did|does|will|would|do) (he|she|they|it)|(he|she|they|it) (will|would|did|should|might|could|"
    "can)|(no need|no reason|not necessary) (for you )?to|let me|if (i|we|he|she|they)|before you|if "
    rf"you|until you|unless i|{_OTHERS_ORDER}|(why|how come) did( \S+)?|not ask(ing|ed)? (you|for you) "
    "to|usually|often|sometimes|(who|no one) (has )?(asked|told) (<COMPANY>) to|(why|do|did|does|"
    r"would)( \S+){1,2} want (<YOU>) to"
)

CEASE_RULES = (
    # stop calling me; would you kindly stop ringing this number; quit it with the calls
    english(
        "cease",
        "(stop|quit|cease|desist|cease and desist|cut out|refrain|abstain|discontinue|halt|end|give up|"
        "give over|leave off|lay off|pack in|finish|avoid|knock off)( (it|all|these|those|this|with|from|"
        "the|your|people|guys|<YOU>|always|constantly|continually|out|on|of|keep|now|and|that|by))* "
        f"(<CALLING>|<NAGGING>)( (up|to|at|in|on|for|after|about))?( (<OBJ>|{THIRD}))?( (<AGAIN>))*",
        before=_NO_ORDER,
        after=NOT_A_NAME
        + f"({NEXT}"
        + r"|\s(constantly|everyday|customers|the (public|elderly|neighbours|neighbors)|(old|elderly|older|"
        "innocent|poor|random|retired|sick|busy) (people|folks|folk)|pensioners|people|everyone|daily|"
        r"these|this|that|with|right|(?<=about )the|(?<=for )the|early|late|members|each|both)(\s|$))",
        otherwise=NEAR,
    ),
    english(
        "cease.calls",
        "(stop|quit|cease|end|discontinue|halt|knock (it )?off|cut (it )?out|enough|no more|put an end "
        "to|put a stop to|fed up|had it|desist|finish|block|pack it in)( (it|all|of|with|from|to|these|"
        "those|this|the|your|already|further|such|any|sending|making|giving|me|us|more|getting|having|"
        "placing|and desist( all)?|people))* ((<CALLKIND>) ){0,3}(<MANY_CALLS>)( (with|to) (me|us))?",
        before=_NO_ORDER + "|there (are|is|were|was)|(have|had|has|get|got|getting|received|were|with|after)( had)?",
        after=NEXT,
        otherwise=NEAR,
        scoped=True,
    ),
    # "stop to call me", "stop call me": learners' English, but not "stop by" or "stop and call me"
    english(
        "cease.learner",
        "(stop|quit)( to)? (call|ring|phone|contact|calls|bother|disturb|harass|text)( (<OBJ>))?( (<AGAIN>))*",
        before=_NO_ORDER + r"|bus|next|last|full|pit|the|a|non",
        after=NEXT,
        scoped=True,
    ),
    # if you do not stop, why won't you people stop, can't you stop calling
    english(
        "cease.insist",
        "((if|why|why is it that|unless|until)( (do|can|will|would))?( <YOU>)?( (do|can|will|would))?( "
        "not)?( <YOU>)?( not)?|(can|will|could|would|do)( not)? (<YOU>)( not)?) (stop|quit|cease) (it "
        "with )?(<CALLING>|<NAGGING>|the calls|these calls)( (<OBJ>))?( (<AGAIN>))*",
        before=r"or|know|remember",
        after=NEXT,
    ),
    english(
        "cease.insist",
        r"(if|unless|until) (<YOU>|this|it|these calls|the calls)( (do|does))?( not)? stop\S*( calling| "
        r"it| this| ringing)? (i|we) (\S+ ){0,4}(report|sue|police|complain\S*|complaint|lawyer|solicitor|"
        "legal|court|authorities|action)",
    ),
    english(
        "cease.stopyou",
        "(stop|prevent|block|keep) (<YOU>|them|people|anyone|all of this|this)( (from|ever))* (<CALLING>|"
        "<NAGGING>)( (<OBJ>))?",
        before=r"not|can not|did|to try|i will|nothing",
    ),
    english(
        "cease.these",
        "(these|the|your|those|all these|all the)( (<CALLKIND>)){0,2} (calls|phone calls) (really "
        ")?(need|needs|have|has|must|should|got|had better|better|to|are|will)( got)?( to)? (stop|end|"
        "cease|be stopped)( now)?",
    ),
    english(
        "cease.these",
        "(want|need|like|would like|make|get|have) (these|the|your|those|all these)( (<CALLKIND>)){0,2} "
        "(calls|phone calls|ringing|contact) (to )?(stop|end|stopped|cease|cut off)",
    ),
    # ten calls a day, please stop
    english(
        "cease.complaint",
        r"(calls|calling|ringing|phoning|call me|ring me)( \S+){0,7} (?<!not )(?<!will )(?<!to )(?<!did "
        ")(?<!i )(?<!they )stop( (it|this|that|them|these|now|bothering|harassing|immediately))?",
        before=r"(when|did|will|if|until|would|i am|was|who is|who)( \S+)?",
        after=r"\s*$|\s(i|we|or|thanks|thank|bye|do|please|take|remove|now)(\s|$)",
    ),
    english(
        "cease.you",
        "(will|would|can|could|when will|when are|why do|why will|why can|why would)( not)?( going to)? "
        "(you people|you guys|you lot|you all|you folks)( (ever|not|going to|all))* (stop|quit|give up|"
        "go away|leave)",
    ),
    english(
        "cease.you",
        r"^(will|would|can|could|why do|why will|why can)( not)? you( not)? stop",
        after=r"\s*$",
        meaning=NEAR,
    ),
    english("cease.desist", r"cease and desist", before=_NO_ORDER + r"|a|the|called"),
    english(
        "cease.told",
        "(told|asked|said to|warned|begged|begging|beg|requesting|request|urge|urging|(want|need|would "
        "like)(?= you)|warning|ordered|instructed|requested|been telling|been asking|telling|asking|tell|"
        r"ask|advise|inform) (<COMPANY>|<YOU> \S+)( (\S+ times|already|before|yesterday|last \S+|twice|"
        "again|repeatedly|many many times))? to (stop|quit|cease|go away|get lost|buzz off)",
        before="(he|she|they|who|boss|not|never|will|going to|did|do|does|if|(why|do|did|would|should) (would |"
        "should |do )?i)( have| had| has| you| not)?",
        after=r"\s*$|\s(i|we|so|and|please|but|this|it|why|already|before|now|many|several|calling|ringing|"
        "phoning|with|these|the calls|contacting|harassing|bothering|last|yesterday|a|three|two|twice|"
        r"again|how|or|you|do|stop)(\s|$)",
    ),
    english(
        "cease.harassment",
        "(this|it|that|that's) (is |it's )?(now |getting |becoming |pure |plain |like |just |called "
        ")*(harassment|harassing|stalking|a nuisance|spam|illegal|against the law|ridiculous|"
        r"unacceptable|getting old)( \S+){0,6} stop\S*",
        before=r"not",
    ),
    english("cease.harassment", r"stop( \S+){0,3} (harassment|harassing|harassment)", before=_NO_ORDER),
    # how many times do I have to say no / tell you not to / not interested
    english(
        "howmany",
        "how (many|much)( more)? times( (do|must|have|did|will|should|does|shall|need|am|got|had|can))?( "
        "(i|we|one|a person))?( (have|need|got|going|to|do|supposed))*( to)? (tell|told|say|said|ask|"
        r"asked|repeat|explain|telling|saying|asking)( \S+){0,6} (no|not|stop|off|remove|do not|never|"
        "removed|leave|unsubscribe|opt|delete|enough)",
    ),
    english(
        "howmany.open",
        "how (many|much) (more )?times (do|must|have|should|will|shall) (i|we) (have to |need to |got to "
        ")?(tell|told|say|said|ask|asked|repeat|explain)( <YOU>)?( this| it| that| the same)*",
        after=r"\s*$|\s(before|until|i|we)(\s|$)",
        meaning=NEAR,
    ),
)
