"""Aggregations of a source's rows over windows that end at the request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from trimtab.features.measures import MEASURES
from trimtab.features.windows import WINDOWS
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.errors import TrimtabError, UnknownName
from trimtab.kernel.moment import duration, duration_text, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source


@dataclass(frozen=True, eq=False)
class Aggregation:
    """Measures of one column over some windows, by a key."""

    name: str
    source: Source
    by: tuple[str, ...]
    of: str
    windows: tuple[timedelta, ...]
    how: tuple[str, ...]
    window_on: str
    place: str
    problems: tuple[TrimtabError, ...] = ()  # reported with all others when the system is applied

    @property
    def columns(self) -> tuple[str, ...]:
        """Its features, in order: 'mean_3h', 'count_3h', 'mean_24h', …"""
        return tuple(f"{how}_{duration_text(window)}" for window in self.windows for how in self.how)

    @property
    def span(self) -> timedelta:
        """The longest window."""
        return max(self.windows)

    @cached_property
    def version(self) -> str:
        """Digest of everything that decides its values."""
        windows: list[Json] = [duration_us(window) for window in self.windows]
        times = [self.source.event_time, self.source.known]
        body: list[Json] = [
            self.name,
            self.source.name,
            *times,
            list(self.by),
            self.of,
            list(self.how),
            self.window_on,
        ]
        return digest(["aggregation", *body, windows])


def aggregate(
    source: Source,
    *,
    by: str | Sequence[str],
    of: str,
    windows: Sequence[str | timedelta],
    how: Sequence[str],
    window_on: str = "known_time",
    name: str = "",
) -> Aggregation:
    """Declare window aggregations.

    Args:
        source: whose rows are aggregated.
        by: the columns that group rows; the request has the same columns.
        of: the column that is measured; booleans count as 0 and 1, nulls do not count.
        windows: durations; a window of "3h" holds the rows of (request - 3 h, request].
        how: measures, e.g. "mean", "count".
        window_on: which time has to lie in the window, "known_time" or "event_time". In either case only rows
            known at the request count.
        name: defaults to '{of}_by_{by}'.

    What is wrong with it is reported when the system is applied, together with everything else.
    """
    place = caller()
    keys = (by,) if isinstance(by, str) else tuple(by)
    problems: list[TrimtabError] = [
        UnknownName("measure", one, MEASURES, where=place) for one in how if one not in MEASURES
    ]
    if window_on not in WINDOWS:
        problems.append(UnknownName("kind of window", window_on, WINDOWS, where=place))
    spans = []
    for one in windows:
        try:
            spans.append(duration(one, "window"))
        except TrimtabError as error:
            problems.append(error.at(place))
    return Aggregation(
        name=name or f"{of}_by_{'_'.join(keys)}",
        source=source,
        by=keys,
        of=of,
        windows=tuple(spans),
        how=tuple(how),
        window_on=window_on,
        place=place,
        problems=tuple(problems),
    )
