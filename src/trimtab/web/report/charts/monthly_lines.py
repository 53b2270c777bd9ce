"""A metric month by month, managed against frozen, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from trimtab.house.chronicle import Measured
from trimtab.web.report.figure import NARROW, WIDE, Figure, Key, Numbers
from trimtab.web.report.scale import Bands, Linear, round_range, ticks
from trimtab.web.report.svg import drawing, element, line, path, text, told
from trimtab.web.report.wording import between, month_name, number, numbers

_TOP, _FOOT = 30, 44
_APART = 5  # pixels between the two marks of a month


@dataclass(frozen=True)
class Series:
    """One line: its name, its class in the style, a value for each month."""

    name: str
    class_: str
    values: Sequence[Measured]


def monthly_lines(
    title: str, says: str, unit: str, months: Sequence[str], series: Sequence[Series], height: int = 300
) -> Figure:
    """A chart of lines through months; a value that is not finite leaves a gap."""
    if not any(math.isfinite(one.value) for each in series for one in each.values):
        return Figure(title, says, empty="No month has labels yet, so there is nothing to measure.")
    columns = ("month", *(f"{each.name}{what}" for each in series for what in ("", ", low", ", high")))
    rows = [(month, *_cells(number_, series)) for number_, month in enumerate(months)]
    return Figure(
        title,
        says,
        wide=_picture(title, unit, months, series, (WIDE, height)),
        narrow=_picture(title, unit, months, series, (NARROW, min(height, 240))),
        keys=tuple(Key(each.class_, each.name) for each in series),
        named=True,
        numbers=Numbers(f"{title}: {unit}", columns, tuple(rows)),
    )


def _cells(month: int, series: Sequence[Series]) -> Iterator[str]:
    for each in series:
        one = each.values[month]
        yield from numbers(one)


def _picture(
    title: str, unit: str, months: Sequence[str], series: Sequence[Series], size: tuple[int, int]
) -> Markup:
    width, height = size
    wide = width == WIDE
    bounds = [bound for each in series for one in each.values for bound in (one.value, one.low, one.high)]
    low, high = round_range(bounds)
    y = Linear(low, high, height - _FOOT, _TOP)
    bands = Bands(len(months), 44 if wide else 36, width - (92 if wide else 4))
    parts = [text(0, 12, unit, "axis"), *_grid(y, bands), *month_axis(months, bands, height - _FOOT)]
    parts += _hits(months, series, bands, height)
    for place, each in enumerate(series):
        shift = (place - (len(series) - 1) / 2) * 2 * _APART
        parts += _drawn(each, bands, y, shift if wide else shift / 2)
    if wide:
        parts += _names(series, bands, y)
    return drawing(width, height, title, parts)


def _grid(y: Linear, bands: Bands) -> Iterator[Markup]:
    values = ticks(y.low, y.high)
    digits = max(2, *(len(f"{value:g}".partition(".")[2]) for value in values))
    for value in values:
        yield line(bands.start, y(value), bands.end, y(value), "grid")
        yield text(bands.start - 8, y(value) + 4, number(value, digits), "t", "end")


def month_axis(months: Sequence[str], bands: Bands, foot: float) -> Iterator[Markup]:
    """Names of months below the columns; a year stands where it begins."""
    every = 1 + int(28 / bands.width)
    for place, month in enumerate(months):
        if place % every == 0:
            yield text(bands.centre(place), foot + 20, month_name(month), "t", "middle")
        if place == 0 or month.endswith("-01"):
            yield text(bands.centre(place), foot + 36, month[:4], "axis", "middle")
    yield text(bands.end, foot + 36, "month of the answer", "axis", "end")


def _drawn(each: Series, bands: Bands, y: Linear, shift: float) -> Iterator[Markup]:
    run: list[tuple[float, float]] = []
    marks: list[Markup] = []
    for place, one in enumerate(each.values):
        if not math.isfinite(one.value):
            yield path(run, f"line {each.class_}") if run else Markup()
            run = []
            continue
        at = bands.centre(place) + shift
        if math.isfinite(one.low) and math.isfinite(one.high):
            yield line(at, y(one.low), at, y(one.high), f"whisker {each.class_}")
        run.append((at, y(one.value)))
        marks.append(element("circle", cx=at, cy=y(one.value), r=4.5, class_=f"dot {each.class_}"))
    yield path(run, f"line {each.class_}") if run else Markup()
    yield from marks


def _names(series: Sequence[Series], bands: Bands, y: Linear) -> Iterator[Markup]:
    """At the end of each line its name, moved apart where two would touch."""
    ends = [(y(last), each) for each in series if (last := _last(each)) is not None]
    ends.sort(key=lambda end: end[0])
    above = -math.inf
    for wanted, each in ends:
        above = max(wanted, above + 17)
        yield text(bands.end + 4, above + 4, each.name, f"name {each.class_}")


def _last(each: Series) -> float | None:
    return next((one.value for one in reversed(each.values) if math.isfinite(one.value)), None)


def _hits(months: Sequence[str], series: Sequence[Series], bands: Bands, height: int) -> Iterator[Markup]:
    for place, month in enumerate(months):
        said = [f"{each.name} {between(each.values[place])}" for each in series]
        tip = "\n".join((month_name(month, year=True), *said))
        size = {"x": bands.left(place), "y": _TOP - 8, "width": bands.width, "height": height - _FOOT - _TOP + 8}
        yield element("rect", told(tip), **size, class_="hit")
