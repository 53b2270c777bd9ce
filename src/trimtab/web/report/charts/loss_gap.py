"""The paired loss gap: what an answer cost more than the answer of a model refitted for that month."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from trimtab.house.chronicle import Measured, Month
from trimtab.web.report.charts.monthly_lines import month_axis
from trimtab.web.report.figure import NARROW, WIDE, Figure, Key, Numbers
from trimtab.web.report.scale import Bands, Linear, round_range, ticks
from trimtab.web.report.svg import box, drawing, element, line, text, told
from trimtab.web.report.wording import between, month_name, number, numbers

TITLE = "Log-loss above the month’s refit"
_SAYS = (
    "Both are compared with the refit on the same rows, so that a hard month does not count as a loss. Zero is as "
    "good as a model refitted for that very month; a bar whose whole interval is above zero has lost something."
)
_UNIT = "nats per answer above the refit"
_TOP, _FOOT, _MOST_WIDE = 30, 44, 18
_Pair = tuple[str, Measured | None]


def loss_gap(months: Sequence[Month]) -> Figure:
    """Two bars from the zero line for each month."""
    if all(gap is None for one in months for _, gap in _pairs(one)):
        return Figure(TITLE, _SAYS, empty="No month has been compared with a refit yet.")
    rows = tuple((one.month, *_cells(one)) for one in months)
    columns = ("month", "managed", "managed, low", "managed, high", "frozen", "frozen, low", "frozen, high")
    return Figure(
        TITLE,
        _SAYS,
        wide=_picture(months, WIDE, 280),
        narrow=_picture(months, NARROW, 230),
        keys=(Key("bar-managed", "managed"), Key("bar-frozen", "frozen")),
        numbers=Numbers(f"{TITLE}: {_UNIT}", columns, rows),
    )


def _pairs(one: Month) -> tuple[_Pair, _Pair]:
    return ("managed", one.managed_loss), ("frozen", one.frozen_loss)


def _cells(one: Month) -> Iterator[str]:
    for _, gap in _pairs(one):
        yield from numbers(gap)


def _picture(months: Sequence[Month], width: int, height: int) -> Markup:
    wide = width == WIDE
    gaps = [gap for one in months for _, gap in _pairs(one) if gap is not None]
    low, high = round_range([0.0, *(bound for gap in gaps for bound in (gap.value, gap.low, gap.high))])
    y = Linear(low, high, height - _FOOT, _TOP)
    bands = Bands(len(months), 44 if wide else 40, width - (92 if wide else 4))
    parts = [text(0, 12, _UNIT, "axis"), *_grid(y, bands, wide)]
    parts += month_axis([one.month for one in months], bands, height - _FOOT)
    for place, one in enumerate(months):
        said = (f"{name} {between(gap)}" for name, gap in _pairs(one))
        tip = "\n".join((month_name(one.month, year=True), *said))
        size = {"x": bands.left(place), "y": _TOP, "width": bands.width, "height": height - _FOOT - _TOP}
        parts.append(element("rect", told(tip), **size, class_="hit"))
        parts += _bars(one, bands, place, y)
        if wide and one.managed_loss is None and one.frozen_loss is None:
            parts.append(text(bands.centre(place), y(0) - 8, "no refit", "axis", "middle"))
    parts.append(line(bands.start, y(0), bands.end, y(0), "zero"))
    return drawing(width, height, TITLE, parts)


def _grid(y: Linear, bands: Bands, wide: bool) -> Iterator[Markup]:
    for value in ticks(y.low, y.high):
        yield line(bands.start, y(value), bands.end, y(value), "grid")
        yield text(bands.start - 8, y(value) + 4, number(value, 2 if y.high >= 0.04 else 3), "t", "end")
    if wide:
        yield text(bands.end + 8, y(0) + 4, "as the refit", "t")


def _bars(one: Month, bands: Bands, place: int, y: Linear) -> Iterator[Markup]:
    thick = min(_MOST_WIDE, bands.width * 0.28)
    for side, (name, gap) in zip((-1, 0), _pairs(one), strict=True):
        if gap is None or not math.isfinite(gap.value):
            continue
        left = bands.centre(place) + side * (thick + 2) + 1
        top, foot = sorted((y(gap.value), y(0)))
        yield box(left, top, thick, max(foot - top, 1), f"bar {name}")
        if math.isfinite(gap.low) and math.isfinite(gap.high):
            yield line(left + thick / 2, y(gap.low), left + thick / 2, y(gap.high), f"whisker over {name}")
