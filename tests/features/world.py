"""Random worlds: facts with every kind of tie and delay, brought by versions, and questions about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from hypothesis import strategies as st
from tests.features.oracle import Fact

from trimtab.kernel.canonical import digest
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source

# New York lives 01:30 twice that night: 05:30 and 06:30 in UTC.
START_US = to_us(datetime(2013, 11, 3, 4, 30, tzinfo=UTC))
QUARTER_US = 15 * 60 * 1_000_000
LAST = 40  # quarters of an hour that a world lasts
INSTANT = pl.Datetime("us", "UTC")
ROW = pl.Schema(
    {
        "a": pl.String(),
        "b": pl.Int64(),
        "event": INSTANT,
        "known": INSTANT,
        "x": pl.Float64(),
        "flag": pl.Boolean(),
        "word": pl.String(),
        "id": pl.Int64(),
    }
)
SOURCE = Source("facts", pl.DataFrame, event_time="event", known_time="known", key="id")

MICRO = 1 / QUARTER_US
# Quarters of an hour, often the same ones, and the microseconds beside them.
quarters = (
    st.sampled_from([8, 16, 24]) | st.integers(0, LAST) | st.sampled_from([8 - MICRO, 16 + MICRO, 24 - MICRO])
)
places = st.none() | st.sampled_from(["JFK", "EWR", "é"])
gates = st.none() | st.sampled_from([1, 2])
eighths = st.none() | st.integers(-40, 40).map(lambda number: number / 8)  # floats whose sums are exact
floats = eighths | st.floats(-1e6, 1e6) | st.sampled_from([0.1, float("nan"), float("inf"), float("-inf"), 1e300])


@dataclass(frozen=True)
class Row:
    """One row of the source, in quarters of an hour since the start."""

    a: str | None
    b: int | None
    event: float
    known: float
    x: float | None
    flag: bool | None
    word: str | None
    id: int | None = None  # names the fact; rows without it are facts of their own


def rows(x: st.SearchStrategy[float | None], most: int = 14) -> st.SearchStrategy[list[Row]]:
    """Rows in any order, some of them twice, some known before they were true."""
    word = st.none() | st.sampled_from(["", "p", "q"])
    id = st.none() | st.integers(1, 4)  # few, so that most facts are corrected
    one = st.builds(Row, places, gates, quarters, quarters, x, st.none() | st.booleans(), word, id)
    return st.lists(one, max_size=most).flatmap(
        lambda some: (
            st.lists(st.sampled_from(some), max_size=3).map(lambda twice: some + twice) if some else st.just(some)
        )
    )


questions = st.lists(st.tuples(places | st.just("LGA"), gates | st.just(9), quarters), min_size=1, max_size=8)


def us(quarter: float) -> int:
    """An instant in microseconds."""
    return START_US + round(quarter * QUARTER_US)


def frame(some: Sequence[Row]) -> pl.DataFrame:
    """As a source offers them."""
    told = [
        (one.a, one.b, from_us(us(one.event)), from_us(us(one.known)), one.x, one.flag, one.word, one.id)
        for one in some
    ]
    return pl.DataFrame(told, schema=ROW, orient="row")


def asked(some: Sequence[tuple[str | None, int | None, float]]) -> pl.DataFrame:
    """Questions as a frame: a, b, at."""
    told = [(a, b, from_us(us(at))) for a, b, at in some]
    return pl.DataFrame(told, schema={"a": pl.String, "b": pl.Int64, "at": INSTANT}, orient="row")


def arrived(some: Sequence[Row]) -> list[Row]:
    """In the order in which ingest lets them in."""
    return sorted(some, key=lambda one: (one.known, one.event))


def facts(
    some: Sequence[Row],
    entity: Sequence[str],
    values: Sequence[str],
    *,
    key: Sequence[str] = ("id",),
    where: Callable[[Row], bool | None] = lambda _: True,
) -> list[Fact]:
    """As the oracle sees them."""
    return [
        Fact(
            tuple(getattr(one, name) for name in entity),
            us(one.event),
            us(one.known),
            tuple(getattr(one, name) for name in values),
            tuple(getattr(one, name) for name in key),
            bool(where(one)),
        )
        for one in some
    ]


class HeldVersions:
    """Dataset versions of one source in memory: what was known until each cut, sorted as ingest sorts it."""

    def __init__(self, some: Sequence[Row], cuts: Sequence[float]) -> None:
        ingested = frame(arrived(some))
        known = ingested["known"].dt.epoch("us")
        self._parts: list[pl.DataFrame] = []
        self._until_us: list[int] = []
        after_us = us(0) - 1
        for cut in sorted(set(cuts)):
            part = ingested.filter((known > after_us) & (known <= us(cut)))
            if part.height:
                stamp = pl.lit(len(self._parts) + 1, dtype=pl.Int64).alias("_version")
                self._parts.append(part.with_columns(stamp))
                self._until_us.append(us(cut))
                after_us = us(cut)
        self.newest = len(self._parts)  # a test may step back to an older one

    def current(self, source: str) -> int:
        assert source == SOURCE.name
        return self.newest

    def digest(self, source: str, number: int) -> str:
        assert source == SOURCE.name
        return digest([str(part.rows()) for part in self._parts[:number]])

    def known_until_us(self, source: str, number: int) -> int:
        assert source == SOURCE.name
        return self._until_us[number - 1]

    def frame(self, source: str, upto: int | None = None, after: int = 0) -> pl.LazyFrame:
        assert source == SOURCE.name
        empty = frame([]).with_columns(pl.lit(0, dtype=pl.Int64).alias("_version"))
        return pl.concat([empty, *self._parts[after : self.newest if upto is None else upto]]).lazy()
