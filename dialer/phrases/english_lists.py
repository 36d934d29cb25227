"""English rules about lists: a number is taken off, deleted, forgotten."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, NEXT, english

# Where "take me off your list" is no order: denied, asked about, told of.
NO_ORDER = (
    "(?<!why do )(?<!why can )(?<!why will )(?<!why would )(?<!can you )(?<!if you do )(?<!could you "
    ")(?<!will you )(not|never)( (to|want|want you to|need to|have to|want you|try to|you))?|(not|"
    r"never)( \S+){1,2} to|did (you|they|he|she|we)|why (did|have|has|was|were) (you|they|my|our|"
    r"the)( \S+){0,2}|(have|has) (you|they) (already )?|(i|we|he|she|they) (will|did|might|should|"
    "could|had to)|(he|she|they|it) (will|would|can|could|to)|(told|asked) (me|us|him|her) to|"
    "(should|shall) (i|we)|no need to"
)
_WAS = (
    "(was|were|am|is|are|got|get|been|has|had|have|will|not|not to|not want to|being)( (already|now|"
    "just|also|never|not))?"
)
_OTHER_LIST = (
    "(?! (of|for) (?!(the )?(calls|numbers|people (you|to|who)|contacts|callers|customers|phone|this|"
    "marketing|yours|your|calling|telemarketing|good|ever|now)))"
)
END = r"\s*$|\s(<NEXT>)(?<!from)(?<!on)(?<!at)(?<!to)(\s|$)"
_FROMLIST = _OTHER_LIST + r"(?! attendees| please add)"

LIST_RULES = (
    english(
        "remove.rather",
        "(rather|prefer|prefer it if|appreciate it if|grateful if|like it if|wish|best if|great if|"
        "better if) (<YOU>)( would| could)? (took|take|removed|remove|deleted|delete|erased|erase) "
        "(<SELF>)( (off|out|(<OFF>) (<LIST>)))?",
        before="not",
        after=_FROMLIST,
    ),
    english(
        "forget",
        "not (authorize|allow|permit|want|consent to|agree to|wish)( (you|your company|anyone|people|for "
        "you))?( to)? (use|using|keep|keeping|have|having|store|storing|save|dial|dialing) "
        "(<SELF_NUMBER>)",
        before=r"(if|why|do|did|that) (you|they)( do| did)?",
    ),
    # take me off your list; remove our number from the database
    english(
        "remove.list",
        "(<REMOVE>|<REMOVED>|removing|taking|deleting|put|pick|have|keep|leave|move)( out| off| back| "
        r"all)? ((<SELF>)|(my|our) \S+( \S+)?|this( \S+)?|him|her|us all)( (completely|permanently|right|"
        "off|totally|entirely|all|altogether|straight|clean))* (<OFF>) (<LIST>)",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)",
        after=_FROMLIST
        + f"({NEXT}"
        + r"|\s(permanently|today|right|completely|forever|whatever|number|this|that|entirely|straight)(\s|"
        "$))",
        otherwise=NEAR,
    ),
    english(
        "remove.list",
        "(take|get|remove|scratch|cross|strike|delete|rub|cut|drop|knock)( (off|out|it|that))? (me|us) "
        r"(off|of|from|out of) (your|this|that|these|those|all your|any) \S+ (list|lists|database|system)",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)",
        after=r"(?! (of|for))",
        meaning=NEAR,
    ),
    english(
        "remove.clipped",
        "(pick|tick|tape|tack|tuck|kick|make|ache|think|taking|taken|tech|check|thank|they|may|big) (me|"
        "us) (off|of|from|off of) (your|this|that|the) (<LISTKIND> ){0,3}(list|lists|database)",
        after=r"(?! (of|for))",
    ),
    english(
        "remove.clipped",
        "(move|and move|we move|room|moved|or move|improve|prove|re|these|please|the leap|believe|elite) "
        "(<SELF_NUMBER>) (off|of|from|out of|off of) (your|this|that|the|all your) (<LISTKIND> "
        "){0,3}(list|lists|database|system|records)",
        before=r"(get|got|is|was|not|did|have)( \S+)?",
    ),
    english(
        "remove.open",
        "(?:could you|can you|would you|will you|must|to|and|^) (?!(?:put|get|got|find|found|check|see|"
        "read|have|know|tell|use|is|send|give|show|change|update|correct|add|confirm|look|keep|leave|"
        r"call|not|spell|verify|want|lose|lost|took|see)\b)\S+ (<SELF>) (<OFF>) (all )?(of )?(your|this|"
        "that) (<LISTKIND> ){0,3}(list|lists|database|databases|system|systems|records|files|books|"
        "directory|register)",
        before=r"not|(not|never) \S+|did you|(i|we|he|she|they)( \S+)?",
        after=_FROMLIST,
    ),
    english(
        "wantoff",
        "(i|we|my number|this number|my name|number|name|our number)( (should|must|ought|do|does|can))+ "
        "(not|never)( (to|be|belong|have|ever))+ (been )?(on|in) (your|this|that|any|the) (<LISTKIND> "
        "){0,3}(list|lists|database|system|records|files)",
        after=_FROMLIST,
    ),
    english(
        "wantoff",
        "(could|can|may|should|might) (i|we|my number|this number) (come|go|get|be) (off|out of|out "
        "from) (of )?(your|this|that|the) (<LISTKIND> ){0,3}(list|lists|database|system|records)",
        after=_FROMLIST,
    ),
    english(
        "remove.off",
        "(take|cross|strike|scratch|remove|get|bump) (<SELF>) off( (there|that|it|this|of there|of that|"
        "of it|of this|completely))?",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)|(to )?(get|will)",
        after=END,
    ),
    english(
        "remove.off",
        r"(take|remove|get|pull) (<SELF_NUMBER>) (out|away)( of (there|it|that|this))?",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)|to|you|get|(?<!\S)i",
        after=r"\s*$|\s(and|i|thanks|thank|now|or|bye|so|because)(\s|$)",
    ),
    english("remove.off", r"(take|cross|strike|scratch|knock) off (<SELF_NUMBER>)", before=NO_ORDER, after=END),
    # remove my number; delete our details; remove me
    english(
        "remove.number",
        "(remove|delete|erase|expunge|suppress|wipe|clear|purge|strike|scrub|deregister|delist|re move|"
        "drop|cancel|scratch|withdraw|discard|deleting|removing|block|deactivate|blacklist)( out| all)*( "
        "of)? ((<SELF_NUMBER>)|that number|the number|(my|our|this) (mother|father|wife|husband|son|"
        "daughter)'?s? (number|name|details))",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)",
        after=END + r"|\s(permanently|immediately|completely|forever|on your|at your|in your|from your|so|too)(\s|$)",
        otherwise=NEAR,
    ),
    english(
        "remove.me",
        "(remove|delete|unsubscribe|unlist|deregister|delist|un subscribe|unsubscribed|re move|"
        "blacklist)( (me|us|this one))",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)",
        after=r"\s*$|\s(and|i|we|or|because|thanks|thank|bye|goodbye|sir|madam|mate|now|permanently|completely|"
        "altogether|it|this|don|do|stop|so|as|immediately|today|right|forever|will|would|can|could|there|"
        "all|from (this|these|that|your|all|any|the|further|future)( <CALLKIND>){0,3} (<CALLS>|call|"
        "service|thing|calling|<LIST>)|from (this|that|these|here|everything|it|your (company|service|"
        r"services|end)|all of (it|this))(\s|$)|off)(\s|$)",
    ),
    english(
        "remove.list",
        "(remove|delete|take|erase|get|scrub|wipe) (it|that|them|this one|both) (off|from|out of|off of) "
        "(all )?(of )?your (<LISTKIND> ){0,3}(list|lists|database|system|records)",
        before=NO_ORDER,
        after=_FROMLIST,
    ),
    english(
        "remove.it",
        "(remove|delete|erase|lose|forget|scratch|take|cross) (it|that)( (off|out|from (<LIST>)))?",
        before=NO_ORDER + r"|(i|we) (have|had|would|will)|(\S+ ){0,4}(item|order|address|line|basket|card)( \S+)?",
        after=r"\s*$|\s(and|please|i|don|so)",
        meaning=NEAR,
    ),
    # I want my number removed; can I be taken off the list; I'd like to be removed
    english(
        "removed.number",
        "(want|need|like|have|get|see|wish|prefer|expect|request|demand|require|make sure|ask|asking|"
        "asked|requesting|requested|insist|having|that|sure|ensure)( (that|for|to have|to get|to see|you "
        "to have|all|of))* ((<SELF>)( (to be|be|is|gets|must be|was|were|are|should be|to get))* "
        r"(<REMOVED>)( (out|off))?( (<OFF>) (<LIST>)| (<LIST>))?|((<SELF>)|(my|our) \S+|him|her|it)( (to "
        "be|be|is|gets|must be|was|were|are|should be|to get))* (<REMOVED>|off|out)( (completely|"
        "permanently|now))? (<OFF>) (<LIST>))( list)?",
        before=r"not|(do|did|if) (you|they)|why (do|did) you|(not|never) \S+|(i|we) did",
        after=_FROMLIST
        + f"({END}"
        + r"|\s(from (your|there|this|that|here|it)|immediately|off|too|at once|today)(\s|$))",
        otherwise=NEAR,
    ),
    english(
        "removed.number",
        "(my|our|this)( <PLACEWORD>){0,2} (<IDENT>)( number| details)? (must|needs to|has to|should|to|"
        "is to|better|can|could|ought to|need to|have to|shall)( now)? ?(be|get)? (<REMOVED>|come off|go|"
        "off)( (<OFF>) (<LIST>))?( list)?",
        before=r"if|why|was|did",
        after=_FROMLIST + END,
        otherwise=NEAR,
    ),
    english(
        "removed.number",
        r"(could|can|would|may|should|will) (you )?(please )?((<SELF_NUMBER>)|(my|our) \S+) (be|get) "
        "(<REMOVED>)( (<OFF>) (<LIST>))?",
        after=_FROMLIST + END,
        otherwise=NEAR,
    ),
    english(
        "removed.me",
        "(be|get|getting|being|to) (<REMOVED>|off|delete)( (completely|permanently|entirely|please|right|"
        "straight))*( (<OFF>) (<LIST>)| (<LIST>)| off(?<=ken off))",
        before=_WAS
        + r"|(not|never|hate|sorry)( \S+){0,2} to|(i|we|he|she|they) (will|would)|(will|should|do|did|must) "
        r"(i|we|he|she)|(when|why)( \S+){1,3}|(he|she|they)( \S+)? to|let (?!me|us)\S+",
        after=_FROMLIST + f"({NEXT}" + r"|\s(today|permanently|right|completely|number|immediately|altogether)(\s|$))",
        otherwise=NEAR,
    ),
    english(
        "removed.me",
        "(want|like|need|wish|prefer|ask|asked|asking|demand|request|requested|insist|i have|i must|i "
        "should|could i|can i|may i|could we|can we|how (do|can) i|possible|way|able|prefer it|love|"
        "supposed)( (for me|for us|that i|that we|if i))*( to)? (be|get) (removed|taken off|deleted|"
        "unsubscribed|deregistered|taken out|opted out|delisted)",
        before=r"not|(not|never) \S+|(did|do|if) you|not want|(i|we) (will|do not|did not)|why should|he|she|"
        "they|you",
        after=END + r"|\s(from (this|these|that|your|all|any|the|further|future)( <CALLKIND>){0,3} (<CALLS>|service))",
    ),
    english(
        "removed.sure",
        "(see|sure|ensure|certain|confirm|check|guarantee|want|promise)( (to it|me))?( that)? (i am|we "
        "are|i get|we get|i'm|this number is|my (number|name) (is|gets|has been))( (completely|"
        "permanently|actually))* (<REMOVED>)( (<OFF>) (<LIST>)| off)?",
        before="not|am",
        after=_FROMLIST,
    ),
    english(
        "wantoff",
        r"(want|need|get|like|wish|please|getting|stay)( (to|me|us|my \S+|this number|be|get|right|go|"
        "come))*( off| of| out of| out) (of )?(your|this|that|these|those|the|all your|any of your|all|"
        "whatever|every) (<LISTKIND> ){0,3}(list|lists|database|system|records|call list|calling list)",
        before=r"not|never|(not|never) \S+|did (you|they)|not want to|(i|we|he|she|they) (did|will|could not|can "
        r"not)|why (did|was|were)( \S+){0,2}",
        after=_FROMLIST,
        scoped=False,
    ),
    english(
        "wantoff",
        "^(off|of|from|out of) (your|this|that) (<LISTKIND> ){0,3}(list|lists|database|system|records)",
        after=_FROMLIST,
    ),
    english(
        "wantoff",
        "(not|never|no longer|rather not|prefer not) (want|wish|like|care|to|supposed|need|asked|ask|"
        r"agree|consent|even)( to)?( be)?( \S+)? ?(on|in) (your|this|that|any|these|the|whatever|anyone's|"
        "some|a|your company's) (of your )?(<LISTKIND> ){0,3}(list|lists|database|system|records|"
        "directory|books|mailing|files)",
        before=r"(do|did|if) (you|they)|you",
        after=_FROMLIST,
    ),
    english(
        "wantoff",
        "(not|never|no longer|nor)( (want|wish|like|have|keep|need|see|should|leave|put|store|use|retain|"
        r"hold|share|include|add|sell))+( (you|to|have|keep|see|having|keeping|be|use|your \S+))* "
        "((<SELF_NUMBER>)|me|us) (on|in|to|at) (<LIST>)",
        before=r"(do|did|if) you|(i|we) (did|do|will)|you|(he|she|they)( \S+)?",
        after=_FROMLIST,
        otherwise=NEAR,
    ),
    english(
        "wantoff",
        "(how|what|where|who)( (do|can|could|would|should|does|must|will|to|have))+( (i|we|one|you))?( "
        "(do|have|need|say|contact|speak|talk|go|call|dial|press|sign|ask|to|get))*( to)? (get|be|take|"
        r"getting|have|come|stop)( (me|us|myself|my \S+|out|off|taken|removed|getting|receiving|having))* "
        "?(off|from|out of|these|your|this)? ?(of )?(your|this|that|the|these|those|all these|such|any "
        "more)? ?(<LISTKIND> ){0,3}(<CALLKIND> ){0,3}(list|lists|database|system|calls|phone calls)",
        before="know",
        after=_FROMLIST,
    ),
    english(
        "wantoff",
        "(way|want|like|how|need|able|anything|possible)( (i can|can i|do i|i could|we can|to be able|do "
        "we|i do|to do|for me|you can do))*( to)? (stop|end|avoid|block|not get|not receive|prevent|opt "
        "out of|quit)( (getting|receiving|all|having|from))*( (all|these|your|those|this|such|the|any|"
        "further|more))+( <CALLKIND>){0,3} (calls?|phone calls?)",
        before=r"not|you|(not|did you) \S+",
    ),
    english(
        "whyon",
        r"(why|how|how come)( (am|are|is|did|do))* (i|we|my \S+|this number)( (still|get|got|end up|come|"
        "be|even))* (on|in|onto) (your|this|that|the|a) (<LISTKIND> ){0,3}(list|database|system)",
        meaning=NEAR,
    ),
    english(
        "said.off",
        r"(you|they|someone|he|she|lady|guy|man|\S+ company)( (people|guys|had|have))*( (said|promised|"
        "told me|told us|assured me|confirmed|were supposed|were going|agreed))( that)?( (you|i|we|that|"
        "it|they|to|would|had|will|was|were|have|be|been|should|did))* (taken|take|remove|removed|taking|"
        "removing|deleted|delete) (me|us|(<SELF_NUMBER>))( (off|from|out of))?( (<LIST>))?",
        before=r"not|if",
        after=r"\s*$|\s(last|and|already|so|but|yesterday|before|weeks|months|a|why|this|why)(\s|$)",
    ),
    english("said.off", r"thought( \S+){1,4} (removed|taken|deleted|took) ((<SELF>)|off)", meaning=NEAR),
    # lose my number; forget you have my number; get rid of my number
    english(
        "forget",
        "(forget|forget about|lose|throw away|throw out|throw|tear up|tear|rip up|bin|trash|ditch|burn|"
        "dump|scrap|chuck|chuck out|get rid of|destroy|shred|discard|junk|toss|toss out|bury|loose|luz|"
        "do not keep|do not use|do not save|do not store|stop using|quit using|never use|do not share|do "
        "not have|do not sell|do not try|do not dial)( (about|away|out|that|you|have|ever|had|has|got|we|"
        "know|knew|ever had|even|all))* (my|our|this|the(?= (number|phone number)$)) (phone |mobile |"
        "cell |telephone |home |house |work |damned )*(number|name|contact|details|contact details|"
        "contact info|information|numbers|line|number exists?|phone)( (away|out|up|down the toilet|"
        "exists|existed|in the bin|again|any more|completely|for good|ever|and everything))*",
        before=r"(not|never)( \S+)?|i|we|he|she|they|you|who|always|often|(i|we|he|she|they|did you|do you|to|"
        "not) (will|did|do|always|might|tend to|may|would|could|never|can not|not|ever|want to|often|not "
        r"want to|must)|did you( \S+)?|(i|we) (\S+) to|if you",
        after=NEXT,
        otherwise=NEAR,
    ),
    english(
        "forget",
        "do not (keep|use|call|ring|try|save|store|share|sell) (my|our|this) (phone |mobile |cell |"
        "telephone |home )*(number|details|information|data)( (again|any more|for marketing))*",
        before=r"i|we|they|you|he|she|why|people",
        after=NEXT,
    ),
)
