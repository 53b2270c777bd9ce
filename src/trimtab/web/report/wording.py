"""Numbers, times and spans as people read them. What is not known is a dash."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from trimtab.house.chronicle import Measured

UNKNOWN = "–"
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> str:
    """
    >>> number(-0.00214), number(0.5, 2, signed=True), number(float("nan"))
    ('−0.0021', '+0.50', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    shown = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    return shown.replace("-", "−")


def numbers(one: Measured | None) -> tuple[str, str, str]:
    """A number and its interval, as cells of a table."""
    if one is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return number(one.value), number(one.low), number(one.high)


def count(value: int | float | None) -> str:
    """
    >>> count(255987)
    '255,987'
    """
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """
    >>> percent(0.05), percent(0.0487), percent(None)
    ('5 %', '4.9 %', '–')
    """
    if share is None or not math.isfinite(share):
        return UNKNOWN
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def between(one: Measured | None, digits: int = 4) -> str:
    """A number with its interval, as a sentence would say it."""
    if one is None or not math.isfinite(one.value):
        return "not known"
    return f"{number(one.value, digits)} ({number(one.low, digits)} to {number(one.high, digits)})"


def some(amount: int, noun: str, plural: str = "") -> str:
    """
    >>> some(1, "month"), some(3, "refusal"), some(0, "rollout")
    ('one month', 'three refusals', 'no rollouts')
    """
    return f"{word(amount)} {noun if amount == 1 else plural or noun + 's'}"


def word(amount: int) -> str:
    """Small numbers in letters."""
    return _SMALL[amount] if 0 <= amount < len(_SMALL) else f"{amount:,}"


def minute(moment: datetime, zone: str) -> str:
    """Date and time of day in the zone."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def day(moment: datetime, zone: str) -> str:
    """Day and month in the zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b}"


def long_day(moment: datetime, zone: str) -> str:
    """Day, month and year in the zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%B %Y}"


def span(length: timedelta) -> str:
    """
    >>> span(timedelta(minutes=75)), span(timedelta(hours=5, minutes=30)), span(timedelta(days=6, hours=4))
    ('75 min', '5 h', '6 days')
    """
    minutes = length // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 24 * 60 else f"{length.days} days"


def month_name(month: str, *, year: bool = False) -> str:
    """
    >>> month_name("2013-04"), month_name("2013-04", year=True)
    ('Apr', 'April 2013')
    """
    first = datetime.fromisoformat(f"{month}-01")
    return f"{first:%B %Y}" if year else f"{first:%b}"
