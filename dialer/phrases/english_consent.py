"""English rules about consent that is withdrawn or was never given, objections, and threats of a complaint."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, NEXT, english

CONSENT_RULES = (
    english(
        "consent.withdrawn",
        "(withdraw|withdrawing|revoke|revoking|cancel|cancelling|canceling|rescind|rescinding|retract|"
        "retracting|take back|taking back|remove|pull|terminate|end|withdrawn|withdrew|revoked|"
        "withdrawing|with draw|drawback|annul|void|stop)( (my|our|any|all|the|every|previous|prior|"
        "earlier|of|whatever|your|that|this|marketing|it))* (<CONSENT>)( back)?",
        before=r"not|never|(not|never)( \S+){1,2}|(did|have|had|should|if|when|will|would|can|could) (you|they|i|"
        r"he|she)( \S+)?",
    ),
    english(
        "consent.withdrawn",
        "(how|where|can|could|may|want|like|wish|need) (can |do |could |may )?(i |we )?(to )?(withdraw|"
        "revoke|cancel|rescind)( (my|our|any|the))* (<CONSENT>)",
        before="not",
    ),
    english(
        "consent.withdrawn",
        "(consent|permission)( (is|has been|was|is hereby|hereby|as))?( now)? (withdrawn|revoked|"
        "cancelled|canceled|rescinded|denied|refused)",
    ),
    english(
        "consent.denied",
        r"(do|does|did|have|has|had) (not|never)( \S+)? (consent|consented|(authorized|authorize)(?= (to|"
        "you|these calls|this call|any)))( (to|for|you))*( (this|these|your|be|being|receive|receiving|"
        "getting|any|the|calls?|phone calls?|<CALLED>|you|<CALLING>|marketing|of))*",
        before=r"you|they|(if|that|why|did|do|but) (you|they)",
        after=NEXT,
        otherwise=NEAR,
    ),
    english(
        "consent.denied",
        "(never|no longer|not) (consent|consented|agree|agreed|sign up|signed up|opt in|opted in|ask|"
        "asked|subscribed|subscribe|request|requested|register|registered|applied)( (to|for|you|in|up))* "
        "((be|being|get|getting|receive|receiving|have|having|any|these|your|this|that|such|you|the|a|"
        "of)( any| these| your| this| any of)* )?((<CALLKIND>) ){0,3}(calls|call|phone calls|phone call|"
        "<CALLED>|<CALLING>|marketing|contact)( (<OBJ>))?",
        before=r"you|did you|(if|that|why|have|do) you( did)?",
    ),
    english(
        "consent.denied",
        r"(no longer|not|never) (consent|agree)",
        before=r"you|they|i do|i",
        after=r"\s*$",
        meaning=NEAR,
    ),
    english(
        "consent.denied",
        r"i (do not|no longer) (consent|agree to be (<CALLED>))",
        after=r"\s*$|\s(to (this|these|your|being|be|any|calls)|and|so|please|stop|i|any)",
    ),
    english(
        "consent.denied",
        "(not|never|no longer|no one)( (ever|have|has|had|did|even))*( (give|gave|given|granted|grant|"
        r"get|got|getting|have|gives|giving))( (you|your \S+|them|anyone|my|our|any|the|to you|me|us|"
        r"people|of you|company))* (<CONSENT>)( (to|for|from))*( (me|us|my \S+|any|this|these|your|be|"
        "being|you|<CALL>|<CALLING>|<CALLED>|calls?|ring|phone|here|marketing|that|number|line|house))*",
        before=r"(did|do|have|if|that|why) (you|they)|(if|that) i",
        after=NEXT,
        otherwise=NEAR,
    ),
    english(
        "consent.none",
        "(have|has|got|with)( (no|not|never|zero|absolutely no|no such|not got)) (got |have |had |any |"
        "my |our |been given |the |legal )*(<CONSENT>|right|business|authority)( (to|for|from))*( (keep|"
        r"be|me|us|my \S+))* (<CALL>|<CALLING>|<NAG>|<NAGGING>|use|be in)",
        before=r"(if|do|that) (i|we)|(?<!\S)(i|we|they|he|she)",
    ),
    english(
        "consent.none",
        "(<YOU>|company)( (do|does|did))?( (have|has|got|had))* (no|not|never)( (have|had|got|get|gotten|"
        "received|any|my|our|been given|given|absolutely|legal|the))* (<CONSENT>)",
        before=r"(if|do|that|why) ?",
        after=NEXT,
        otherwise=NEAR,
    ),
    english(
        "consent.none",
        "(calling|call|ringing|contacting|phoning|phone|ring|contact|called|contacted)( (me|us|this|my|"
        "number|phone|here|people))* (without|with no|with out)( (any|my|our|prior|the|getting|express|"
        "proper))* (<CONSENT>)",
        before=r"i am|i|we|we are|by",
    ),
    english("consent.none", r"without( (my|our|any))+ (<CONSENT>)", meaning=NEAR),
    english(
        "consent.none",
        "who (gave|told|allowed|authorized|asked) you( (the|to|my|permission|right|authority|consent))* "
        "(to )?(call|ring|phone|contact|use)",
        meaning=NEAR,
    ),
    # I object; under the data protection act
    english(
        "object",
        "(i|we|hereby|formally|want to|like to|wish to|my right to|right to) (hereby |formally |strongly "
        "|strenuously )?(object|objection|objecting|oppose)( (to|against))( (any|all|these|your|you|this|"
        "further|direct|the|being|my|use|processing|of|getting|receiving|data|for|personal))* "
        "((<CALLKIND>) ){0,3}(calls?|phone calls?|marketing|<CALLED>|<CALLING>|data|contact|number|"
        "processing)",
        before=r"not|no",
    ),
    english("object", r"right to (be forgotten|erasure|object)", before=r"the|your|a|what is the", meaning=NEAR),
    english(
        "object",
        r"(exercise|exercising|use|using|invoke|invoking|have)( \S+)? right to (be forgotten|erasure|"
        "object|opt out|be removed|be deleted)",
    ),
    # if you call again I'll report you
    english(
        "threat",
        "(keep|keep on|carry on|continue) (<CALLING>|<NAGGING>)( (<OBJ>))? (and|or) (i|i'm|we|my|you)( "
        r"\S+){0,5} (report|reporting|sue|suing|police|complain|complaint|lawyer|attorney|solicitor|legal|"
        "court|authorities|block)",
        before=r"i|they|he|she",
    ),
    english(
        "threat",
        "(if|next time|the next time|every time|any time|one more|another|when|should)( (i|you|that|"
        "<YOU>|get|receive|ever|do|anyone|dare|to))* (<CALL>|<CALLING>|<NAG>|calls|call|phone call|rings|"
        "keep calling|keep ringing|keep on calling|keep harassing)( (up|for|from))?( (<OBJ>|<YOU>))?( "
        r"(<AGAIN>|one more time))*( and| then)? (i|i'm|we|my|there|you|it)( \S+){0,6} (report|reporting|"
        "reported|sue|suing|police|cops|complain|complaining|complaint|complaints|lawyer|attorney|"
        "solicitor|solicitors|legal|court|authorities|ofcom|ftc|fcc|ombudsman|regulator|ico|harassment|"
        "trai|lawyers|sorry|trouble|block|blocked|blocking|prosecute|action)",
    ),
    english(
        "threat",
        "((keep|keep on|carry on|continue) (<CALLING>|<NAGGING>)|one more call|another call|call|ring|"
        "phone|contact|harass|bother|text|message)( (me|us|here|this number|this house))?( (again|once "
        r"more|one more time|back|one time more))+ (and|or|then)? ?(i|i'm|we|my|you|see)( \S+){0,5} "
        "(report|reporting|reported|sue|suing|police|cops|complain|complaining|complaint|lawyer|attorney|"
        "solicitor|legal|court|authorities|block|blocked|sorry|regret|harassment|action|trouble)",
    ),
    english(
        "threat",
        "(report|reporting|sue|suing|complain|complaining|police|complaint|lawyer|legal action|"
        r"authorities|ofcom|ftc|block|blocking|harassment|court)( \S+){0,5} (if|next time|should|when)( "
        "(i|you|get|<YOU>|ever|do|dare|to|receive)){1,4} (<CALL>|<NAG>|<CALLING>|keep calling|keep "
        "ringing|another|any more|one more|call|do not stop)( (<OBJ>|call|calls|phone call|from you))?( "
        "(<AGAIN>|one more time))*",
        before="did you",
    ),
)
