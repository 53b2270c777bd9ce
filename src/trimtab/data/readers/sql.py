"""A table or a query of a database: SQLite, or Postgres by psycopg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from trimtab.data.readers.offer import Narrowed, Reader
from trimtab.data.readers.shown import hide, shown
from trimtab.data.readers.sql_declared import Sql
from trimtab.data.readers.sql_dialect import Dialect, quoted
from trimtab.data.readers.sql_postgres import Postgres
from trimtab.data.readers.sql_sqlite import Sqlite
from trimtab.data.readers.sql_url import filled
from trimtab.kernel.errors import InvalidValue, SourceUnreadable, listed
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

DIALECTS: dict[str, type[Dialect]] = {"sqlite": Sqlite, "postgresql": Postgres}

_BATCH_ROWS = 50_000


def sql(url: str, *, table: str = "", query: str = "", types: Mapping[str, str] | None = None) -> Sql:
    """A table or a query of a database, for a source's `read=`.

    A look asks the database for the rows that became known since the last one, and counts the older ones. An
    index on the column with the known time makes this fast. A look's rows and their count are of one instant: both
    are read in one read-only transaction. The columns and their types are those of when the source was opened.

    Args:
        url: `sqlite:///file.db`, relative to the project folder, or `postgresql+psycopg://user@host/database`.
            `${NAME}` stands for an environment variable: no password need be written down. It is the whole URL
            (`${DATABASE_URL}`) or within one part of it, and there it stands for its value as it is: nothing in it
            is encoded. In a password that is written here, @ is %40 and / is %2F.
        table: its name, with its schema if it is not the default one: `shop.orders`.
        query: instead of a table, one SELECT.
        types: SQLite does not tell the types of columns that a query computes: {"late_share": "REAL"}.

    SQLite has no type for times: the source's event time and known time, and columns declared DATETIME or
    TIMESTAMP, must be ISO 8601 text with an offset: `2013-04-01T00:00:00+00:00`, `2013-04-01 00:00:00Z`.
    In Postgres they are `timestamptz`.

    Raises:
        InvalidValue: neither a table nor a query, or both.
    """
    place = caller(2)
    if bool(table) == bool(query.strip()):
        raise InvalidValue("table and query", (table, query), allowed="one of the two", where=place)
    return Sql(url, table, query.strip().rstrip(";"), tuple((types or {}).items()), place)


@dataclass(frozen=True)
class SqlOffer:
    """One table or query."""

    source: Source
    dialect: Dialect
    schema: pl.Schema

    @property
    def rows(self) -> pl.LazyFrame:
        """All rows; only the columns that are needed leave the database."""
        return register_io_source(self._batches, schema=self.schema, explain_name="sql")

    def narrowed(self, known: str, after_us: int, until_us: int) -> Narrowed:
        """Both the rows and the count, as of one instant of the database."""
        with _speaking(self.source, self.dialect) as connection:
            where, earlier = self.dialect.narrowing(known, after_us, until_us)
            counted = f"SELECT count(*) FROM {self.dialect.relation} WHERE {earlier}"  # noqa: S608 - we wrote both
            count = _run(connection, counted).scalar_one()
            frames = list(self._read(connection, self.schema.names(), f"WHERE {where}"))
        rows = pl.concat([pl.DataFrame(schema=self.schema), *frames])
        return Narrowed(rows.lazy(), int(count))

    def _batches(
        self, columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        limit = "" if n_rows is None else f"LIMIT {int(n_rows)}"
        with _speaking(self.source, self.dialect) as connection:
            for frame in self._read(connection, columns or self.schema.names(), limit):
                yield frame if predicate is None else frame.filter(predicate)

    def _read(self, connection: Connection, columns: list[str], rest: str) -> Iterator[pl.DataFrame]:
        names = ", ".join(quoted(one) for one in columns)
        schema = pl.Schema({name: self.schema[name] for name in columns})
        wanted = f"SELECT {names} FROM {self.dialect.relation} {rest}"  # noqa: S608 - names are quoted
        result = _run(connection, wanted, stream_results=True)
        for rows in result.partitions(_BATCH_ROWS):
            yield self.dialect.frame(rows, schema)


def _run(connection: Connection, statement: str, **options: Any) -> Any:
    # Without parameters a driver leaves % and : in a user's query alone.
    return connection.execution_options(no_parameters=True, **options).exec_driver_sql(statement)


@contextmanager
def _speaking(source: Source, dialect: Dialect) -> Iterator[Connection]:
    """A read-only transaction; what the database refuses is said with the source's place."""
    try:
        with dialect.snapshot() as connection:
            yield connection
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = getattr(error, "orig", None) or error
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a database that answers, with the table or query declared",
            got=f"{dialect.name}: {shown(hide(listed(str(cause).splitlines()[:1]), dialect.hidden))}",
            do="pip install 'trimtab[postgres]'"
            if isinstance(error, ModuleNotFoundError)
            else "see that the database runs and that the table, the columns and the rights are there",
        ) from None  # the statement's own error may show the URL


def _takes(read: object, project: Path) -> bool:  # noqa: ARG001 - other kinds need the project
    return isinstance(read, Sql)


def _open(source: Source, project: Path) -> SqlOffer:
    declared = source.read
    assert isinstance(declared, Sql)
    url = filled(source, declared.url)
    dialect = DIALECTS[url.get_backend_name()](source, declared, url, project)
    with _speaking(source, dialect) as connection:
        return SqlOffer(source, dialect, dialect.schema(connection))


SQL = Reader(allowed="a table or query of SQLite or Postgres (trimtab.sql)", takes=_takes, open=_open)
