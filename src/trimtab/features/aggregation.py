"""Aggregations of a source's rows over windows that end at the request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import polars as pl

from trimtab.features.measures.find import measure
from trimtab.features.tags import Tags
from trimtab.features.unit_of_name import unit_of_name
from trimtab.features.windows import WINDOWS
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.errors import InvalidValue, TrimtabError, UnknownName
from trimtab.kernel.moment import duration, duration_text, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

_COUNTED = {"count": "rows", "distinct": "values"}


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
    where: str | pl.Expr | None = None
    problems: tuple[TrimtabError, ...] = ()  # reported with all others when the system is applied
    description: str = ""
    owner: str = ""
    unit: str = ""
    personal: bool | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Its features, in order: 'mean_3h', 'count_3h', 'mean_24h', …"""
        return tuple(f"{how}_{duration_text(window)}" for window in self.windows for how in self.how)

    @property
    def tags(self) -> Tags:
        """By feature: what counts has its own unit, what is measured that of the column."""
        units = {how: _COUNTED.get(how, self.unit or unit_of_name(self.of)) for how in self.how}
        personal = None if self.personal is None else self.columns if self.personal else ()
        columns = {column: units[column.rpartition("_")[0]] for column in self.columns}
        return Tags(self.owner, columns, personal)

    @property
    def span(self) -> timedelta:
        """The longest window."""
        return max(self.windows)

    @property
    def filter(self) -> pl.Expr:
        """Which rows of the source count at all, before any window."""
        if self.where is None:
            return pl.lit(True)
        return pl.col(self.where) if isinstance(self.where, str) else self.where

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the source that decide its values, each once."""
        source = self.source
        filtered = () if self.where is None else self.filter.meta.root_names()
        return tuple(dict.fromkeys((*self.by, self.of, source.event_time, source.known, *source.keys, *filtered)))

    @cached_property
    def version(self) -> str:
        """Digest of everything that decides its values.

        Of a filter's expression it takes Polars' own serialised form, which another version of Polars may write in
        another way: then the definition counts as a new one.
        """
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
            list(self.source.keys),  # they say which rows are versions of one fact
            windows,
        ]
        # An expression in a list: a column may have such a name.
        where: Json = [self.where.meta.serialize(format="json")] if isinstance(self.where, pl.Expr) else self.where
        return digest(["aggregation", *body, where])


def aggregate(  # noqa: PLR0913 - a declaration: each is an argument of its own to the reader
    source: Source,
    *,
    by: str | Sequence[str],
    of: str,
    windows: Sequence[str | timedelta],
    how: Sequence[str],
    window_on: str = "known_time",
    where: str | pl.Expr | None = None,
    name: str = "",
    description: str = "",
    owner: str = "",
    unit: str = "",
    personal: bool | None = None,
) -> Aggregation:
    """Declare window aggregations.

    Args:
        source: whose rows are aggregated.
        by: the columns that group rows; the request has the same columns.
        of: the column that is measured; booleans count as 0 and 1, nulls and what is not finite do not count.
        windows: durations; a window of "3h" holds the rows of (request - 3 h, request].
        how: measures: "count", "sum", "mean", "min", "max", "std" (of a sample: n - 1; null below two values),
            "last" (the newest by event time, then known time, then arrival), "distinct" (how many values differ),
            and percentiles such as "p50" or "p99.9" (linear between the two nearest values). "count", "last" and
            "distinct" also take text and categories.
        window_on: which time has to lie in the window, "known_time" or "event_time". In either case only rows
            known at the request count, and of the rows with one key of the source (the same fact, known again) only
            the newest one known at the request: by known time, then by arrival. A row with a null in its key is a
            fact of its own.
        where: which rows count: an expression over the source's columns that looks at one row at a time, or the
            name of a boolean column. A correction that it leaves out takes the fact out.
        name: defaults to '{of}_by_{by}'.
        description: for people.
        owner: who answers for it: a team or a person; the source's owner if not given.
        unit: of `of`, if its name does not end with it; of "count" it is rows, of "distinct" values.
        personal: whether its features hold personal data; None: they do if `of`, or a column of `by`, is personal
            in the source.

    What is wrong with it is reported when the system is applied, together with everything else.
    """
    place = caller()
    keys = (by,) if isinstance(by, str) else tuple(by)
    problems: list[TrimtabError] = []
    for one in how:
        try:
            measure(one)
        except TrimtabError as error:
            problems.append(error.at(place))
    if where is not None and not isinstance(where, str | pl.Expr):
        problems.append(
            InvalidValue(
                "where", where, allowed="a Polars expression, or the name of a boolean column", where=place
            )
        )
        where = None
    if window_on not in WINDOWS:
        problems.append(UnknownName("kind of window", window_on, WINDOWS, where=place))
    problems += _tag_problems(description, owner, unit, personal, place)
    spans = []
    for window in windows:
        try:
            spans.append(duration(window, "window"))
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
        where=where,
        problems=tuple(problems),
        description=description,
        owner=owner,
        unit=unit,
        personal=personal,
    )


def _tag_problems(
    description: object, owner: object, unit: object, personal: object, place: str
) -> Iterator[TrimtabError]:
    for name, given in (("description", description), ("owner", owner), ("unit", unit)):
        if not isinstance(given, str):
            yield InvalidValue(name, given, allowed="text", where=place)
    if not isinstance(personal, bool | None):
        yield InvalidValue(
            "personal", personal, allowed="True, False, or None: as the source's columns are", where=place
        )
