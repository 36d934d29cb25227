"""`heedline status`: is the service up, and how does it do?"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import typer

from dialer import config
from dialer.commands.terminal import AsJson
from dialer.config import Settings


def status(as_json: AsJson = False) -> None:
    """Ask the running service how it does. Exits 0 when it can decide now, else 1.

    Example: `heedline status --json`
    """
    figures = _ask(config.load())
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
    else:
        for line in _lines(figures):
            typer.echo(line)
    raise typer.Exit(0 if figures["ready"] else 1)


def _ask(settings: Settings) -> dict[str, Any]:
    url = f"http://{settings.http.host}:{settings.http.port}/status"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=3) as answer:
            figures: dict[str, Any] = json.load(answer)
            return figures
    except (urllib.error.URLError, OSError, ValueError):
        return {"ready": False, "running": False, "url": url}


def _lines(figures: dict[str, Any]) -> list[str]:
    if "gate" not in figures:
        return [f"not running: nothing answers at {figures['url']}; start it with `heedline serve`"]
    gate, agi = figures["gate"], figures["agi"]
    refused = {kind: count for kind, count in agi["refused"].items() if count}
    lines = [
        f"{'ready' if figures['ready'] else 'NOT READY'}: heedline {figures['version']}, up since {figures['since']}",
        f"database: {'answers' if figures['database'] else 'does not answer; every call is refused'}",
        f"gate: {gate['decided']} decided, {gate['allowed']} allowed, {gate['redeemed']} permits redeemed, "
        f"{gate['failed']} refused for want of the database, largest batch {gate['largest_batch']}",
        f"FastAGI: {agi['accepted']} asked, {agi['answered']} answered, not answered: {refused or 'none'}",
        f"policy: {len(figures['packs'])} packs, {figures['loosenings']} loosenings",
    ]
    lines += [_log(figures["evidence"]), *_more(figures)]
    switches = [
        f"switch {switch['name']}: {'connected' if switch['connected'] else 'NOT CONNECTED'}"
        for switch in figures["switches"]
    ]
    return lines + switches


def _log(evidence: dict[str, Any]) -> str:
    """The log of evidence."""
    if evidence["problem"]:
        return f"log: NOT SEALED: {evidence['problem']}"
    where = "" if evidence["key_here"] else ", its key is not on this node"
    checked = evidence.get("verified")
    faults = f", checked at {checked['at']}: {checked['faults']} faults" if checked else ", not checked yet"
    return f"log: {evidence['size']} entries sealed, {evidence['waiting']} wait{where}{faults}"


def _more(figures: dict[str, Any]) -> list[str]:
    """Refusals, speech and webhooks."""
    recorder, speech, webhooks = figures["recorder"], figures["speech"], figures["webhooks"]
    lines = [
        f"refusals: {recorder['recorded']} recorded here, {recorder['waiting']} wait on this node's disk",
        f"webhooks: {webhooks['delivered']} delivered, {webhooks['failed']} failed tries, {webhooks['dead']} given up, "
        f"{webhooks['waiting']} wait",
    ]
    if not speech["on"]:
        return [*lines, f"speech: off: {speech['problem']}"]
    listening = speech["listening"]
    heard = ", ".join(f"{name} {count}" for name, count in listening.items() if count and isinstance(count, int))
    lines.append(f"speech: listens on port {speech['port']}; {heard or 'nothing heard yet'}")
    return lines + [f"speech: `{language}` is not heard: {why}" for language, why in speech["missing"].items()]
