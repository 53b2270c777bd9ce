"""The whole period on one time axis: who answered, rollouts, alarms, and every decision by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from markupsafe import Markup

from trimtab.house.chronicle import Chronicle, Decision
from trimtab.kernel.happening import Stage
from trimtab.web.report.charts.marks import mark
from trimtab.web.report.figure import NARROW, WIDE, Figure, Key, Numbers
from trimtab.web.report.scale import Linear, seconds, time_ticks
from trimtab.web.report.svg import box, drawing, line, text
from trimtab.web.report.wording import UNKNOWN, day, minute

TITLE = "Releases, rollouts, alarms and decisions"
_SAYS = "Point at a mark to read it. What is routine is in the table of decisions only."
_TOP, _LANE, _BAR, _FOOT = 8, 26, 14, 26
_KEYS = (
    Key("promoted", "promoted"),
    Key("refused", "refused"),
    Key("rolled-back", "rolled back"),
    Key("alarm", "alarm"),
    Key("mark-good", "went well"),
    Key("mark-step", "step"),
    Key("mark-unsure", "to be looked at"),
    Key("mark-bad", "refused or broken"),
)


@dataclass(frozen=True)
class _Bar:
    began: datetime
    ended: datetime
    class_: str
    tip: str
    name: str = ""


def time_axis(one: Chronicle) -> Figure:
    """One lane for each kind of thing that happened; lanes in which nothing did are left out."""
    if one.until <= one.began:
        return Figure(TITLE, empty="No time has passed yet.")
    rows = tuple(
        (
            minute(alarm.at, one.zone),
            minute(alarm.over, one.zone) if alarm.over else UNKNOWN,
            alarm.subject,
            alarm.text,
        )
        for alarm in one.alarms
    )
    table = Numbers("Alarms", ("since", "over", "subject", "what it said"), rows, words=(0, 1, 2, 3))
    return Figure(
        TITLE,
        _SAYS,
        wide=_picture(one, WIDE, 96),
        narrow=_picture(one, NARROW, 88),
        keys=_KEYS,
        numbers=table if rows else None,
    )


def _picture(one: Chronicle, width: int, left: int) -> Markup:
    x = Linear(seconds(one.began), max(seconds(one.until), seconds(one.began) + 1), left, width - 8)
    lanes: list[tuple[str, list[_Bar] | list[Decision]]] = [("champion", _champions(one))]
    lanes += _packed("rollouts", _rollouts(one)) + _packed("alarms", _alarms(one))
    for stage in get_args(Stage):
        told = [each for each in one.decisions if each.told.stage == stage and each.told.mark != "routine"]
        lanes += [(stage, told)] if told else []
    foot = _TOP + _LANE * len(lanes)
    parts = list(_axis(one, x, foot, width))
    for row, (name, things) in enumerate(lanes):
        middle = _TOP + _LANE * (row + 0.5)
        parts.append(text(0, middle + 4, name, "t strong"))
        parts.append(line(left, middle + _LANE / 2, width - 8, middle + _LANE / 2, "grid"))
        parts += [_shown(thing, x, middle, one.zone) for thing in things]
    return drawing(width, foot + _FOOT, TITLE, parts)


def _axis(one: Chronicle, x: Linear, foot: float, width: int) -> Iterator[Markup]:
    free = 0.0
    yield text(0, foot + 18, f"{one.began.astimezone(ZoneInfo(one.zone)):%Y}", "axis")
    for moment, name in time_ticks(one.began, one.until, one.zone):
        at = x(seconds(moment))
        yield line(at, _TOP, at, foot, "grid")
        if at >= free and at < width - 24:
            yield text(at + 4, foot + 18, name, "t")
            free = at + 14 + 7 * len(name)


def _shown(thing: _Bar | Decision, x: Linear, middle: float, zone: str) -> Markup:
    if isinstance(thing, Decision):
        tip = f"{minute(thing.at, zone)} · {thing.actor}\n{thing.told.text}\nledger entry {thing.seq}"
        return mark(thing.told.mark, x(seconds(thing.at)), middle, tip)
    left = x(seconds(thing.began))
    long = max(x(seconds(thing.ended)) - left, 4)
    bar = box(left, middle - _BAR / 2, long, _BAR, f"span {thing.class_}", thing.tip, 3)
    fits = thing.name and long > 7.5 * len(thing.name)
    return bar + text(left + 6, middle + 4, thing.name, "in-span") if fits else bar


def _champions(one: Chronicle) -> list[_Bar]:
    """Who answered users: from promotion to promotion."""
    moves = [each for each in one.rollouts if each.end == "promoted" and each.ended is not None]
    moves.sort(key=lambda each: each.ended or one.until)
    names = [moves[0].replaces if moves else one.rollouts[0].replaces if one.rollouts else ""]
    names += [each.release for each in moves]
    since = [one.began, *(each.ended or one.until for each in moves)]
    bars = []
    for place, (name, begins, ends) in enumerate(zip(names, since, [*since[1:], one.until], strict=True)):
        who = f"release {name[:12]}" if name else "the first release"
        tip = f"{who}\nanswered from {day(begins, one.zone)} to {day(ends, one.zone)}"
        bars.append(_Bar(begins, ends, f"champion-{place % 2}", tip, name[:5] or who))
    return bars


def _rollouts(one: Chronicle) -> list[_Bar]:
    return [
        _Bar(
            each.began,
            each.ended or one.until,
            each.end.replace(" ", "-"),
            f"release {each.release[:12]}: {each.end}\n{day(each.began, one.zone)} to "
            f"{day(each.ended, one.zone) if each.ended else 'now'}\n{each.because}",
        )
        for each in one.rollouts
    ]


def _alarms(one: Chronicle) -> list[_Bar]:
    return [
        _Bar(
            each.at,
            each.over or one.until,
            "alarm",
            f"{each.subject}\n{minute(each.at, one.zone)} to "
            f"{minute(each.over, one.zone) if each.over else 'now'}\n{each.text}",
        )
        for each in one.alarms
    ]


def _packed(name: str, bars: Sequence[_Bar]) -> list[tuple[str, list[_Bar] | list[Decision]]]:
    """Bars that overlap go to lanes below."""
    lanes: list[list[_Bar]] = []
    for bar in sorted(bars, key=lambda each: each.began):
        free = next((lane for lane in lanes if lane[-1].ended <= bar.began), None)
        if free is None:
            lanes.append([bar])
        else:
            free.append(bar)
    return [(name if place == 0 else "", lane) for place, lane in enumerate(lanes)]
