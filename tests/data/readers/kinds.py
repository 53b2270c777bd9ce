"""Every kind of source, filled with rows that a test chooses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
from sqlalchemy import make_url

import trimtab as tt
from trimtab.adapters.clock_system import SystemClock
from trimtab.data.stream_file import declarations
from trimtab.data.streams import InboxStreams

SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "happened_at": pl.Datetime("us", "UTC"),
        "known_at": pl.Datetime("us", "UTC"),
        "seats": pl.Int64(),
        "wind_knots": pl.Float64(),
        "late": pl.Boolean(),
        "day": pl.Date(),
        "empty": pl.String(),
    }
)
Put = Callable[[Path, pl.DataFrame, str], object]


@dataclass(frozen=True)
class Kind:
    """How rows get into a source of one kind."""

    name: str
    put: Put  # (project, all rows, URL of a Postgres database) -> what stands behind `read=`; overwrites
    break_off: Callable[[Path], object] | None = None  # something of this kind that is not there
    postgres: bool = False
    timeless: bool = True  # whether rows without a known time can get into it


def _parquet(project: Path, rows: pl.DataFrame, url: str) -> object:
    rows.write_parquet(project / "rows.parquet")
    return "rows.parquet"


def _parquet_pattern(project: Path, rows: pl.DataFrame, url: str) -> object:
    folder = project / "rows"
    folder.mkdir(exist_ok=True)
    cut = rows.height // 2
    rows.head(cut).write_parquet(folder / "0.parquet")
    rows.tail(-cut).write_parquet(folder / "1.parquet")
    return "rows/*.parquet"


def _parquet_folder(project: Path, rows: pl.DataFrame, url: str) -> object:
    _parquet_pattern(project, rows, url)
    (project / "rows" / "_SUCCESS").touch()
    return "rows"


def _csv(project: Path, rows: pl.DataFrame, url: str) -> object:
    rows.write_csv(project / "rows.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    return "rows.csv"


def _delta(project: Path, rows: pl.DataFrame, url: str) -> object:
    cut = rows.height // 2
    rows.head(cut).write_delta(project / "table", mode="overwrite")
    rows.tail(-cut).write_delta(project / "table", mode="append")
    return "table"


def _sqlite(project: Path, rows: pl.DataFrame, url: str) -> object:
    fill_sqlite(project / "feed.db", rows)
    return tt.sql("sqlite:///feed.db", table="rows")


def _sqlite_query(project: Path, rows: pl.DataFrame, url: str) -> object:
    fill_sqlite(project / "feed.db", rows)
    return tt.sql("sqlite:///feed.db", query="SELECT * FROM rows WHERE id NOT LIKE '%?:x' ;")


def _postgres(project: Path, rows: pl.DataFrame, url: str) -> object:
    fill_postgres(url, rows)
    return tt.sql(url, table="shop.rows")


def _postgres_query(project: Path, rows: pl.DataFrame, url: str) -> object:
    fill_postgres(url, rows)
    return tt.sql(url, query="SELECT * FROM shop.rows WHERE id NOT LIKE '%?:x' AND '1'::text = '1';")


def _stream(project: Path, rows: pl.DataFrame, url: str) -> object:
    declared = tt.stream(SCHEMA)
    fill_stream(
        project, tt.Source("rows", declared, event_time="happened_at", known_time="known_at", key="id"), rows
    )
    return declared


def fill_stream(project: Path, source: tt.Source, rows: pl.DataFrame) -> None:
    """Appended in two requests, and seen to be there."""
    for file in (project / ".trimtab" / "inbox").glob(f"{source.name}.db*"):
        file.unlink()
    streams = InboxStreams(project, declarations([source]), SystemClock())
    cut = rows.height // 2
    for part in (rows.head(cut), rows.tail(rows.height - cut)):
        if part.height:
            assert streams.append_rows(source, part).rows == part.height
    streams.close()


def fill_sqlite(path: Path, rows: pl.DataFrame) -> None:
    """A table `rows`, with times as people write them: other offsets, a space, Z, with and without fractions."""
    kinds = "id TEXT, happened_at TEXT, known_at DATETIME, seats INTEGER, wind_knots REAL, late BOOLEAN, day DATE"
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE IF EXISTS rows")
        connection.execute(f"CREATE TABLE rows ({kinds}, empty VARCHAR(20))")
        connection.execute("CREATE INDEX by_known ON rows (known_at)")
        told = [[*row[:1], *written(number, row[1:3]), *row[3:]] for number, row in enumerate(rows.iter_rows())]
        for row in told:
            row[6] = row[6] and row[6].isoformat()
        connection.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * len(SCHEMA))})", told)
    connection.close()


def written(number: int, times: Sequence[datetime | None]) -> list[str | None]:
    """Instants as ISO 8601 text, in a form that depends on the row."""
    zone = ZoneInfo(("UTC", "Pacific/Kiritimati", "America/Adak", "Asia/Kathmandu")[number % 4])
    forms: list[Callable[[datetime], str]] = [
        lambda one: one.astimezone(zone).isoformat(),
        lambda one: one.astimezone(zone).isoformat(" "),
        lambda one: one.isoformat().replace("+00:00", "Z"),
        lambda one: one.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f%z"),
    ]
    return [None if one is None else forms[number // 4 % 4](one) for one in times]


def fill_postgres(url: str, rows: pl.DataFrame) -> None:
    """A table `shop.rows`."""
    kinds = "id text, happened_at timestamptz, known_at timestamptz, seats integer, wind_knots float8, late boolean"
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.execute("CREATE SCHEMA shop")
        connection.execute(f"CREATE TABLE shop.rows ({kinds}, day date, empty varchar(20))".encode())
        with connection.cursor().copy("COPY shop.rows FROM STDIN") as copy:
            for row in rows.iter_rows():
                copy.write_row(row)


def plain(url: str) -> str:
    """A URL as psycopg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _nothing(read: object) -> Callable[[Path], object]:
    def put(project: Path) -> object:
        return read

    return put


