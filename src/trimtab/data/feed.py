"""What a source offers, by when it says that it became known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

import polars as pl

from trimtab.data.contract import REASON
from trimtab.data.readers.shown import shown
from trimtab.data.reading import offer
from trimtab.data.versions import VERSION
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable, listed
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source

_T = TypeVar("_T")
Complete: TypeAlias = Callable[[pl.DataFrame], pl.DataFrame]
BEGINNING_US = to_us(datetime.fromisoformat("0001-01-02T00:00:00+00:00"))


@dataclass(frozen=True)
class Look:
    """What one look at a feed brings."""

    rows: pl.DataFrame  # known in (after, until], in the order in which they became known, and those without a time
    earlier: int  # how many rows the feed offers that were known by `after`


class Feed:
    """A source's rows as they lie there now."""

    def __init__(self, source: Source, project: Path, complete: Complete | None = None) -> None:
        """Open it; values are read when they are asked for.

        Args:
            source: what is declared.
            project: the folder that its path is relative to.
            complete: what rows leave out is completed by it: of one row always in the same way.

        Raises:
            ContractBreach: a declared column is missing, or one has a name of ours.
            NaiveTime: a declared time has no zone.
            SourceUnreadable: the rows cannot be read.
        """
        self._source = source
        self._complete = complete or (lambda rows: rows)
        self._offer = offer(source, project)
        schema = self._read(lambda: self._offer.schema)
        _refuse_columns(source, schema)
        kind = schema[source.known]
        assert isinstance(kind, pl.Datetime)
        self._kind = kind

    def look(self, after_us: int, until_us: int) -> Look:
        """Rows that became known in (after, until]; those without a known time are new at every look."""
        part = self._read(lambda: self._offer.narrowed(self._source.known, after_us, until_us))
        wanted = ~self._by(after_us) & self._by(until_us)
        rows = self._sorted(part.rows.filter(wanted | pl.col(self._source.known).is_null()))
        earlier = part.rows.select(self._by(after_us).sum())
        new, count = self._read(lambda: pl.collect_all([rows, earlier]))
        return Look(self._complete(new), part.earlier + count.item())

    def upto(self, until_us: int) -> pl.DataFrame:
        """All rows that it offers as known by an instant, in the order in which they became known."""
        return self._complete(self._read(self._sorted(self._offer.rows.filter(self._by(until_us))).collect))

    def _by(self, us: int) -> pl.Expr:
        """Whether a row was known by an instant; null for one without a known time."""
        known = pl.col(self._source.known)
        if self._kind.time_unit != "us":
            return known.dt.convert_time_zone("UTC").dt.cast_time_unit("us") <= from_us(us)
        # The bare column against a constant: what Parquet's statistics can answer is not read.
        return known <= pl.lit(us, dtype=pl.Int64).cast(self._kind)

    def _sorted(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        order = dict.fromkeys((self._source.known, self._source.event_time, *self._source.keys))
        return rows.sort(*order, maintain_order=True)

    def _read(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SourceUnreadable(
                self._source.name,
                where=self._source.place,
                got=shown(str(error), of=self._source.read),
                do="mend the file or the reading function",
            ) from None  # the error's own text may show the address


def _refuse_columns(source: Source, schema: pl.Schema) -> None:
    """Refuse a table without its times and keys, and one that has a column of ours."""
    times = dict.fromkeys((source.event_time, source.known))
    for column in dict.fromkeys((*times, *source.keys)):
        if column not in schema:
            raise ContractBreach(
                source.name,
                allowed=f"a column '{column}', which the declaration at {source.place} names",
                got=f"columns {listed(schema)}",
                do="mend the feed, or the declaration's event_time, known_time and key",
            )
    for column in times:
        kind = schema[column]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            raise NaiveTime(f"column '{column}' of source '{source.name}'", str(kind), where=source.place)
    for column in (VERSION, REASON):
        if column in schema:
            raise ContractBreach(
                source.name,
                allowed=f"any column but {VERSION} and {REASON}, which Trimtab adds",
                got=f"a column '{column}'",
                do="rename the column where the source is read",
            )
