"""Postgres, by psycopg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.pool import NullPool

from trimtab.data.readers.sql_declared import Sql, shown_url
from trimtab.data.readers.sql_dialect import quoted, relation
from trimtab.data.readers.sql_url import secrets
from trimtab.kernel.errors import SourceUnreadable, listed
from trimtab.kernel.moment import from_us
from trimtab.kernel.source import Source

# Postgres's own numbers of its types (pg_type.dat): they never change.
_KINDS: dict[int, pl.DataType] = {
    16: pl.Boolean(),
    17: pl.Binary(),
    **dict.fromkeys((20, 21, 23), pl.Int64()),
    **dict.fromkeys((18, 19, 25, 1042, 1043, 2950), pl.String()),
    700: pl.Float32(),
    701: pl.Float64(),
    1082: pl.Date(),
    1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"),
}
_NUMERIC = 1700
_MOST_DIGITS = 38  # what a decimal of Polars holds
_CONNECT_S = "10"


class Postgres:
    """One table or query in a Postgres database."""

    def __init__(self, source: Source, declared: Sql, url: URL, project: Path) -> None:  # noqa: ARG002 - SQLite needs it
        self._source = source
        self._url = url.set(drivername="postgresql+psycopg")
        if "connect_timeout" not in url.query:
            self._url = self._url.update_query_dict({"connect_timeout": _CONNECT_S})
        self.relation = relation(declared)
        self.name = shown_url(url)
        self.hidden = secrets(url)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction that sees the database as of one instant."""
        engine = create_engine(self._url, poolclass=NullPool)
        with engine.connect() as plain:
            connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
            yield connection

    def schema(self, connection: Connection) -> pl.Schema:
        """The columns of the table or query, with their types."""
        nothing = f"SELECT * FROM {self.relation} LIMIT 0"  # noqa: S608 - as it was declared
        empty = connection.execution_options(no_parameters=True).exec_driver_sql(nothing)
        assert empty.cursor is not None
        columns: list[Any] = list(empty.cursor.description or [])
        empty.close()
        enums = self._enums(connection, {one[1] for one in columns} - set(_KINDS) - {_NUMERIC})
        return pl.Schema({one[0]: pl.String() if one[1] in enums else self._kind(one) for one in columns})

    def narrowing(self, known: str, after_us: int, until_us: int) -> tuple[str, str]:
        """Exactly the rows of a look; exactly the earlier ones."""
        column = quoted(known)
        new = f"{column} > {_instant(after_us)} AND {column} <= {_instant(until_us)}"
        return f"({new}) OR {column} IS NULL", f"{column} <= {_instant(after_us)}"

    def frame(self, rows: Sequence[Any], schema: pl.Schema) -> pl.DataFrame:
        """The driver's rows in the types of these columns."""
        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        pairs = zip(schema.items(), columns, strict=True)
        return pl.DataFrame([pl.Series(name, _plain(values), dtype=kind) for (name, kind), values in pairs])

    def _kind(self, column: Any) -> pl.DataType:
        number, digits, scale = column[1], column[4], column[5]
        if number == _NUMERIC and digits is not None and digits <= _MOST_DIGITS:
            return pl.Decimal(digits, scale)
        if number not in _KINDS:
            told = getattr(column, "type_display", number)
            raise SourceUnreadable(
                self._source.name,
                where=self._source.place,
                allowed="numbers, numeric(p, s) to 38 digits, boolean, text, bytea, uuid, enums, date, timestamps",
                got=f"column '{column[0]}' of type {told}",
                do=f"read by query= and cast it there: CAST({quoted(column[0])} AS …)",
            )
        return _KINDS[number]

    def _enums(self, connection: Connection, numbers: set[int]) -> set[int]:
        if not numbers:
            return set()
        asked = listed(sorted(numbers), most=len(numbers))
        enums = f"SELECT oid FROM pg_type WHERE typtype = 'e' AND oid IN ({asked})"  # noqa: S608 - numbers
        found = connection.exec_driver_sql(enums)
        return {int(row[0]) for row in found}


def _instant(us: int) -> str:
    return f"TIMESTAMPTZ '{from_us(us).isoformat()}'"


def _plain(values: Sequence[Any]) -> Sequence[Any]:
    return (
        [None if one is None else str(one) for one in values]
        if any(isinstance(one, UUID) for one in values)
        else values
    )
