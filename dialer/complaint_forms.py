"""A complaint as the form that goes to the authority: JSON, CSV or HTML. Pure but for the stream that is written to."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any, TextIO

from dialer.exports import write_row
from dialer.ports_complaints import ComplaintRecord
from dialer.ports_trace import TracedCall
from dialer.verdict import Language, Reason

FORMS = ("json", "csv", "html")
_ABOUT = (
    ("case_number", "case number", "案号"),
    ("source", "source", "来源"),
    ("authority", "authority or carrier", "转交机构"),
    ("number", "complainant's number", "投诉人号码"),
    ("cli", "presented number complained of", "被投诉的所显号码"),
    ("seller", "seller", "商家"),
    ("channel", "channel", "渠道"),
    ("received_at", "received", "收到时间"),
    ("due_at", "due", "答复期限"),
    ("text", "text", "投诉内容"),
    ("refusal_id", "recorded as refusal", "已记为拒绝"),
    ("status", "status", "状态"),
    ("answer", "answer", "答复"),
    ("answered_at", "answered", "答复时间"),
    ("outcome", "outcome", "处理结果"),
    ("closed_at", "closed", "结案时间"),
)
_CALL = (
    ("call", "call", "呼叫"),
    ("at", "at", "时间"),
    ("presented", "presented number", "所显号码"),
    ("trunk", "trunk", "中继"),
    ("seller", "seller", "商家"),
    ("verdict", "verdict", "裁决"),
    ("why", "why", "理由"),
    ("rules", "rules", "规则版本"),
    ("consents", "rested on consents", "所依据的同意"),
    ("answered_at", "answered", "接通"),
    ("ended_at", "ended", "结束"),
    ("cause", "cause (Q.850)", "释放原因"),
    ("sip_status", "SIP status", "SIP 状态"),
    ("entries", "entries of the log", "日志条目"),
)


def complaint_document(c: ComplaintRecord) -> dict[str, Any]:
    """A complaint as plain data; `seller` null: every seller; `number` null: the person is erased."""
    return {
        "id": c.id,
        "case_number": c.case_number,
        "source": c.source.value,
        "authority": c.authority or None,
        "number": None if c.callee is None else f"+{c.callee}",
        "cli": c.cli,
        "seller": c.seller,
        "channel": c.channel.value,
        "received_at": c.received_at.isoformat(),
        "due_at": c.due_at.isoformat(),
        "text": c.text,
        "refusal_id": c.refusal_id,
        "status": c.status.value,
        "answer": c.answer,
        "answered_at": c.answered_at and c.answered_at.isoformat(),
        "answered_by": c.answered_by,
        "outcome": c.outcome,
        "closed_at": c.closed_at and c.closed_at.isoformat(),
        "closed_by": c.closed_by,
        "recorded_at": c.recorded_at.isoformat(),
        "recorded_by": c.recorded_by,
        "calls": list(c.calls),
    }


def call_document(call: TracedCall) -> dict[str, Any]:
    """One of its calls as plain data."""
    return {
        "call": call.decision,
        "at": call.at.isoformat(),
        "fate": call.fate.value,
        "presented": call.presented,
        "trunk": call.trunk,
        "seller": call.seller,
        "purpose": call.purpose,
        "verdict": call.outcome,
        "reasons": list(call.reasons),
        "rules": call.rules,
        "consents": [
            {
                "id": c.id,
                "basis": c.basis,
                "granted_at": c.granted_at,
                "withdrawn_at": c.withdrawn_at,
                "sha256": c.sha256,
            }
            for c in call.consents
        ],
        "dialled_at": call.dialled_at and call.dialled_at.isoformat(),
        "ringing_at": call.ringing_at and call.ringing_at.isoformat(),
        "answered_at": call.answered_at and call.answered_at.isoformat(),
        "ended_at": call.ended_at and call.ended_at.isoformat(),
        "cause": call.cause,
        "sip_status": call.sip_status,
        "dial_status": call.dial_status,
        "entries": [{"kind": e.kind, "entry": e.entry, "index": e.index} for e in call.entries],
    }


def write_form(form: str, record: ComplaintRecord, calls: Sequence[TracedCall], stream: TextIO, lang: Language) -> None:
    """Write one of `FORMS`."""
    about, listed = complaint_document(record), [call_document(call) for call in calls]
    if form == "json":
        json.dump(about | {"calls": listed}, stream, ensure_ascii=False, indent=2)
        stream.write("\n")
    elif form == "csv":
        _write_csv(about, listed, stream, lang)
    else:
        _write_html(about, listed, stream, lang)


def _heading(names: tuple[str, str, str], lang: Language) -> str:
    return names[2] if lang == "zh" else names[1]


def _words(call: dict[str, Any], lang: Language) -> dict[str, Any]:
    """A call with what a cell can hold."""
    reasons = "; ".join(Reason(reason).text(lang) for reason in call["reasons"])
    consents = "; ".join(f"{c['id']} ({c['basis']}, {c['granted_at'][:10]})" for c in call["consents"])
    entries = " ".join(str(e["entry"]) for e in call["entries"])
    return call | {"why": reasons, "consents": consents, "entries": entries}


def _write_csv(about: dict[str, Any], calls: Sequence[dict[str, Any]], stream: TextIO, lang: Language) -> None:
    """One row a call, the complaint's own cells in each; a complaint without calls is one row."""
    write_row(stream, [_heading(names, lang) for names in (*_ABOUT, *_CALL)])
    for call in calls or [{}]:
        told = _words(call, lang) if call else {}
        write_row(stream, [*(about[name] for name, _, _ in _ABOUT), *(told.get(name) for name, _, _ in _CALL)])


def _write_html(about: dict[str, Any], calls: Sequence[dict[str, Any]], stream: TextIO, lang: Language) -> None:
    title = "投诉" if lang == "zh" else "Complaint"
    rows = "".join(f"<tr><th>{_heading(n, lang)}</th><td>{_safe(about[n[0]])}</td></tr>\n" for n in _ABOUT)
    heads = "".join(f"<th>{_heading(n, lang)}</th>" for n in _CALL)
    told = [_words(call, lang) for call in calls]
    lines = "".join("<tr>" + "".join(f"<td>{_safe(c.get(n))}</td>" for n, _, _ in _CALL) + "</tr>\n" for c in told)
    stream.write(
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        f"<title>{title} {_safe(about['case_number'])}</title>\n"
        "<style>body{font:15px/1.5 sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse;margin:1em 0}"
        "th,td{border:1px solid #bbb;padding:.3em .6em;text-align:left;vertical-align:top}</style></head><body>\n"
        f"<h1>{title} {_safe(about['case_number'])}</h1>\n<table>{rows}</table>\n"
        f"<h2>{'呼叫' if lang == 'zh' else 'Calls'} ({len(calls)})</h2>\n<table><tr>{heads}</tr>\n{lines}</table>\n"
        "</body></html>\n"
    )


def _safe(value: Any) -> str:
    return "–" if value is None or value == "" else html.escape(str(value))
