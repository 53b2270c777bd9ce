"""Monthly: a retraining for each calendar month, once its labels have settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.moment import duration
from trimtab.kernel.place import caller

_SHORTEST_MONTH = timedelta(days=28)


@dataclass(frozen=True)
class Monthly:
    """Due `settle` after the first of each month, unless a training that month has been already."""

    settle: str
    zone: str
    place: str = ""

    def problems(self) -> Iterator[TrimtabError]:
        """What is wrong with its settings."""
        try:
            if duration(self.settle, "settle") >= _SHORTEST_MONTH:
                allowed = "less than 28 days: each month is trained for before the next begins"
                yield InvalidValue("settle", self.settle, allowed=allowed, where=self.place)
        except TrimtabError as error:
            yield error.at(self.place)
        if self.zone not in available_timezones():
            yield InvalidValue(
                "zone", self.zone, allowed="an IANA time zone, e.g. America/New_York", where=self.place
            )

    @property
    def name(self) -> str:
        """With its settings."""
        return f"monthly(settle={self.settle})"

    def month(self, now: datetime) -> datetime:
        """The first instant of the newest month that a training at `now` is due for."""
        local = (now - duration(self.settle, "settle")).astimezone(ZoneInfo(self.zone))
        return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)


def monthly(*, settle: str = "1d", zone: str = "UTC") -> Monthly:
    """Retrain once a month.

    Args:
        settle: how long after the first of the month, so that the month's late labels are in.
        zone: time zone of the calendar.
    """
    return Monthly(settle, zone, caller())
