"""The timeline of a matter: consents as bars; decisions, calls, refusals, near misses, complaints as marks, each kind
on a lane of its own, so that it reads in grey too. Marks that would overlap become one with their number. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.hostile import printable
from dialer.ports_bundles import Matter
from dialer.ports_registers import ConsentRecord
from dialer.report.axis import Axis
from dialer.report.drawing import GREY, INK, PALE, Circle, Drawing, Line, Polygon, Shape, Text, box, text_width
from dialer.verdict import Language

WIDTH = 760.0
_LEFT, _RIGHT = 118.0, 742.0
_LANE, _BAR = 24.0, 15.0
_MOST_BARS = 8
_MOST_LINES = 12
GREEN, RED, AMBER, BLUE = "#1b6e53", "#b3261e", "#8a6100", "#1f4e8c"

Mark = Callable[[float, float, float], list[Shape]]


@dataclass(frozen=True, slots=True)
class Lane:
    """Events of one kind. `hollow` marks carry their number in ink, others in white."""

    title: str
    instants: Sequence[datetime]
    mark: Mark
    hollow: bool = False
    through: bool = False


def timeline(matter: Matter, language: Language = "en") -> Drawing:
    """The picture of a matter."""
    lanes = [lane for lane in _lanes(matter, language) if lane.instants]
    consents = sorted(matter.consents, key=lambda record: (record.consent.granted_at, record.id))
    axis = Axis([*(at for lane in lanes for at in lane.instants), *_turns(consents)], _LEFT + 14, _RIGHT - 14)
    shapes: list[Shape] = []
    y = 8.0
    if consents:
        y = _bars(consents, axis, y, language, shapes)
    tops: list[tuple[Lane, float]] = []
    for lane in lanes:
        tops.append((lane, y))
        y += _LANE
    ground = _ground(axis, tops, y)
    for lane, top in tops:
        _lane(lane, axis, top, shapes)
    y = _foot(axis, y, language, shapes)
    title = "时间线" if language == "zh" else "Timeline"
    return Drawing(WIDTH, y + 4, [*ground, *shapes], title)


def _lanes(matter: Matter, language: Language) -> list[Lane]:
    zh = language == "zh"
    of = {outcome: [c.at for c in matter.calls if c.outcome == outcome] for outcome in ("ALLOW", "REFUSE", "DEFER")}
    out = [call for call in matter.calls if call.redeemed_at is not None]
    complaints = [at for each in matter.complaints if isinstance(at := each.get("received_at"), datetime)]
    return [
        Lane("允许呼叫" if zh else "Permitted", of["ALLOW"], _disc),
        Lane("拒绝呼叫" if zh else "Not permitted", of["REFUSE"], _crossed, hollow=True),
        Lane("推迟呼叫" if zh else "Put off", of["DEFER"], _triangle, hollow=True),
        Lane("接通" if zh else "Call, answered", [c.answered_at for c in out if c.answered_at], _handset),
        Lane(
            "未接通" if zh else "Call, unanswered",
            [c.redeemed_at for c in out if c.redeemed_at and not c.answered_at],
            _ring,
            hollow=True,
        ),
        Lane(
            "被叫拒绝" if zh else "Refusal by callee", [r.refusal.at for r in matter.refusals], _diamond, through=True
        ),
        Lane("疑似拒绝" if zh else "Near miss", [r.review.at for r in matter.reviews], _hollow_diamond, hollow=True),
        Lane("投诉" if zh else "Complaint", complaints, _flag),
    ]


def _turns(consents: Iterable[ConsentRecord]) -> Iterable[datetime]:
    """When consents began and were withdrawn. One that may run on for years has no end here."""
    for record in consents:
        yield record.consent.granted_at
        if record.withdrawn_at is not None:
            yield record.withdrawn_at


def _bars(consents: Sequence[ConsentRecord], axis: Axis, y: float, language: Language, shapes: list[Shape]) -> float:
    more = len(consents) - _MOST_BARS
    shown = consents[:_MOST_BARS] if more <= 0 else consents[: _MOST_BARS - 1]
    shapes.append(Text(_LEFT - 10, y + 11, "同意" if language == "zh" else "Consent", 8.5, "end"))
    for record in shown:
        _bar(record, axis, y, shapes)
        y += _BAR + 3
    if more > 0:
        left = len(consents) - len(shown)
        words = f"另有 {left} 条，见摘要" if language == "zh" else f"and {left} more, see the summary"
        shapes.append(Text(_LEFT + 14, y + 10, words, 7.5, colour=GREY))
        y += _BAR + 3
    return y + 4


def _bar(record: ConsentRecord, axis: Axis, y: float, shapes: list[Shape]) -> None:
    consent, end = record.consent, record.withdrawn_at or record.consent.expires_at
    lasts = end is None or not axis.instants or end > axis.instants[-1]
    left = axis.place(consent.granted_at)
    right = _RIGHT - 6 if lasts or end is None else axis.place(end)
    right = max(right, left + 3)
    tip = min(6.0, right - left) if lasts else 0.0
    middle, bottom = y + _BAR / 2, y + _BAR
    body = ((left, y), (right - tip, y), (right, middle), (right - tip, bottom), (left, bottom))
    shapes.append(Polygon(body if lasts else (body[0], (right, y), (right, bottom), body[4]), "#cfe6dc", GREEN, 0.9))
    if record.withdrawn_at is not None:
        shapes.append(Line(right, y - 1.5, right, bottom + 1.5, RED, 2.2))
    words = printable(f"{record.id} · {consent.seller} · {consent.purpose}", 60)
    width = text_width(words, 7.5)
    if right - left > width + 10:
        shapes.append(Text(left + 5, y + 10.5, words, 7.5))
    elif right + width + 6 < _RIGHT:
        shapes.append(Text(right + 5, y + 10.5, words, 7.5))
    elif left - width - 6 > _LEFT:
        shapes.append(Text(left - 5, y + 10.5, words, 7.5, "end"))


def _ground(axis: Axis, tops: Sequence[tuple[Lane, float]], bottom: float) -> list[Shape]:
    """What lies under the marks: lanes, cuts, and a line through all lanes at each refusal."""
    shapes: list[Shape] = []
    for number, (_, top) in enumerate(tops):
        shapes.append(box(_LEFT, top, _RIGHT - _LEFT, _LANE, "#f4f6f8" if number % 2 == 0 else "#ffffff"))
    for cut in axis.cuts:
        middle = (cut.left + cut.right) / 2
        shapes.append(Line(middle, 4, middle, bottom, PALE, 1.2, dashed=True))
    for lane, _ in tops:
        places = sorted({round(axis.place(at), 1) for at in lane.instants}) if lane.through else []
        if len(places) <= _MOST_LINES:
            shapes += [Line(place, 4, place, bottom, RED, 0.9, dashed=True) for place in places]
    return shapes


def _lane(lane: Lane, axis: Axis, top: float, shapes: list[Shape]) -> None:
    middle = top + _LANE / 2
    shapes.append(Text(_LEFT - 10, middle + 3, lane.title, 8.5, "end"))
    for place, count in clusters([axis.place(at) for at in lane.instants]):
        shapes += lane.mark(place, middle, _radius(count))
        if count > 1:
            shapes.append(Text(place, middle + 2.7, str(count), 7.5, "middle", INK if lane.hollow else "#ffffff", True))


def clusters(places: Iterable[float]) -> list[tuple[float, int]]:
    """Marks that do not overlap: the middle and the number of each group."""
    groups: list[tuple[float, int]] = []
    for place in sorted(places):
        groups.append((place, 1))
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < _room(groups[-1][1]) + _room(groups[-2][1]):
            (right, more), (left, count) = groups.pop(), groups.pop()
            groups.append(((left * count + right * more) / (count + more), count + more))
    return groups


def _radius(count: int) -> float:
    return 4.4 if count == 1 else 6.4 + 1.1 * len(str(count))


def _room(count: int) -> float:
    """Half the width of the widest mark, and a little air."""
    return 1.25 * _radius(count) + 0.5


def _foot(axis: Axis, y: float, language: Language, shapes: list[Shape]) -> float:
    shapes.append(Line(_LEFT, y + 4, _RIGHT, y + 4, GREY, 1.0))
    for cut in axis.cuts:
        middle = (cut.left + cut.right) / 2
        shapes += [
            box(middle - 3.2, y + 2.6, 6.4, 2.8, "#ffffff"),
            Line(middle - 5, y + 7.5, middle - 1.5, y + 0.5, GREY, 1.0),
            Line(middle + 1.5, y + 7.5, middle + 5, y + 0.5, GREY, 1.0),
        ]
    for place, at in _ticks(axis):
        shapes += [
            Line(place, y + 4, place, y + 8, GREY, 1.0),
            Text(place, y + 17, f"{at:%Y-%m-%d}", 7.5, "middle", GREY),
            Text(place, y + 26, f"{at:%H:%M:%S}", 7.5, "middle", GREY),
        ]
    y += 30
    if axis.cuts:
        lengths = ("、" if language == "zh" else ", ").join(_length(cut.length, language) for cut in axis.cuts)
        words = (
            f"时间为 UTC。// 处略去无事件的时段：{lengths}"
            if language == "zh"
            else f"Times in UTC. At // empty time is left out: {lengths}"
        )
    else:
        words = "时间为 UTC。" if language == "zh" else "Times in UTC."
    shapes.append(Text(_LEFT, y + 7, words, 7.5, colour=GREY))
    return y + 12


def _ticks(axis: Axis) -> list[tuple[float, datetime]]:
    """Dates that do not overlap: at the ends and beside cuts first."""
    if not axis.instants:
        return []
    edges = {axis.instants[0], axis.instants[-1]}
    places = {at: axis.place(at) for at in axis.instants}
    beside = {at for at, place in places.items() for cut in axis.cuts if place in (cut.left, cut.right)}
    chosen: list[tuple[float, datetime]] = []
    for at in [*sorted(edges), *sorted(beside - edges), *(at for at in axis.instants if at not in beside | edges)]:
        if all(abs(places[at] - other) > 54 for other, _ in chosen):
            chosen.append((places[at], at))
    return sorted(chosen)


def _length(length: timedelta, language: Language) -> str:
    for seconds, english, chinese in ((86_400, "d", "天"), (3_600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒")):
        if length.total_seconds() >= 2 * seconds or seconds == 1:
            return f"{length.total_seconds() / seconds:.0f} {chinese if language == 'zh' else english}"
    return ""


def _disc(x: float, y: float, r: float) -> list[Shape]:
    return [Circle(x, y, r, GREEN)]


def _crossed(x: float, y: float, r: float) -> list[Shape]:
    square = box(x - r, y - r, 2 * r, 2 * r, "#ffffff", RED)
    if r > 5:
        return [square]
    return [square, Line(x - r, y - r, x + r, y + r, RED, 1.1), Line(x - r, y + r, x + r, y - r, RED, 1.1)]


def _triangle(x: float, y: float, r: float) -> list[Shape]:
    if r < 5:
        return [Polygon(((x, y - r * 1.2), (x + r * 1.25, y + r), (x - r * 1.25, y + r)), "#ffffff", AMBER)]
    side, wide = r * 0.62, r * 1.2
    corners = ((x - side, y - r), (x + side, y - r), (x + wide, y), (x + side, y + r), (x - side, y + r), (x - wide, y))
    return [Polygon(corners, "#ffffff", AMBER)]


def _handset(x: float, y: float, r: float) -> list[Shape]:
    return [box(x - r, y - r * 0.85, 2 * r, 1.7 * r, BLUE)]


def _ring(x: float, y: float, r: float) -> list[Shape]:
    return [Circle(x, y, r, "#ffffff", BLUE, 1.2)]


def _diamond(x: float, y: float, r: float) -> list[Shape]:
    tall = r * 1.25
    return [Polygon(((x, y - tall), (x + tall, y), (x, y + tall), (x - tall, y)), RED)]


def _hollow_diamond(x: float, y: float, r: float) -> list[Shape]:
    tall = r * 1.25
    return [Polygon(((x, y - tall), (x + tall, y), (x, y + tall), (x - tall, y)), "#ffffff", RED)]


def _flag(x: float, y: float, r: float) -> list[Shape]:
    if r > 5:
        return [box(x - r, y - r, 2 * r, 2 * r, INK)]
    return [Line(x - 3, y - 6, x - 3, y + 7, INK, 1.3), Polygon(((x - 3, y - 6), (x + 6, y - 3), (x - 3, y)), INK)]
