"""From values to places on the page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_MONTHS_FROM_DAYS = 62
_WEEKS_FROM_DAYS = 14


@dataclass(frozen=True)
class Linear:
    """A straight map of [low, high] onto [start, end]; what lies outside is held at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        inside = min(max(value, min(self.low, self.high)), max(self.low, self.high))
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


@dataclass(frozen=True)
class Bands:
    """Equal columns side by side."""

    count: int
    start: float
    end: float

    @property
    def width(self) -> float:
        """Of one column."""
        return (self.end - self.start) / max(1, self.count)

    def left(self, number: int) -> float:
        """Where a column begins."""
        return self.start + self.width * number

    def centre(self, number: int) -> float:
        """The middle of a column."""
        return self.start + self.width * (number + 0.5)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, 1, 2 or 5 times a power of ten apart.

    >>> ticks(0.67, 0.80)
    [0.68, 0.7, 0.72, 0.74, 0.76, 0.78, 0.8]
    """
    step = _step(low, high, about)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def round_range(values: Iterable[float], about: int = 5, *, least: float = 1e-3) -> tuple[float, float]:
    """A range with round ends around all finite values; never empty.

    >>> round_range([0.672, 0.797])
    (0.66, 0.8)
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low < least:
        low, high = low - least, high + least
    step = _step(low, high, about)
    return round(math.floor(low / step + 1e-9) * step, 10), round(math.ceil(high / step - 1e-9) * step, 10)


def _step(low: float, high: float, about: int) -> float:
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    return min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / raw)))


def seconds(moment: datetime) -> float:
    """Of an aware moment since 1970 UTC, for scales of time."""
    return moment.timestamp()


def time_ticks(began: datetime, until: datetime, zone: str) -> list[tuple[datetime, str]]:
    """Starts of months, weeks or days in the zone, by the length of the period, with their names."""
    local = began.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (until - began).days
    found: list[tuple[datetime, str]] = []
    while local <= until:
        if days > _MONTHS_FROM_DAYS:
            starts, name = local.day == 1, f"{local:%b}"
        else:
            starts, name = days <= _WEEKS_FROM_DAYS or local.weekday() == 0, f"{local.day} {local:%b}"
        if starts and local >= began:
            found.append((local, name))
        local = (local.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=ZoneInfo(zone))
    return found
