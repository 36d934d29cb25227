"""English rules about registers: the do-not-call list, opting out, unsubscribing, being blocked."""

from __future__ import annotations

from dialer.phrases.english_calls import NEAR, english
from dialer.phrases.english_lists import END, NO_ORDER

REGISTER_RULES = (
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
        after="(?! (so )?(what|right|or not))(?<!phone was on do not disturb)(?<!phone is on do not "
        "disturb)(?<!me on do not disturb)",
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
        before=NO_ORDER + r"|(your|how to|did you|link|to|the|you|he|she|they|(i|we) (have|had|already|just)?)( \S+)?",
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
        before=NO_ORDER + r"|(i|we|i will|you|he|she|they|going to|to|did|have|has|will)( \S+)?",
        after=END + r"|\s(from|in|on|so)(\s|$)",
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
