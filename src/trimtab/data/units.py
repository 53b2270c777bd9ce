"""A unit that changed upstream: the same quantity in other numbers.

What a column's last deliveries did is the yardstick, so that neither a season nor a storm looks like a change: the
quantiles of the new rows must be further away than they ever were, and back in their place once they are converted.
A change that moves a column no further than its own weather does is not seen; a range in the contract sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from trimtab.data.history import Seen, distance, inner_quantiles
from trimtab.data.profile import Column, number

_FEWEST_MOVES = 24  # deliveries that were compared before the first one is judged
_FURTHER = 1.5  # times as far away as ever
_AS_EVER = 1 + 1e-9  # times the largest distance so far: no more, once converted; conversions round
_CLOSER = 6.0  # times as close once converted
_FREE_FURTHER, _FREE_ROWS = 4.0, 30  # for a factor that has no name


@dataclass(frozen=True)
class Conversion:
    """new = factor · old + offset."""

    name: str
    factor: float
    offset: float = 0.0

    def back(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """As they were in the old unit."""
        return tuple((one - self.offset) / self.factor for one in values)

    @property
    def inverse(self) -> Conversion:
        """The other way round: '°F → °C' for '°C → °F'."""
        names = self.name.split(" → ")
        name = " → ".join(reversed(names)) if len(names) == 2 else f"÷ {self.name.removeprefix('× ')}"
        return Conversion(name, 1 / self.factor, -self.offset / self.factor)


# What a column's name says of its quantity → the units that it comes in.
_NAMED: dict[str, tuple[Conversion, ...]] = {
    r"temp|temperature|dew|degc|degf|[fck]": (
        Conversion("°F → °C", 5 / 9, -160 / 9),
        Conversion("°C → K", 1, 273.15),
        Conversion("°F → K", 5 / 9, 273.15 - 160 / 9),
    ),
    r"dist|distance|length|height|altitude|visib|visibility|mi|miles|km|ft|feet|m|metres|meters": (
        Conversion("miles → km", 1.609344),
        Conversion("feet → metres", 0.3048),
    ),
    r"rain|precip|precipitation|snow|in|inch|inches|mm|cm": (
        Conversion("inches → mm", 25.4),
        Conversion("inches → cm", 2.54),
    ),
    r"speed|wind|gust|mph|kmh|kph|ms|mps|kn|knots": (
        Conversion("mph → m/s", 0.44704),
        Conversion("mph → km/h", 1.609344),
        Conversion("km/h → m/s", 1 / 3.6),
    ),
    r"pressure|mbar|hpa|pa|kpa|inhg|psi|bar": (
        Conversion("mbar → inHg", 0.02953),
        Conversion("bar → psi", 14.5038),
    ),
    r"weight|mass|lb|lbs|pounds|kg": (Conversion("lb → kg", 0.45359237),),
    r"volume|gal|gallons|litres|liters|l": (Conversion("gallons → litres", 3.785411784),),
}
_ANY = tuple(Conversion(f"× {factor:,}", factor) for factor in (10, 60, 100, 1_000, 3_600, 1_000_000))


def conversions(column: str) -> Iterator[Conversion]:
    """Those of the quantity that a column's name tells, e.g. 'temp_f'."""
    words = set(re.split(r"[^a-z]+", column.lower()))
    for pattern, named in _NAMED.items():
        if any(re.fullmatch(pattern, word) for word in words if word):
            yield from named
            yield from (one.inverse for one in named)


def changed_units(past: Mapping[str, Seen], columns: Mapping[str, Column]) -> list[str]:
    """Columns of a delivery whose unit has changed, each in words.

    >>> seen = Seen(500, 60.0, 1e5, 30.0, 90.0, (50.0, 55.0, 60.0, 65.0, 70.0), 72, 30, 6.0)
    >>> now = (10.0, 13.0, 15.5, 18.5, 21.0)
    >>> new = {"values": 72, "quantiles": [9.0, 9.5, *now, 22.0, 23.0], "min": 9, "max": 23, "mean": 15.6}
    >>> changed_units({"temp_f": seen}, {"temp_f": new})
    ["the unit of column 'temp_f' has changed: °F → °C? (its median is 15.5, it was 60)"]
    """
    found = []
    for name, column in columns.items():
        seen = past.get(name)
        if seen is None or not seen.comparable(column) or seen.moves < _FEWEST_MOVES or not seen.furthest:
            continue
        change = _change(name, seen, column)
        if change:
            now, before = median(inner_quantiles(column)), median(seen.last)
            found.append(
                f"the unit of column '{name}' has changed: {change}? (its median is {now:.4g}, it was {before:.4g})"
            )
    return found


def _change(name: str, seen: Seen, column: Column) -> str:
    now, last = inner_quantiles(column), seen.last
    if not median(now) or not median(last):
        return ""  # nothing but zeros, in any unit
    away = median(abs(a - b) for a, b in zip(now, last, strict=True))
    named = [(distance(one.back(now), last), one.name) for one in conversions(name)]
    scaled = [(distance(one.back(now), last), one.name) for ten in _ANY for one in (ten, ten.inverse)]
    if away > _FURTHER * seen.furthest and named:
        closest, told = min(named)
        if closest <= _AS_EVER * seen.furthest and closest * _CLOSER < away:
            return told
    closest, told = min(scaled)
    back = closest <= _AS_EVER * seen.furthest and closest * _CLOSER < away
    if back and away > seen.furthest and _beyond(seen, column):
        return told
    return _free(seen, column, away)


def _beyond(seen: Seen, column: Column) -> bool:
    """Whether no value is where values have ever been: a compass goes from 10 to 350 degrees in an hour."""
    low, high = number(column, "min"), number(column, "max")
    return low is not None and high is not None and (high < seen.low or low > seen.high or _middle(seen, column))


def _middle(seen: Seen, column: Column) -> bool:
    inner = inner_quantiles(column)
    return inner[1] > seen.high or inner[-2] < seen.low


def _free(seen: Seen, column: Column, away: float) -> str:
    """A factor that has no name, for a column that hardly moves."""
    now, last = inner_quantiles(column), seen.last
    factor = median(now) / median(last)
    if away <= _FREE_FURTHER * seen.furthest or seen.last_rows < _FREE_ROWS or factor <= 0:
        return ""
    close = distance(Conversion("", factor).back(now), last)
    return f"× {factor:.4g}" if close <= seen.furthest / 2 and close * _CLOSER < away else ""
