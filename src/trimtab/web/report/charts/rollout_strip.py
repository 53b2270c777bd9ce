"""One rollout: the share of traffic it was given, and the interval of its harm narrowing against the margin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from trimtab.house.chronicle import Measured, Rollout, RolloutDay
from trimtab.web.report.figure import NARROW, Figure, Numbers
from trimtab.web.report.scale import Linear, ticks
from trimtab.web.report.svg import box, drawing, element, line, path, text, told
from trimtab.web.report.wording import between, day, minute, numbers, percent, some

STRIP = 620  # pixels; the words of a rollout stand beside it
_SHARE = (8, 38)  # top and foot of the upper track
_HARM = (50, 128)
_HEIGHT = 150
_LEFT, _RIGHT = 8, 104
_NAME = 35  # pixels that the name of a share takes


@dataclass(frozen=True)
class Common:
    """What all strips share, so that one can be held against another."""

    days: float  # the longest rollout
    low: float  # harm at the foot of the lower track
    high: float  # and at its top


def common(rollouts: Sequence[Rollout], until: datetime) -> Common:
    """Room for the longest rollout and, of harm, for what was known at the end; earlier intervals run off."""
    long = max((_length(one, until) for one in rollouts), default=timedelta(days=1))
    bounds = [0.0, *(2.0 * one.margin for one in rollouts if one.margin)]
    for one in rollouts:
        known = [look.harm for look in one.days if look.harm is not None]
        bounds += _finite(known[-1]) if known else []
    low, high = min(bounds), max(bounds)
    room = 0.15 * (high - low) or 0.001
    return Common(max(1.0, long / timedelta(days=1)), low - room, high + room)


def _length(one: Rollout, until: datetime) -> timedelta:
    return (one.ended or until) - one.began


def _finite(one: Measured) -> list[float]:
    return [bound for bound in (one.value, one.low, one.high) if math.isfinite(bound)]


def rollout_strip(one: Rollout, until: datetime, zone: str, shared: Common) -> Figure:
    """The strip of one rollout, with a table of its looks."""
    title = f"Release {one.release[:12]}"
    if not one.days:
        return Figure(title, empty="It never took traffic.")
    columns = ("at", "share", "harm", "harm, low", "harm, high")
    name = f"{some(len(one.days), 'look')}, harm in {one.metric}"
    return Figure(
        title,
        wide=_picture(one, until, zone, shared, STRIP),
        narrow=_picture(one, until, zone, shared, NARROW),
        numbers=Numbers(name, columns, tuple(_row(look, zone) for look in one.days)),
    )


def _row(look: RolloutDay, zone: str) -> tuple[str, ...]:
    return (minute(look.at, zone), percent(look.share), *numbers(look.harm))


def _picture(one: Rollout, until: datetime, zone: str, shared: Common, width: int) -> Markup:
    wide = width == STRIP
    end = width - (_RIGHT if wide else 66)
    x = Linear(0, shared.days, _LEFT, end)
    since = [(look.at - one.began) / timedelta(days=1) for look in one.days]
    over = _length(one, until) / timedelta(days=1)
    parts = [*_frame(x, shared.days)]
    parts += _share(one.days, [x(at) for at in since], max(x(over), _LEFT + 4))
    parts += _harm(
        one, [x(at) for at in since], (x(over), end), Linear(shared.low, shared.high, _HARM[1], _HARM[0])
    )
    of = "share of segment" if one.segment else "share of traffic"
    parts.append(text(end + 10, (_SHARE[0] + _SHARE[1]) / 2 + 4, of if wide else "share", "t"))
    parts.append(_ended(one, max(x(over), _LEFT + 4)))
    ends = [*since[1:], max(over, since[-1])]
    for look, begins, stops in zip(one.days, since, ends, strict=True):
        harm = between(look.harm) if look.harm else "not enough days yet"
        tip = f"{day(look.at, zone)}, day {begins:.0f}\nshare {percent(look.share)}\nharm {harm}"
        size = {"x": x(begins), "y": 2, "width": max(x(stops) - x(begins), 3.0), "height": _HARM[1]}
        parts.append(element("rect", told(tip), **size, class_="hit"))
    return drawing(width, _HEIGHT, f"Release {one.release[:12]}: {of} and harm by day", parts)


def _frame(x: Linear, days: float) -> Iterator[Markup]:
    for value in ticks(0, days, 7):
        if value != int(value):
            continue
        yield line(x(value), _SHARE[0], x(value), _HARM[1], "grid")
        yield text(x(value), _HEIGHT - 6, f"{value:.0f}", "t", "middle")
    yield text(x.end + 10, _HEIGHT - 6, "day", "axis")


def _share(days: Sequence[RolloutDay], at: Sequence[float], over: float) -> Iterator[Markup]:
    y = Linear(0, 1, _SHARE[1], _SHARE[0])
    points = [(at[0], y(0))]
    for number_, look in enumerate(days):
        right = at[number_ + 1] if number_ + 1 < len(at) else over
        points += [(at[number_], y(look.share)), (max(right, at[number_]), y(look.share))]
    yield path([*points, (points[-1][0], y(0))], "area share", closed=True)
    yield path(points, "line share")
    yield line(_LEFT, y(0), at[0], y(0), "grid")
    before, free = -1.0, -math.inf
    for place, look in zip(at, days, strict=True):
        if look.share != before and place >= free and (place < over or len(days) == 1):
            # A step too short for its name is named beyond the end.
            left = over + 6 if over - place < _NAME else place + 3
            yield text(left, y(look.share) + (12 if look.share > 0.6 else -4), percent(look.share), "t")
            free = left + _NAME
        before = look.share


def _harm(one: Rollout, at: Sequence[float], ends: tuple[float, float], y: Linear) -> Iterator[Markup]:
    over, right = ends
    known = [(place, look.harm) for place, look in zip(at, one.days, strict=True) if look.harm is not None]
    if known:
        upper = [(place, y(harm.high if math.isfinite(harm.high) else y.high)) for place, harm in known]
        lower = [(place, y(harm.low if math.isfinite(harm.low) else y.low)) for place, harm in known]
        if len(known) == 1:
            upper, lower = [(upper[0][0] - 3, upper[0][1]), *upper], [(lower[0][0] - 3, lower[0][1]), *lower]
        yield path([*upper, *reversed(lower)], "area harm", closed=True)
        yield path([(place, y(harm.value)) for place, harm in known if math.isfinite(harm.value)], "line harm")
    else:
        yield text(min(over, right - 150) + 10, y(max(one.margin or 0.0, 0.0)) - 7, "harm: not enough days", "axis")
    yield line(_LEFT, y(0), right, y(0), "zero")
    yield text(right + 10, y(0) + 4, "no harm", "t")
    if one.margin is not None:
        yield line(_LEFT, y(one.margin), right, y(one.margin), "margin")
        yield text(
            right + 10,
            min(y(one.margin) + 4, y(0) - 9),
            "margin",
            "t margin-name",
        )


def _ended(one: Rollout, at: float) -> Markup:
    class_ = f"end {one.end.replace(' ', '-')}"
    return element(
        "g", [line(at, _SHARE[0], at, _HARM[1], class_), box(at - 4, _HARM[1] - 4, 8, 8, class_, radius=4)]
    )
