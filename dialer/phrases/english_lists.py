"""English rules about lists: numbers are removed, forgotten, put among those not to be called; opting out."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, NEXT, english

# Where "take me off your list" is no order: denied, asked about, told of.
_NO_ORDER = (
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
_END = r"\s*$|\s(<NEXT>)(?<!from)(?<!on)(?<!at)(?<!to)(\s|$)"
_FROMLIST = _OTHER_LIST + r"(?! attendees| please add)"

LIST_RULES = (
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
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)",
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
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)",
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
        "remove.off",
        "(take|cross|strike|scratch|remove|get|bump) (<SELF>) off( (there|that|it|this|of there|of that|"
        "of it|of this|completely))?",
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)|(to )?(get|will)",
        after=_END,
    ),
    english(
        "remove.off",
        r"(take|remove|get|pull) (<SELF_NUMBER>) (out|away|down)( of (there|it|that|this))?",
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)|to|you|get|(?<!\S)i",
        after=r"\s*$|\s(and|i|thanks|thank|now|or|bye|so|because)(\s|$)",
    ),
    english("remove.off", r"(take|cross|strike|scratch|knock) off (<SELF_NUMBER>)", before=_NO_ORDER, after=_END),
    # remove my number; delete our details; remove me
    english(
        "remove.number",
        "(remove|delete|erase|wipe|clear|purge|strike|scrub|deregister|delist|re move|drop|cancel|"
        "scratch|withdraw|discard|deleting|removing|block|deactivate|blacklist)( out| all)*( of)? "
        "((<SELF_NUMBER>)|that number|the number|(my|our|this) (mother|father|wife|husband|son|"
        "daughter)'?s? (number|name|details))",
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)",
        after=_END + r"|\s(permanently|immediately|completely|forever|on your|at your|in your|from your|so|too)(\s|$)",
        otherwise=NEAR,
    ),
    english(
        "remove.me",
        "(remove|delete|unsubscribe|unlist|deregister|delist|un subscribe|unsubscribed|re move|"
        "blacklist)( (me|us|this one))",
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)",
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
        before=_NO_ORDER,
        after=_FROMLIST,
    ),
    english(
        "remove.it",
        "(remove|delete|erase|lose|forget|scratch|take|cross) (it|that)( (off|out|from (<LIST>)))?",
        before=_NO_ORDER + r"|(i|we) (have|had|would|will)|(\S+ ){0,4}(item|order|address|line|basket|card)( \S+)?",
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
        + f"({_END}"
        + r"|\s(from (your|there|this|that|here|it)|immediately|off|too|at once|today)(\s|$))",
        otherwise=NEAR,
    ),
    english(
        "removed.number",
        "(my|our|this)( <PLACEWORD>){0,2} (<IDENT>)( number| details)? (must|needs to|has to|should|to|"
        "is to|better|can|could|ought to|need to|have to|shall)( now)? ?(be|get)? (<REMOVED>|come off|go|"
        "off)( (<OFF>) (<LIST>))?( list)?",
        before=r"if|why|was|did",
        after=_FROMLIST + _END,
        otherwise=NEAR,
    ),
    english(
        "removed.number",
        r"(could|can|would|may|should|will) (you )?(please )?((<SELF_NUMBER>)|(my|our) \S+) (be|get) "
        "(<REMOVED>)( (<OFF>) (<LIST>))?",
        after=_FROMLIST + _END,
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
        after=_END + r"|\s(from (this|these|that|your|all|any|the|further|future)( <CALLKIND>){0,3} (<CALLS>|service))",
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
    # put me on the do not call list; add this number to your do not call list
    english(
        "dnc.put",
        "(put|add|place|list|include|enter|register|sign|get|mark|place|keep|log|record|note|flag|stick|"
        "have|want|admit|edit|set|tag|update|move|load|code|need|go|be|list|ad|at)( (me|us|him|her|it|"
        r"myself|my \S+|our \S+|this|that|number|phone|line|you|house|up|down|name|both|all|of|numbers|"
        "household|one|to|be|put|added|placed|phone number|account))*( (on|onto|to|in|into|as|with|for|"
        "under|among|on to|and|down))+( (the|your|a|our|you|company|companies|national|federal|state|"
        "internal|own|that|this|their|company's|official|personal|nor))* (<REGISTER>)",
        before=r"not|never|did (you|they|he|she)|(not|never) \S+|(you|they)|can not|(should|do|does|am|was|were|"
        r"if|why do|why should|did) (i|we)( \S+)?",
        otherwise=NEAR,
    ),
    english(
        "dnc.put",
        "(mark|put|note|set|flag|list|tag|code|register)( (me|us|this|that|my|our|it|number|down|phone|"
        "line|household|account|name|as|a))* (<DNC>)",
        before=r"not|never|did you",
    ),
    # I'm on the do not call list; this number is registered with the TPS; activated DND
    english(
        "dnc.stated",
        "(i am|i'm|we are|am|are|number is|phone is|line is|this is|is|been|numbers are|number has been|"
        "that's|phone's|number's|number|it's|it is|i have been|which is|was|were|got|house is|me|we're|"
        "we|got)( (already|also|all|currently|both|now|actually|supposed to be|still|always|been|"
        "even))*( (registered|listed|signed up|put|placed|enrolled|added|a member|signed|under|on|in|"
        "with|to|for|at|subscribed|part of|protected by|register))*( (on|in|with|to|for|under|of|by|"
        "at))( (the|your|a|national|federal|state|full|fully|uk|official|complete|indian|government|"
        "governments|own|this|that|called|company|service))* (<REGISTER>)",
        before=r"(is|are|am|was|if|what|who|not|people|why is|they|never)( \S+)?|if( \S+){1,3}|is( \S+){1,3}",
        after=r"(?! (so )?(what|right|or not))",
        otherwise=NEAR,
    ),
    english(
        "dnc.stated",
        "(tps|ctps|ndnc|do not disturb|telephone preference|do not call) (registered|activated|registry|"
        "register|enabled|active|on|service|subscribed|list|mode|is active|is activated|is on|is enabled|"
        "category|full|number)( (number|member|on my|on this|for this|and|so|why|already|please|"
        "customer))*",
        before=r"(the|a|what is|what|is|not|my|if|called|it|that|is this|about|of|have|phone on)( \S+)?|(i|we|"
        "they|people)",
        after=r"\s*$|\s(number|please|on|i|why|and|so|you|stop|me)",
        otherwise=NEAR,
    ),
    english(
        "dnc.stated",
        "(activated|registered|enabled|opted|subscribed|registered for|have|turned on|signed up for|put|"
        "applied)( (my|this|for|the|in|with|to|on|under|number|it|full|fully|phone|up))* (tps|ctps|ndnc|"
        "do not disturb|dncr|telephone preference service)( (service|list|registry|on this number|"
        "registered))?",
        before=r"(if|not|never|did|have you|do you|to)( \S+)?",
    ),
    english(
        "dnc.stated",
        r"^(the )?(do not call|no call) (list|lists|register|registry)",
        after=r"\s*$|\s(please|me|now|put|sir|i|and|thanks|for)",
    ),
    english(
        "dnc.bare",
        r"(<DNC>) (list|lists|register|registry|registered|least|lisa|lease|this)",
        meaning=NEAR,
        before=r"(what is|what|the|a|called|of|about)( \S+)?",
    ),
    # opt out, unsubscribe
    english(
        "optout",
        r"(opt|opting|opted|opts|opt me|opt us|opt my \S+|opt this number|opt my number|opting me|opt our "
        r"\S+|up to opt)( me| us)? out",
        before="(?!(to|i|we|and|please|me|us|am|are|by|now|so|just|hereby|will|no|list|calls|yes|sorry|hi|hello|"
        r"already|have|had|want|like|wish|would|can)(\s|$))\S+|(not|never|what does|what is|what's|your|"
        r"the|an|before you|if|without|does|means|mean|called|free to|no)( \S+)?|(not|never)( \S+){1,3}|"
        r"did you|(he|she|they|you)( \S+)?|to me",
        after="(?! (of|from|for) (?!(all |any |the |this|these|that|your|further|future|it|everything|"
        "receiving|being|getting|marketing|calls|telemarketing|phone|sales|direct|here|such|those|"
        "calling)))(?! (period|policy|form|button|clause|fee|option|box|rate|of the (warranty|insurance|"
        "paperless|plan|program|offer|trial|contract|policy|meeting)))",
        otherwise=NEAR,
    ),
    english(
        "optout",
        r"(opt out of|opt out from) (calls|these calls|this|all calls|marketing)",
        before=r"(not|never)( \S+){0,2}|did you|what does",
    ),
    english(
        "unsubscribe",
        "(unsubscribe|un subscribe|deregister|de register|unsubscribed|unsubscribing|unregister|take a "
        "subscribe)( (me|us|my|our|this|number|phone|name|line|mobile|from|the|these|your|all|calls|list|"
        "please|it|that))*",
        before=_NO_ORDER + r"|(your|how to|did you|link|to|the|you|he|she|they|(i|we) (have|had|already|just)?)( \S+)?",
        after=r"\s*$|\s(and|i|please|thanks|so|now|because|do|stop|immediately|right|today|we|or|marketing|"
        "sales|telemarketing|mailing|call|calling|phone|for|database|service|services|permanently|"
        r"completely)(\s|$)",
    ),
    english(
        "unsubscribe",
        "(want|like|wish|need|how do i|can i|how can i|could i|may i|let me|please|how do you|where do i|"
        "how to|going to|trying to)( to)? (unsubscribe|unregister|deregister|un subscribe|be "
        "unsubscribed|unsubscribed)",
        before=r"not|(not|never) \S+|you|find|did",
        after=r"\s*$|\s(from (this|these|your (calls?|list|service|system|calling|database|phone|marketing)|all|"
        "any|the (calls?|list))|me|and|i|please|now|my|this|so|it)",
    ),
    # block my number on your side; blacklist me
    english(
        "block",
        "(block|blacklist|black list|blocklist)( (me|us|my|our|this|the|number|phone|line|numbers|"
        "from))* (my number|this number|our number|me|us|number|my phone|this line)( (on|in|from|at|by) "
        r"(your|the|you|all|this)( \S+){1,2})?",
        before=_NO_ORDER + r"|(i|we|i will|you|he|she|they|going to|to|did|have|has|will)( \S+)?",
        after=_END + r"|\s(from|in|on|so)(\s|$)",
        otherwise=NEAR,
    ),
    english(
        "block",
        r"(put|add|place)( (me|us|my number|this number|it|our number|my \S+))* (on|to|onto|in|into) (a|"
        "your|the)( own| internal)? (black list|blacklist|block list|blocklist|suppression list|no "
        "contact list|do not contact list|opt out list|exclusion list|blocked list)",
        before=r"(not|never|did you|i will|i have|i am going to|we)( \S+)?",
    ),
)
