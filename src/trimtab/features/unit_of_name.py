"""The unit that a column's name ends with."""

from __future__ import annotations

from collections.abc import Mapping

# `_min` is not among them: it may be minutes or the smallest.
SUFFIXES: Mapping[str, str] = {
    "us": "µs",
    "ms": "ms",
    "s": "s",
    "seconds": "s",
    "minutes": "min",
    "h": "h",
    "hours": "h",
    "days": "days",
    "bytes": "bytes",
    "f": "°F",
    "c": "°C",
    "mm": "mm",
    "cm": "cm",
    "in": "in",
    "inches": "in",
    "m": "m",
    "ft": "ft",
    "km": "km",
    "miles": "miles",
    "kmh": "km/h",
    "mph": "mph",
    "kg": "kg",
    "lb": "lb",
    "hpa": "hPa",
    "mbar": "mbar",
    "eur": "€",
    "usd": "$",
    "gbp": "£",
    "pct": "%",
    "percent": "%",
    "deg": "°",
}


def unit_of_name(column: str) -> str:
    """By the last word of a name of two words or more; "" if that is no unit.

    >>> unit_of_name("wind_speed_mph"), unit_of_name("temp_f"), unit_of_name("seats"), unit_of_name("c")
    ('mph', '°F', '', '')
    """
    before, _, last = column.lower().rpartition("_")
    return SUFFIXES.get(last, "") if before else ""
