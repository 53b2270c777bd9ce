"""SQLite, which has no type for times: they are text, and text is put in order by its first ten letters."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.pool import NullPool

from trimtab.data.readers.sql_declared import Sql
from trimtab.data.readers.sql_dialect import quoted, relation
from trimtab.kernel.errors import NaiveTime, SourceUnreadable
from trimtab.kernel.moment import from_us
from trimtab.kernel.source import Source

_INSTANT = pl.Datetime("us", "UTC")
_BUSY_S = 60.0
# An offset moves an instant's date by at most one day.
_OFFSET = timedelta(days=1)
_ROUNDED_US = 2_000  # SQLite's instants have milliseconds, and its days are floats
_FIRST, _LAST = "0001-", "9999-12-31~"  # all dates lie between them, as text; numbers and blobs do not
_DATE = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]*"
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|z|[+-]\d\d(?::?\d\d)?)?")
_TIME_ALLOWED = "ISO 8601 text with an offset: 2013-04-01T00:00:00+00:00, 2013-04-01 00:00:00Z"
# Parts of a declared type, in this order. SQLite's own rule looks for parts of the name as well (datatype3.html).
_KINDS: tuple[tuple[str, pl.DataType], ...] = (
    ("BOOL", pl.Boolean()),
    ("DATETIME", _INSTANT),
    ("TIMESTAMP", _INSTANT),
    ("DATE", pl.Date()),
    ("INT", pl.Int64()),
    *((part, pl.String()) for part in ("CHAR", "CLOB", "TEXT", "UUID", "JSON")),
    ("BLOB", pl.Binary()),
    *((part, pl.Float64()) for part in ("REAL", "FLOA", "DOUB", "DEC", "NUM")),
)


class Sqlite:
    """One table or query in a SQLite file."""

    def __init__(self, source: Source, declared: Sql, url: URL, project: Path) -> None:
        """Find the file.

        Raises:
            SourceUnreadable: it does not exist.
        """
        self.relation = "temp._trimtab_rows"
        self.hidden: tuple[str, ...] = ()
        self._source = source
        self._declared = relation(declared)
        self._types = dict(declared.types)
        self._path = project / (url.database or "")
        self.name = str(self._path)
        if not self._path.is_file():
            raise SourceUnreadable(
                source.name,
                where=source.place,
                allowed="sqlite:///FILE, a SQLite file that exists, relative to the project folder",
                got=f"no file {self._path}",
                do="put the file there, or mend the path (an absolute one has four slashes: sqlite:////data/x.db)",
            )

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that sees the file as of one instant.

        In it, a view of the table or query: SQLite tells the types of a view's columns, but not of a query's.
        """
        engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        with engine.connect() as connection:
            plain = connection.execution_options(no_parameters=True)
            plain.exec_driver_sql("BEGIN")
            view = f"CREATE TEMP VIEW _trimtab_rows AS SELECT * FROM {self._declared}"  # noqa: S608 - as declared
            plain.exec_driver_sql(view)
            yield connection

    def schema(self, connection: Connection) -> pl.Schema:
        """The columns of the table or query, with their types."""
        columns = connection.exec_driver_sql("PRAGMA temp.table_info(_trimtab_rows)").all()
        return pl.Schema({one[1]: self._kind(one[1], str(one[2])) for one in columns})

    def narrowing(self, known: str, after_us: int, until_us: int) -> tuple[str, str]:
        """Whole days by text, which an ordinary index tells apart; within them instants, as SQLite reads them.

        SQLite reads some of the forms allowed, to the millisecond; what it cannot read it gives out.
        What is no date and sorts before them is counted as earlier, and shows: no version has taken it.
        """
        column, day = quoted(known), f"julianday({quoted(known)})"
        low = _text(from_us(after_us).date(), -_OFFSET, _FIRST)
        end_of_after = _text(from_us(after_us).date(), 2 * _OFFSET, _LAST)
        high = _text(from_us(until_us).date(), 2 * _OFFSET, _LAST)
        after, until = _julian_day(after_us - _ROUNDED_US), _julian_day(until_us + _ROUNDED_US)
        odd = f"{column} > '{_LAST}' OR {column} NOT GLOB '{_DATE}'"
        new = f"{column} < '{high}' AND ({day} IS NULL OR {day} BETWEEN {after!r} AND {until!r})"
        wanted = f"({column} >= '{low}' AND ({new} OR {odd})) OR {column} IS NULL OR {column} < '{_FIRST}'"
        # One range, so that the index alone is counted.
        that_day = f"{column} GLOB '{_DATE}' AND {day} < {after!r}"
        by_after = f"{column} >= '{_FIRST}' AND {column} < '{end_of_after}'"
        return wanted, f"{by_after} AND ({column} < '{low}' OR ({that_day}))"

    def frame(self, rows: Sequence[Any], schema: pl.Schema) -> pl.DataFrame:
        """The driver's rows in the types of these columns; any value may have any type in SQLite."""
        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        pairs = zip(schema.items(), columns, strict=True)
        return pl.DataFrame([self._series(name, values, kind) for (name, kind), values in pairs])

    def _connect(self) -> sqlite3.Connection:
        # Read-only: asked for otherwise, SQLite makes a file that does not exist.
        address = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        # Polars may take batches from any of its threads, one after the other.
        return sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)

    def _kind(self, column: str, declared: str) -> pl.DataType:
        if column in (self._source.event_time, self._source.known):
            return _INSTANT
        told = self._types.get(column, declared).upper()
        for part, kind in _KINDS:
            if part in told:
                return kind
        raise SourceUnreadable(
            self._source.name,
            where=self._source.place,
            allowed=f"types that contain {', '.join(part for part, _ in _KINDS)}",
            got=f"column '{column}' of {f'type {told}' if told else 'no declared type'}",
            do=f"say it: trimtab.sql(…, types={{'{column}': 'REAL'}})",
        )

    def _series(self, name: str, values: Sequence[Any], kind: pl.DataType) -> pl.Series:
        if kind == _INSTANT:
            return pl.Series(name, [self._instant(name, one) for one in values], dtype=kind)
        convert = _CONVERTED[kind]
        held = []
        for value in values:
            try:
                held.append(None if value is None else convert(value))
            except (TypeError, ValueError):
                raise self._odd(name, value, f"values of type {kind}, as the column is declared") from None
        return pl.Series(name, held, dtype=kind)

    def _instant(self, column: str, value: object) -> datetime | None:
        if value is None:
            return None
        parts = _ISO.fullmatch(value) if isinstance(value, str) else None
        if parts is None:
            raise self._odd(column, value, _TIME_ALLOWED)
        if parts[3] is None:
            raise NaiveTime(f"column '{column}' of source '{self._source.name}'", value, where=self._source.place)
        try:
            return datetime.fromisoformat(f"{parts[1]}T{parts[2]}{parts[3].upper()}").astimezone(UTC)
        except (ValueError, OverflowError):
            raise self._odd(column, value, _TIME_ALLOWED) from None

    def _odd(self, column: str, value: object, allowed: str) -> SourceUnreadable:
        return SourceUnreadable(
            self._source.name,
            where=self._source.place,
            allowed=allowed,
            got=f"column '{column}' holds {value!r}",
            do="mend the row, or convert the column by query=",
        )


def _julian_day(us: int) -> float:
    return us / 86_400_000_000 + 2_440_587.5


def _text(day: date, by: timedelta, otherwise: str) -> str:
    try:
        return (day + by).isoformat()
    except OverflowError:
        return otherwise


def _date(value: object) -> date:
    if not isinstance(value, str):
        raise TypeError
    return date.fromisoformat(value)


def _exactly(value: object, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError
    return value


def _boolean(value: object) -> bool:
    if _exactly(value, int) not in (0, 1):
        raise ValueError
    return bool(value)


_CONVERTED: dict[pl.DataType, Callable[[object], Any]] = {
    pl.Boolean(): _boolean,
    pl.Date(): _date,
    pl.Int64(): lambda value: _exactly(value, int),
    pl.Float64(): lambda value: _exactly(value, int, float),
    pl.String(): lambda value: _exactly(value, str),
    pl.Binary(): lambda value: _exactly(value, bytes),
}
