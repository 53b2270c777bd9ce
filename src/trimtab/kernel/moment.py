"""Instants and durations. Instants are aware; on disk and in stores they are microseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from trimtab.kernel.errors import InvalidValue, NaiveTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d+)(us|ms|s|m|h|d|w)")


def aware(moment: datetime, name: str = "time") -> datetime:
    """The same instant in UTC; a naive one is an error.

    Raises:
        NaiveTime: `moment` has no zone.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise NaiveTime(name, moment)
    return moment.astimezone(UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly (no float on the way)."""
    return (aware(moment) - _EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """The instant `us` microseconds after 1970-01-01 UTC.

    >>> from_us(to_us(datetime(2013, 4, 1, tzinfo=UTC))).isoformat()
    '2013-04-01T00:00:00+00:00'
    """
    return _EPOCH + timedelta(microseconds=us)


def parse_instant(text: str, name: str = "time") -> datetime:
    """An ISO 8601 instant with its zone.

    Raises:
        InvalidValue: not ISO 8601.
        NaiveTime: no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(
            name, text, allowed="an ISO 8601 time with a zone, e.g. 2013-04-01T00:00:00+00:00"
        ) from None
    if moment.tzinfo is None:
        raise NaiveTime(name, text)
    return aware(moment, name)


def duration(text: str | timedelta, name: str = "duration") -> timedelta:
    """A positive duration such as '3h', '7d', '90m', '500ms'; parts may be joined: '1d12h'.

    >>> duration("1d12h")
    datetime.timedelta(days=1, seconds=43200)

    Raises:
        InvalidValue: not of that form, or not positive.
    """
    if isinstance(text, timedelta):
        span = text
    else:
        parts = _DURATION.findall(str(text))
        if not parts or "".join(count + unit for count, unit in parts) != text:
            raise InvalidValue(
                name, text, allowed=f"a number with a unit ({', '.join(_UNITS)}), e.g. '3h' or '1d12h'"
            )
        try:
            span = sum((int(count) * _UNITS[unit] for count, unit in parts), timedelta())
        except (OverflowError, ValueError):
            raise InvalidValue(name, text, allowed=f"at most {timedelta.max.days} days") from None
    if span <= timedelta():
        raise InvalidValue(name, text, allowed="a positive duration")
    return span


def duration_us(span: timedelta) -> int:
    """A duration in microseconds, exactly."""
    return span // _MICROSECOND


def duration_text(span: timedelta) -> str:
    """The shortest form that `duration` reads back.

    >>> duration_text(timedelta(days=7)), duration_text(timedelta(minutes=90))
    ('7d', '1h30m')
    """
    left, text = span, ""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, left = divmod(left, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    return text
