"""English words as the rules need them: contractions, what is left out, and open word classes.

A class is a regular expression over normalised text (lower case, words apart by one space, no punctuation); rules name
it as `<NAME>`. A class that other rules make optional ends in a space there, not here.
"""

from __future__ import annotations

CONTRACTIONS = {
    "dont": "do not",
    "don't": "do not",
    "doesn't": "does not",
    "doesnt": "does not",
    "didn't": "did not",
    "didnt": "did not",
    "won't": "will not",
    "wont": "will not",
    "can't": "can not",
    "cant": "can not",
    "cannot": "can not",
    "shan't": "shall not",
    "ain't": "am not",
    "mustn't": "must not",
    "mustnt": "must not",
    "shouldn't": "should not",
    "shouldnt": "should not",
    "wouldn't": "would not",
    "wouldnt": "would not",
    "couldn't": "could not",
    "couldnt": "could not",
    "isn't": "is not",
    "isnt": "is not",
    "aren't": "are not",
    "arent": "are not",
    "wasn't": "was not",
    "weren't": "were not",
    "haven't": "have not",
    "havent": "have not",
    "hasn't": "has not",
    "hadn't": "had not",
    "needn't": "need not",
    "i'm": "i am",
    "im": "i am",
    "let's": "let us",
    "y'all": "you people",
    "yall": "you people",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "lemme": "let me",
    "gimme": "give me",
    "anymore": "any more",
    "nobody": "no one",
    "noone": "no one",
    "anybody": "anyone",
    "somebody": "someone",
    "everybody": "everyone",
    "number's": "number is",
    "phone's": "phone is",
    "name's": "name is",
    "line's": "line is",
    "that's": "that is",
    "it's": "it is",
    "there's": "there is",
    "mum's": "mother's",
    "mom's": "mother's",
    "dad's": "father's",
    "favor": "favour",
    "authorise": "authorize",
    "authorised": "authorized",
    "authorisation": "authorization",
    "dialling": "dialing",
    "dnd": "do not disturb",
    "dnc": "do not call",
    "mum": "mother",
    "mom": "mother",
    "ya": "you",
    "u": "you",
}

ENDINGS = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "n't": "not"}

FILLERS = frozenset(
    [
        "um",
        "umm",
        "uh",
        "uhh",
        "uhm",
        "er",
        "erm",
        "hmm",
        "hm",
        "mm",
        "ah",
        "oh",
        "please",
        "pls",
        "plz",
        "just",
        "really",
        "kindly",
        "simply",
        "actually",
        "literally",
        "basically",
        "bloody",
        "fucking",
        "fuckin",
        "freaking",
        "frigging",
        "fricking",
        "damn",
        "goddamn",
        "damned",
        "effing",
        "stupid",
        "ever",
        "even",
        "immediately",
        "ok",
        "okay",
    ]
)

FILLER_PAIRS = frozenset({("you", "know"), ("i", "mean"), ("at", "once"), ("right", "away"), ("thank", "you")})

