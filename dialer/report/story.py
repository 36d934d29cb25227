"""What happened, in sentences: who consented, who refused, whether he was called after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialer.bundle_records import Dossier
from dialer.ports_bundles import Call, Listing
from dialer.ports_refusals import FormArtefact, KeyArtefact, RefusalRecord, RequestArtefact, SpeechArtefact
from dialer.ports_registers import ConsentRecord
from dialer.report.labels import label
from dialer.report.model import Block, Heading, Items, Para, Words, instant, shown

_MOST = 100


def summary(dossier: Dossier, words: Words) -> list[Block]:
    """The whole matter in sentences."""
    matter, say = dossier.matter, words.say
    blocks: list[Block] = [Para(_overview(dossier, words))]
    if any(entry.payload is None for entry in matter.entries):
        told = say(
            "Parts of this matter are erased: what is not told here may have been.",
            "本案部分内容已被删除：此处没有的，不等于当时没有。",
        )
        blocks.append(Para(told, warns=True))
    blocks.append(Heading(say("Who consented, when and how", "谁、何时、以何种方式同意")))
    blocks += _several([_consent(each, dossier, words) for each in matter.consents], words) or [
        Para(say("No consent is on record.", "没有同意的记录。"))
    ]
    blocks.append(Heading(say("Who refused, when and how", "谁、何时、以何种方式拒绝")))
    blocks += _several([_refusal(each, dossier, words) for each in matter.refusals], words) or [
        Para(say("No refusal is on record.", "没有拒绝的记录。"))
    ]
    if matter.listings:
        blocks.append(Heading(say("Suppression lists", "谢绝来电名单")))
        blocks.append(Items([_listing(each, words) for each in matter.listings]))
    if matter.refusals:
        blocks.append(Heading(say("After the refusal", "拒绝之后")))
        blocks += [_after(each, dossier, words) for each in matter.refusals[:_MOST]]
    return blocks


def _several(sentences: Sequence[str], words: Words) -> list[Block]:
    """A list that ends before it tires."""
    if not sentences:
        return []
    blocks: list[Block] = [Items(sentences[:_MOST])]
    if len(sentences) > _MOST:
        more = len(sentences) - _MOST
        blocks.append(
            Para(words.say(f"And {more} more: see records.json.", f"另有 {more} 条，见 records.json。"), small=True)
        )
    return blocks


def _overview(dossier: Dossier, words: Words) -> str:
    matter, say = dossier.matter, words.say
    count = {outcome: sum(c.outcome == outcome for c in matter.calls) for outcome in ("ALLOW", "REFUSE", "DEFER")}
    out = [call for call in matter.calls if call.redeemed_at is not None]
    answered = sum(call.answered_at is not None for call in out)
    if not matter.calls:
        return say("No call was asked for.", "没有呼叫请求的记录。")
    first, last = matter.calls[0].at, matter.calls[-1].at
    english = (
        f"Between {instant(first)} and {instant(last)} (UTC) a call was asked for {_times(len(matter.calls))}: "
        f"{count['ALLOW']} permitted, {count['REFUSE']} not permitted, {count['DEFER']} put off. "
        f"{len(out)} left for the carrier, {answered} of them {'was' if answered == 1 else 'were'} answered."
    )
    chinese = (
        f"自 {instant(first)} 至 {instant(last)}（UTC）共请求呼叫 {len(matter.calls)} 次：允许 {count['ALLOW']} 次，"
        f"不允许 {count['REFUSE']} 次，推迟 {count['DEFER']} 次。其中 {len(out)} 次呼出到运营商，{answered} 次接通。"
    )
    return say(english, chinese)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def seller_name(code: str | None, dossier: Dossier, words: Words) -> str:
    """A seller's name with its code."""
    if code is None:
        return words.say("every seller", "所有商家")
    found = next((each for each in dossier.matter.sellers if each.code == code), None)
    if found is None:
        return shown(code, 64)
    return words.say(f"{shown(found.name, 100)} ({shown(code, 64)})", f"{shown(found.name, 100)}（{shown(code, 64)}）")