def _frame(make: Callable[[pl.DataFrame], object]) -> Put:
    def put(project: Path, rows: pl.DataFrame, url: str) -> object:
        return make(rows)

    return put


def _function(make: Callable[[pl.DataFrame], object]) -> Put:
    def put(project: Path, rows: pl.DataFrame, url: str) -> object:
        return lambda: make(rows)

    return put


def _by_path(project: Path, rows: pl.DataFrame, url: str) -> object:
    return Path(str(_parquet(project, rows, url)))


def _no_table(project: Path) -> object:
    fill_sqlite(project / "feed.db", pl.DataFrame(schema=SCHEMA))
    return tt.sql("sqlite:///feed.db", table="nothing")


def _broken_delta(project: Path) -> object:
    (project / "table" / "_delta_log").mkdir(parents=True)
    return "table"


def pandas_of(rows: pl.DataFrame) -> Any:
    """With nullable types: a plain pandas column of whole numbers with nulls is one of floats."""
    return rows.to_pandas(use_pyarrow_extension_array=True)


KINDS = [
    Kind("parquet", _parquet, _nothing("none.parquet")),
    Kind("parquet pattern", _parquet_pattern, _nothing("none/*.parquet")),
    Kind("parquet folder", _parquet_folder, _nothing("none")),
    Kind("parquet, by a Path", _by_path, _nothing(Path("none.parquet"))),
    Kind("csv", _csv, _nothing("none.csv")),
    Kind("delta", _delta, _broken_delta),
    Kind("polars", _frame(lambda rows: rows)),
    Kind("polars, lazy", _frame(pl.DataFrame.lazy)),
    Kind("arrow", _frame(pl.DataFrame.to_arrow)),
    Kind("pandas", _frame(pandas_of)),
    Kind("function: polars", _function(lambda rows: rows)),
    Kind("function: arrow", _function(lambda rows: rows.to_arrow().to_reader())),
    Kind("function: pandas", _function(pandas_of)),
    Kind("sqlite", _sqlite, _no_table),
    Kind("sqlite query", _sqlite_query, _nothing(tt.sql("sqlite:///none.db", query="SELECT 1"))),
    Kind("stream", _stream, timeless=False),
    Kind("postgres", _postgres, postgres=True),
    Kind("postgres query", _postgres_query, postgres=True),
]


def some_rows(count: int, start: datetime, *, each: timedelta = timedelta(minutes=7)) -> pl.DataFrame:
    """Rows known half an hour after they happened; every ninth has no known time, and there are other nulls."""
    happened = [start + number * each + timedelta(microseconds=number * 13) for number in range(count)]
    return pl.DataFrame(
        {
            "id": [f"{number:04} %s :x" for number in range(count)],
            "happened_at": happened,
            "known_at": [None if n % 9 == 8 else one + timedelta(minutes=30) for n, one in enumerate(happened)],
            "seats": [None if number % 5 == 4 else number for number in range(count)],
            "wind_knots": [None if number % 7 == 6 else number / 3 for number in range(count)],
            "late": [None if number % 4 == 3 else number % 2 == 0 for number in range(count)],
            "day": [one.date() for one in happened],
            "empty": [None] * count,
        },
        schema=SCHEMA,
    )