CLASSES = {
    # Verbs of calling: bare, gerund, participle. A nagging verb needs an object: "do not disturb the baby".
    "CALL": "call up|call|cold call|robocall|prank call|ring up|ring|phone up|phone|telephone|dial|contact|"
    "text|message|reach out|get in touch|get in contact|be in touch|make contact|(make|place|give|"
    "send) <SOMECALLS>|call and call|ring and ring|give (me|us) <SOMECALLS>|(make|place|give)( (me|"
    "us))?( (a|the|any))? (phone )?calls?|bell|buzz",
    "NAG": "bother|pester|harass|disturb|annoy|bug|hassle|badger|hound|spam|solicit|torment|nag|trouble|"
    "plague|harrass|stalk",
    "CALLING": "calling up|calling|callin|cold calling|robocalling|ringing up|ringing|phoning up|phoning|"
    "telephoning|dialing|contacting|texting|messaging|reaching out|getting in touch|blowing up|"
    "ringing and ringing|(making|placing|giving|sending) (<TO_SELF> )?<SOMECALLS>|soliciting|trying "
    "to (<CALL>|<NAG>)|telemarketing",
    "NAGGING": "bothering|pestering|harassing|disturbing|annoying|bugging|hassling|badgering|hounding|spamming|"
    "tormenting|nagging|troubling|plaguing|stalking|harrassing|wasting my time|spam calling",
    "CALLED": "called|contacted|phoned|rung|rang|telephoned|texted|dialed|bothered|disturbed|harassed|pestered|"
    "solicited|annoyed|hassled|cold called|spammed|reached out to|messaged|bugged",
    "CALLS": "calls|call|phone calls|phone call|phonecalls|contact|communication|communications|robocalls|"
    "ringing|telemarketing|soliciting|solicitation|solicitations|cold calling",
    "MANY_CALLS": "calls|phone calls|phonecalls|contact|communication|communications|robocalls|ringing|"
    "telemarketing|soliciting|solicitation|solicitations|cold calling",
    "CALLKIND": "phone|telephone|sales|marketing|telemarketing|cold|spam|scam|junk|nuisance|unsolicited|unwanted|"
    "promotional|advertising|robo|automated|annoying|silly|damned|random|such|commercial|business|"
    "prank|these|those|this|that|your|of|the|kind|kinds|sort|sorts|type|more|further|constant|"
    "endless|daily|bullshit|crap|telephonic|any|all|other|another|from you|and texts|text messages "
    "and",
    "SOMECALLS": "(any|more|any more|further|these|those|this|your|such|another|all|all these|all those|the|of)( "
    "<CALLKIND>){0,4} <CALLS>",
    "TO_SELF": "me|us",
    # What a callee calls himself or his line.
    "PERSON": "mother|father|dad|daddy|mama|mummy|mommy|wife|husband|partner|parents|parent|family|kids|kid|"
    "children|son|daughter|girlfriend|boyfriend|grandmother|grandfather|grandma|grandpa|nan|gran|"
    "granny|brother|sister|aunt|uncle|house|home|household|office|place|business|company|workplace|"
    "job|shop|store|flat|residence|school|address|apartment|building|hospital|ward|practice|surgery|"
    "church|charity|phone|telephone|mobile|cell|cellphone|landline|line|number|extension|staff|team|"
    "dad|neighbours|neighbors|customers|clients|patients|people|relatives|guests|desk|boss|staff|"
    "employees|clinic|restaurant",
    "PLACEWORD": "elderly|older|aged|young|little|dear|family|stupid|business|residential|telephone|80 year old|"
    "year old|disabled|dying|deaf|frail|old|late|own|poor|sick|home|house|work|office|mobile|cell|"
    "phone|telephone|land|private|personal|contact|business|company|whole|entire|damn|direct|"
    "particular|same|cellular",
    "OBJ": "me|us|here|everyone here|anyone here|any of us|(on |at |to )?(my|our|this|that)( "
    "<PLACEWORD>){0,2} (<PERSON>)( number| line| phone)?|(on |at )?this|(on |at |to )?the (house|"
    "home|number|phone|landline|line)( number)?",
    "AGAIN": "again and again|again|any more|any longer|no more|back|in (the )?future|once more|another time|"
    "forever|from now on|further|going forward|(daily|constantly|repeatedly)|all the time|at all|"
    "every (single )?(day|week|hour|night|time|morning)|for(?= (good|ever))|so (much|often|many "
    "times)|that (much|often)",
    # Lists that one is taken off.
    "LISTKIND": "call|calls|calling|phone|phoning|telephone|contact|contacts|customer|customers|client|clients|"
    "marketing|telemarketing|sales|mailing|dialing|dialer|cold|lead|leads|prospect|prospects|"
    "subscriber|user|own|company|internal|damned|whole|entire|automatic|auto|address|text|sms|"
    "current|distribution|target|master|data|campaign|calling up|ringing|records|big|computer|"
    "phonebook|crm|contact us|outbound|so called",
    "LIST": "((all )?(of )?(your|the|this|that|these|those|any|all|whatever|every|their|its|you|a|any of "
    "your|your company'?s?) )?(<LISTKIND> ){0,3}(list|lists|listing|listings|database|databases|data "
    "base|data bank|system|systems|records|record|books|book|file|files|directory|directories|"
    "register|registry|memory|computer|computers|contacts|phone book|phonebook|dialer|roster|"
    "campaign|campaigns|mailing|sheet|spreadsheet|rolodex|queue|calls)",
    "DNC": "(do not|no|do not ever|never|don not) (call|calls|contact|phone|disturb|ring|solicit)",
    "REGISTER": "(telephone|telephones|mail|corporate telephone|phone) preference (service|list)|tps|ctps|ndnc|"
    "dncr|<DNC>( (list|lists|register|registry|registered|database|service))?",
    "IDENT": "number|numbers|phone number|telephone number|name|names|details|detail|information|info|data|"
    "contact|contact details|contact information|record|records|entry|digits|listing|personal data|"
    "personal details|phone|personal information|number and name|name and number|telephone|mobile|"
    "cell|cellphone|line|landline",
    "SELF": "me|us|(all |all of )?(my|our|this|that)( <PLACEWORD>){0,2} (<IDENT>)( number| details)?|the "
    "number|this|(my |our )?(mother|father|wife|husband|son|daughter)'s (number|name|details|phone)",
    "SELF_NUMBER": "(all |all of )?(my|our|this)( <PLACEWORD>){0,2} (<IDENT>)( number| details)?",
    "REMOVE": "take|remove|delete|erase|expunge|suppress|wipe|strike|cross|scratch|scrub|drop|pull|get|clear|"
    "purge|withdraw|kick|rub|cut|eliminate|knock|exclude|discard|re move|de list|delist|blot|"
    "deregister|unlist|omit|bump|clean|x",
    "REMOVED": "taken|removed|deleted|erased|wiped|struck|stricken|crossed|scratched|scrubbed|dropped|pulled|"
    "cleared|purged|withdrawn|kicked|rubbed|cut|eliminated|excluded|delisted|deregistered|discarded",
    "OFF": "off of|off from|off|of|from|out of|out from|on from",
    "CONSENT": "consent|permission|authorization|approval|agreement|authority|permissions|consents",
    "YOU": "you people|you guys|you lot|you all|you folks|you fellows|all of you|any of you|you|your "
    "(company|people|firm|office|team|staff|bank|organization|organisation|colleague|colleagues|boss|"
    "manager|supervisor|agent|agents|business|call centre|call center|department|system|computer|"
    "friend|friends|lot|employees|co workers|coworker|robot|telemarketers|callers|machine|outfit|"
    "sales people|salespeople|agency)",
    "COMPANY": "<YOU>|them|someone|anyone|everyone|no one|people|whoever|they|the company|the (other|last|"
    "previous|first|same) (guy|man|lady|woman|girl|person|caller|agent|gentleman|fellow|one|bloke|"
    "chap|rep|operator|time|fella)|(the|some) (guy|man|lady|woman|girl|caller|agent|gentleman|bloke|"
    "rep)( \\S+){0,3}|one of your \\S+|another (agent|person|caller|guy|man|lady|woman|one)",
    # What may follow a complete request; a noun or a name there makes another sentence of it: "don't call me Bob".
    "NEXT": "i|you|we|they|he|she|it|it's|its|this is|these|there|there's|and|or|but|because|cause|cos|coz|"
    "since|as|if|alright|all|thanks|thank|thankyou|cheers|bye|goodbye|good|goodnight|sorry|no|not|"
    "nope|yes|yeah|yep|right|understand|understood|understanding|got|do|did|does|stop|take|remove|"
    "delete|about|for|from|with|regarding|to|under|unless|like this|over|when|while|every|so|or|"
    "never|my|our|what|why|how|who|where|sir|madam|ma'am|miss|mate|man|dude|buddy|pal|bro|lady|guys|"
    "folks|people|hello|hi|hey|well|look|listen|at|on|in|again|any|ever|now|then|twice|have|leave|is "
    "that|are|can|could|would|will|until|till|before|after|during|between|today|tonight|tomorrow|"
    "later|early|yet|first|too|anytime|that's|lose|put|quit|goddammit|dammit|jesus|christ|go|get|let|"
    "enough|cheerio|ta|i'll|call|ring|phone|text|last|yesterday|already|either|though|also|by|"
    "without|through|via|out of|anywhere|ok|okay|god|seriously|stop|still|unsubscribe|block|not",
}
