"""Streams: sources whose rows are appended to Trimtab itself, over HTTP or in Python."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl
from polars._typing import PolarsDataType
from polars.io.plugins import register_io_source

from trimtab.data.readers.offer import Narrowed, Reader
from trimtab.data.readers.stream_declared import Stream
from trimtab.data.readers.stream_inbox import Inbox
from trimtab.data.readers.stream_rows import ALLOWED, INSTANT, json_type
from trimtab.kernel.errors import InvalidValue, NaiveTime, SourceUnreadable
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

_T = TypeVar("_T")


def stream(schema: Mapping[str, PolarsDataType]) -> Stream:
    """A stream, for a source's `read=`: rows are sent to `POST /v1/sources/{name}/rows` or `trimtab.append_rows`.

    What is accepted is on the disk before the answer leaves, and in online features seconds later while
    `trimtab up` runs. The source declares a known_time of its own: where a row leaves it out, or brings one that
    has been looked past already, it is the instant, by the server's clock, at which the row was accepted. History
    that is to be taken at its word is appended before the first `trimtab tick` or `train`.

    Args:
        schema: columns and their types: strings, booleans, numbers, dates, bytes (base64 in JSON), Enum, lists of
            these, and instants, which are `pl.Datetime("us", "UTC")`; rows may bring them in any zone, but with it.

    Raises:
        InvalidValue: no columns, or a type that rows cannot bring.
        NaiveTime: a datetime without a zone.

    >>> stream({"click_id": pl.String, "clicked_at": pl.Datetime("us", "UTC")})
    stream(click_id, clicked_at)
    """
    place = caller(2)
    if not schema:
        raise InvalidValue("stream", dict(schema), allowed="at least one column", where=place)
    columns = []
    for name, declared in schema.items():
        kind = declared if isinstance(declared, pl.DataType) else declared()
        if isinstance(kind, pl.Datetime) and kind.time_zone is None:
            raise NaiveTime(f"column '{name}'", str(kind), where=place)
        if json_type(kind) is None:
            raise InvalidValue(f"column '{name}'", kind, allowed=ALLOWED, where=place)
        columns.append((name, kind))
    return Stream(tuple(columns), place)


@dataclass(frozen=True)
class StreamOffer:
    """What has been appended so far."""

    source: Source
    inbox: Inbox
    schema: pl.Schema

    @property
    def rows(self) -> pl.LazyFrame:
        """All of it, in the order in which it was accepted."""
        return register_io_source(self._batches, schema=self.schema, explain_name="stream")

    def narrowed(self, known: str, after_us: int, until_us: int) -> Narrowed:  # noqa: ARG002 - the inbox knows it
        """By the index over the batches' known times."""
        found, earlier = self._read(lambda: self.inbox.look(after_us, until_us))
        return Narrowed(self._together(found).lazy(), earlier)

    def _batches(
        self, columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for batch in self._all():
            frame = batch.select(columns) if columns is not None else batch
            frame = frame if predicate is None else batch.filter(predicate).select(frame.columns)
            frame = frame if left is None else frame.head(left)
            left = left if left is None else left - frame.height
            yield frame
            if left == 0:
                return

    def _all(self) -> Iterator[pl.DataFrame]:
        yield pl.DataFrame(schema=self.schema)
        batches = self.inbox.all()
        while (batch := self._read(lambda: next(batches, None))) is not None:
            yield self._declared(batch)

    def _together(self, batches: list[pl.DataFrame]) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=self.schema), *map(self._declared, batches)])

    def _declared(self, batch: pl.DataFrame) -> pl.DataFrame:
        """With the columns that are declared now: the declaration may have changed since."""
        if batch.schema == self.schema:
            return batch
        return self._read(
            lambda: batch.select(
                (pl.col(name) if name in batch.columns else pl.lit(None).alias(name)).cast(kind)
                for name, kind in self.schema.items()
            )
        )

    def _read(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except (sqlite3.Error, pl.exceptions.PolarsError) as error:
            raise SourceUnreadable(
                self.source.name,
                where=self.source.place,
                allowed="an inbox whose rows have the types that are declared",
                got=f"{self.inbox.path}: {str(error).splitlines()[0]}",
                do="see that the disk has space and can be read; a column of another type needs a new name",
            ) from error


def _takes(read: object, project: Path) -> bool:  # noqa: ARG001 - other kinds need the project
    return isinstance(read, Stream)


def _open(source: Source, project: Path) -> StreamOffer:
    declared = source.read
    assert isinstance(declared, Stream)
    _refuse_declaration(source, declared.schema)
    return StreamOffer(source, Inbox(project, source.name), declared.schema)


def _refuse_declaration(source: Source, schema: pl.Schema) -> None:
    """Refuse what would let rows in that no version can take.

    A column that is missing is told by whoever reads the source, as of every kind.
    """
    if source.known == source.event_time:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a stream whose rows say when they became known: a known_time of its own",
            got=f"known_time={source.known_time!r}, event_time={source.event_time!r}",
            do='declare it, and add its column: known_time="received_at"; rows may leave it out',
        )
    wrong = [one for one in (source.event_time, source.known) if schema.get(one, INSTANT) != INSTANT]
    if wrong:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed=f"columns {source.event_time} and {source.known} of type {INSTANT}",
            got=f"column '{wrong[0]}' of type {schema[wrong[0]]}",
            do="declare it as an instant",
        )


STREAM = Reader(allowed="a stream (trimtab.stream)", takes=_takes, open=_open)
