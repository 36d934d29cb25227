"""English rules of the doubtful zone, near-misses all: no interest, insults, complaints, other channels."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, NEXT, english

DOUBTFUL_RULES = (
    english(
        "offer.stop",
        r"(not interested|no interest|no thanks|do not need (it|this|any of this|anything))( \S+){0,4} "
        "(stop|quit)( (it|this|now))?",
        after=r"\s*$|\s(thanks|thank|bye|i|we)",
        before=r"if( \S+)?",
    ),
    english(
        "offer",
        "not (really |at all |so |very |too |even |remotely )?(interested|interesting|intrested|inter "
        "rested)|no interest( in)?|uninterested|lost interest",
        before=r"(if|whether) (you|he|she|they)( are| is)?",
        meaning=NEAR,
        after=r"(?! in (the|a|that|this) \S+( \S+)? (but|tell|what|though|show)| but (my|what|tell|i|the))",
    ),
    english(
        "offer",
        "not (want|care|wish|like) to (talk|speak|discuss|chat|listen|deal|do business|be disturbed|be "
        "bothered)( (to|with|about))?( (you|it|this|<YOU>))?",
        before=r"you",
        after=r"(?! about (it|that|the|my)|( about it)?\s(yet|on the phone))",
        meaning=NEAR,
    ),
    english(
        "offer",
        "(go away|get lost|buzz off|piss off|fuck off|bugger off|clear off|sod off|jog on|go to hell|get "
        "stuffed|screw you|shove off|beat it|take a hike|get out of here|drop dead|shut up|fuck you|f "
        "off|naff off|hop it|scram|get off my (phone|line)|get off the (phone|line)|do one)",
        before=r"(will|did|not|would|to|he|she|it|need to|i)( not| to)?",
        meaning=NEAR,
    ),
    english(
        "stop",
        "(stop|enough|quit)( (it|this|that|now|already|talking|there|right there|please|is enough|doing "
        "this|wasting my time))*|cease",
        before=r"\S+",
        after=r"\s*$",
        meaning=NEAR,
    ),
    english(
        "stop",
        r"(stop|quit) (it|this|doing this|that|wasting my time|emailing me|mailing me|sending me (\S+ "
        "){0,2}(emails?|letters?|texts?|mail|messages?|stuff|anything))",
        before=r"not|did you|i|we|he|she|they|to",
        meaning=NEAR,
        after=NEXT,
    ),
    english(
        "harassment",
        "(this|it|that|that's)( is| feels like| it's)?( now| getting| becoming| pure| plain)* "
        r"(harassment|harassing|stalking|spam)|you are harassing( \S+)?|harassing me",
        before=r"not",
        meaning=NEAR,
    ),
    english(
        "report",
        "(i|we) (will|am going to|are going to|am|can|shall|would|want to|might|have to) (report|"
        "reporting|sue|suing|complain|complaining|file a complaint|block|blocking|be (reporting|blocking|"
        r"complaining))( about)?( (<YOU>|your number|this number|this|your \S+|this call))",
        before=r"not|why",
        meaning=NEAR,
    ),
    english(
        "report",
        "(i|we) (will|am going to|am) (call|calling|phone|phoning|ring|get|getting) (the )?(police|cops|"
        "authorities|my lawyer|my solicitor)",
        meaning=NEAR,
        after=r"\s*$|\s(on you|if|now|right)",
    ),
    english(
        "report",
        r"(you are|your number is|you will be|this number is)( \S+){0,3} (block|blocked) list|(i|we) "
        "(have )?(blocked|am blocking|will block|are blocking) (you|your|this)( number)?",
        meaning=NEAR,
        after=r"(?! by (accident|mistake))",
    ),
    english(
        "keepcalling",
        "(why|you|how come|you people|keep)( (do|are|is it|have|does|all|always|guys|people|must))*( "
        "(you|your company|they|people))?( (all|always|guys|people))* (keep|keeps|still|constantly|"
        "always|continue|continuing|keep on|been)( to)? (<CALLING>|<NAGGING>|ring|call|phone)( (<OBJ>))?",
        meaning=NEAR,
        before=r"(he|she|they|it|will|do not|can)",
    ),
    english(
        "keepcalling",
        "(why are you|you are)( people| guys)? (calling|ringing|phoning|bothering|harassing|contacting)( "
        "(<OBJ>))? (<AGAIN>)",
        meaning=NEAR,
    ),
    english(
        "mynumber",
        "(who|where|how)( (gave|did|do|have|has|on earth|the hell|you|your company|they|told|from|"
        "was))*( (get|got|find|have|obtain|receive|gave|give|come by|take))*( (you|it))* (my|this|our) "
        "(phone |mobile |cell |home )?(number|name|details|information|data|contact)",
        meaning=NEAR,
        before=r"(know|remember|idea)",
        otherwise=NEAR,
    ),
    english(
        "mynumber",
        "(never|not) (given|gave|give|gives|signed up|sign up|agreed|agree|subscribe|subscribed|asked|"
        "ask)( (you|anyone|them|out|your company))*( (for|to))?( (my|our|this|these|any of this))*( "
        "(number|details|phone number|information|this|any of this))",
        before=r"(you|did you|and|he|she)",
        after=r"\s*$|\s(to (you|anyone)|i|so|and|how|please|service)",
        meaning=NEAR,
    ),
    english(
        "needless",
        r"(no need|not necessary|no reason|not have to|not need( \S+)? to|not bother|no point)( (to|for|"
        "in|you|bother))* (<CALL>|<CALLING>|be (<CALLED>))( (me|us|back|here|again))*",
        meaning=NEAR,
        before=r"i|we|i do|we do|i am",
        after=r"(?! (first|before|ahead|for an appointment|the))",
    ),
    english(
        "channel",
        "(do not|never|stop|quit) (email|emailing|mail|mailing|e mail|write|writing|post|posting|fax|"
        "faxing|send|sending|visit|come|knock|coming|talk|speak) ?(to )?(me|us|my|here|any|any more)?( "
        r"(any|more|your|these|\S+)){0,2}",
        before=r"i|we|they|he|she|you|why",
        meaning=NEAR,
        after=r"(?! yet)",
    ),
    english(
        "channel",
        "(unsubscribe|remove|take|delete) (me |us |my (email|address|e mail)( address)? )?(from|off)( "
        r"of)? (\S+ ){0,2}(newsletters?|emails?|e mails?|mailings|email list|e mail list|texts?|text "
        "messages|sms|offers|post|promotions|app|website)",
        before=r"not|did you|how to",
        meaning=NEAR,
    ),
    english(
        "dislike",
        "(hate|dislike|not like|not appreciate|not enjoy|not happy (with|about)|annoyed (by|with|at)|"
        "irritated by|bothered by|uncomfortable with)( (getting|receiving|all))*( (<SOMECALLS>)|you "
        "(<CALLING>|<NAGGING>)( (<OBJ>))?|being (<CALLED>))",
        before=r"you",
        meaning=NEAR,
    ),
    english(
        "account",
        r"(delete|close|cancel|erase) (my|our|the) (account|subscription|profile|membership)",
        before=r"not|did you|to",
        meaning=NEAR,
    ),
)