def _consent(record: ConsentRecord, dossier: Dossier, words: Words) -> str:
    consent, say, language = record.consent, words.say, words.language
    seller = seller_name(consent.seller, dossier, words)
    purpose = say("any purpose", "任何用途") if consent.purpose == "*" else shown(consent.purpose, 64)
    kinds = words.list([label("kind", kind.value, language) for kind in consent.kinds])
    basis = label("basis", consent.basis.value, language)
    told = say(
        f"Consent {record.id}: on {instant(consent.granted_at)} agreed {basis} to {kinds} from {seller} for {purpose}",
        f"同意 {record.id}：{instant(consent.granted_at)} 以“{basis}”方式同意 {seller} 就“{purpose}”进行{kinds}",
    )
    until = consent.expires_at
    told += (
        say(f", until {instant(until)}.", f"，有效期至 {instant(until)}。")
        if until
        else say(", without an end date.", "，未定期限。")
    )
    if record.withdrawn_at:
        told += say(f" Withdrawn on {instant(record.withdrawn_at)}.", f"已于 {instant(record.withdrawn_at)} 撤回。")
    if consent.lifts is not None:
        told += say(f" It lifts refusal {consent.lifts}.", f"该同意撤销了拒绝 {consent.lifts}。")
    by = shown(record.recorded_by, 100)
    told += say(f" Recorded on {instant(record.recorded_at)} by {by}.", f"{instant(record.recorded_at)} 由 {by} 录入。")
    sha256 = consent.artefact.sha256.hex() if consent.artefact else None
    return told + _proof(sha256, dossier, words)


def _proof(sha256: str | None, dossier: Dossier, words: Words) -> str:
    """Whether what proves it is here."""
    say = words.say
    if not sha256:
        return say(" Nothing that proves it is on record.", "没有凭证的记录。")
    found = next((each for each in dossier.attachments if each.sha256 == sha256), None)
    if found is None or found.missing is not None:
        why = label("missing", found.missing if found else "gone", words.language)
        place = f" ({shown(found.location, 120)})" if found and found.location else ""
        return say(f" Its proof is not in this bundle: {why}{place}.", f"其凭证不在本证据包中：{why}{place}。")
    return say(f" Its proof is in this bundle: files/{sha256[:16]}….", f"其凭证在本证据包中：files/{sha256[:16]}…。")


def _refusal(record: RefusalRecord, dossier: Dossier, words: Words) -> str:
    refusal, say = record.refusal, words.say
    seller, how = seller_name(refusal.seller, dossier, words), label("how", refusal.how, words.language)
    told = say(
        f"Refusal {record.id}: on {instant(refusal.at)} refused calls of {seller}, {how}.",
        f"拒绝 {record.id}：{instant(refusal.at)} 拒绝 {seller} 的来电，方式：{how}。",
    )
    told += "".join(_expressed(record, words))
    if refusal.attempt is not None:
        told += say(f" It was said in call {refusal.attempt}.", f"发生于呼叫 {refusal.attempt}。")
    if refusal.note:
        told += say(f" Note: {shown(refusal.note)}.", f"备注：{shown(refusal.note)}。")
    match refusal.artefact:
        case SpeechArtefact(clip=clip):
            return told + _proof(clip, dossier, words)
        case FormArtefact(sha256=sha256) | RequestArtefact(form=FormArtefact(sha256=sha256)):
            return told + _proof(sha256, dossier, words)
    return told


def _listing(listing: Listing, words: Words) -> str:
    name, owner = shown(listing.list, 64), shown(listing.owner, 200)
    return words.say(
        f"On `{name}` of {owner}, as of {instant(listing.as_of)}, imported {instant(listing.imported_at)}.",
        f"在 {owner} 的名单 `{name}` 上，名单日期 {instant(listing.as_of)}，导入于 {instant(listing.imported_at)}。",
    )


