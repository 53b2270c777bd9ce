"""Drift: how far each feature's distribution is from training's, month by month."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from trimtab.house.chronicle import Month
from trimtab.web.report.figure import NARROW, WIDE, Figure, Key, Numbers
from trimtab.web.report.scale import Bands
from trimtab.web.report.svg import box, drawing, text
from trimtab.web.report.wording import UNKNOWN, month_name, number

TITLE = "Population stability index by feature and month"
_SAYS = "Against the training set of the first release. The most drifted feature is on top."
_BOUNDS = (0.1, 0.25, 1.0, 3.0)  # the first two are the customary ones
_KEYS = ("below 0.1", "0.1 to 0.25", "0.25 to 1", "1 to 3", "3 or more")
_LONGEST = 20  # characters of a name on a phone


def drift_map(months: Sequence[Month]) -> Figure:
    """A row for each feature, a column for each month."""
    features = sorted({name for one in months for name in one.drift}, key=lambda name: (-_most(name, months), name))
    if not features:
        return Figure(TITLE, _SAYS, empty="No drift has been measured yet.")
    shown = tuple((name, *(number(one.drift.get(name), 2) for one in months)) for name in features)
    columns = ("feature", *(month_name(one.month, year=True) for one in months))
    return Figure(
        TITLE,
        _SAYS,
        wide=_picture(features, months, WIDE, (210, 26)),
        narrow=_picture(features, months, NARROW, (136, 20)),
        keys=tuple(Key(f"h{level}", said) for level, said in enumerate(_KEYS)),
        numbers=Numbers(TITLE, columns, shown),
    )


def _most(name: str, months: Sequence[Month]) -> float:
    return max((value for one in months if math.isfinite(value := one.drift.get(name, 0.0))), default=0.0)


def _level(value: float) -> int:
    return sum(value >= bound for bound in _BOUNDS)


def _picture(features: Sequence[str], months: Sequence[Month], width: int, sizes: tuple[int, int]) -> Markup:
    left, tall = sizes
    wide = width == WIDE
    bands = Bands(len(months), left, min(width, left + 84 * len(months)))
    parts: list[Markup] = []
    every = 1 + int(26 / bands.width)
    for place, one in enumerate(months):
        if place % every == 0:
            parts.append(text(bands.centre(place), 12, month_name(one.month), "t", "middle"))
    for row, name in enumerate(features):
        top = 22 + row * tall
        parts.append(
            text(left - 10, top + tall / 2 + 4, _named(name, wide), "t strong" if wide else "t strong small", "end")
        )
        parts += _row(name, months, bands, (top, tall))
    return drawing(width, 22 + len(features) * tall + 2, TITLE, parts)


def _row(name: str, months: Sequence[Month], bands: Bands, place: tuple[float, float]) -> Iterator[Markup]:
    top, tall = place
    for column, one in enumerate(months):
        value = one.drift.get(name)
        known = value is not None and math.isfinite(value)
        level = f"h{_level(value)}" if value is not None and known else "none"
        tip = f"{name}\n{month_name(one.month, year=True)}: {number(value, 2)}"
        yield box(bands.left(column) + 1, top + 1, bands.width - 2, tall - 2, f"cell {level}", tip, 2)
        if bands.width > 40:
            said = number(value, 2) if known else UNKNOWN
            yield text(bands.centre(column), top + tall / 2 + 4, said, f"in-cell {level}", "middle")


def _named(name: str, wide: bool) -> str:
    """On a phone a long name gives up the end of its view, which the neighbours share."""
    view, _, column = name.partition(".")
    room = _LONGEST - len(column) - 2
    if wide or len(name) <= _LONGEST:
        return name
    return f"{view[:room]}….{column}" if room > 0 else f"{name[: _LONGEST - 1]}…"