def _expressed(record: RefusalRecord, words: Words) -> Iterator[str]:
    say, language = words.say, words.language
    match record.refusal.artefact:
        case KeyArtefact() as key:
            offered = label("prompt", key.prompt.value, language)
            yield say(f" Key {shown(key.key, 8)}, {offered}.", f"按键 {shown(key.key, 8)}（{offered}）。")
        case SpeechArtefact() as spoken:
            start, end = seconds(spoken.start_ms), seconds(spoken.end_ms)
            yield say(
                f' Heard from second {start} to {end} of the recording: "{shown(spoken.transcript)}", of which "'
                f'{shown(spoken.phrase)}" counted.',
                f"录音第 {start} 秒至 {end} 秒听到：“{shown(spoken.transcript)}”，其中“{shown(spoken.phrase)}"
                "”被认定为拒绝。",
            )
        case RequestArtefact() as request:
            yield say(f" Told by `{shown(request.token, 64)}`.", f"由 `{shown(request.token, 64)}` 提交。")


def seconds(milliseconds: int) -> str:
    """Seconds with a tenth."""
    return f"{milliseconds / 1000:.1f}"


def _after(record: RefusalRecord, dossier: Dossier, words: Words) -> Para:
    """Whether a call of the seller left after the refusal, and whether something allowed it."""
    say, refusal = words.say, record.refusal
    later = [c for c in dossier.matter.calls if _concerned(c, refusal.seller) and (c.redeemed_at or c.at) > refusal.at]
    out = [call for call in later if call.redeemed_at is not None]
    held = sum(call.outcome != "ALLOW" for call in later)
    scope = (
        "" if dossier.matter.scope.calls is None else say(" (of the calls in this bundle)", "（仅就本证据包所含呼叫）")
    )
    stopped = say(
        f" A call was asked for {_times(held)} more and was not permitted." if held else "",
        f"其后又请求呼叫 {held} 次，均未获允许。" if held else "",
    )
    if not out:
        return Para(
            say(
                f"Refusal {record.id}: no call left after it{scope}.{stopped}",
                f"拒绝 {record.id}：此后没有呼出{scope}。{stopped}",
            )
        )
    ids = words.list([str(call.id) for call in out[:20]]) + ("…" if len(out) > 20 else "")
    lifting = sorted({each.id for call in out for each in _lifting(record, call, dossier)})
    ids_lifting = words.list([str(id) for id in lifting])
    lift = say(
        f" Consent {ids_lifting} lifts this refusal." if lifting else "",
        f"同意 {ids_lifting} 撤销了该拒绝。" if lifting else "",
    )
    exempt = [call for call in out if {"NON_MARKETING", "EMERGENCY"} & set(call.reasons)]
    other = say(
        f" {len(exempt)} of them are no marketing calls." if exempt else "",
        f"其中 {len(exempt)} 次不是营销电话。" if exempt else "",
    )
    bare = [call for call in out if call not in exempt and not _lifting(record, call, dossier)]
    text = say(
        f"Refusal {record.id}: {len(out)} call{'s' if len(out) > 1 else ''} left after it{scope}: {ids}.{lift}{other}"
        f"{stopped}",
        f"拒绝 {record.id}：此后呼出 {len(out)} 次{scope}：{ids}。{lift}{other}{stopped}",
    )
    return Para(text, warns=bool(bare))


def _concerned(call: Call, seller: str | None) -> bool:
    return seller is None or call.seller == seller


def _lifting(record: RefusalRecord, call: Call, dossier: Dossier) -> list[ConsentRecord]:
    """The consents that had lifted the refusal for a call's seller by then."""
    return [
        each
        for each in dossier.matter.consents
        if each.consent.lifts == record.id
        and each.consent.seller == call.seller
        and each.consent.granted_at <= call.at
        and (each.withdrawn_at is None or each.withdrawn_at > call.at)
    ]
