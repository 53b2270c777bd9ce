"""Databases: what a look asks them for, what they may hold, and that passwords stay where they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from tests.data.readers.kinds import fill_postgres, fill_sqlite, plain, some_rows
from tests.postgres import PostgresServer

import trimtab as tt
from trimtab.data.feed import BEGINNING_US, Feed, Look
from trimtab.data.reading import offer, open_source
from trimtab.kernel.errors import InvalidValue, NaiveTime, SourceUnreadable
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
END = datetime(2014, 1, 1, tzinfo=UTC)


def source_of(read: object) -> Source:
    return Source("orders", read, event_time="at", key="id")


def sqlite_file(folder: Path, columns: str, *rows: tuple[object, ...]) -> Path:
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE orders ({columns})")
        for row in rows:
            connection.execute(f"INSERT INTO orders VALUES ({', '.join('?' * len(row))})", row)
    connection.close()
    return path


ORDERS = tt.sql("sqlite:///shop.db", table="orders")


def look(read: object, project: Path, after: datetime | None = None, until: datetime = END) -> Look:
    return Feed(source_of(read), project).look(BEGINNING_US if after is None else to_us(after), to_us(until))


@contextmanager
def unreadable(allowed: str, got: str) -> Iterator[pytest.ExceptionInfo[SourceUnreadable]]:
    with pytest.raises(SourceUnreadable, match="source 'orders' cannot be read") as caught:
        yield caught
    assert caught.value.where.startswith("test_sql.py:")
    assert allowed in caught.value.allowed
    assert got in caught.value.got
    assert caught.value.do


@pytest.mark.parametrize("named", [{}, {"table": "a", "query": "SELECT 1"}, {"query": "  "}])
def test_a_table_or_a_query_is_declared(named: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="table and query") as invalid:
        tt.sql("sqlite:///x.db", **named)  # type: ignore[arg-type]
    assert invalid.value.where.startswith("test_sql.py:")


@pytest.mark.parametrize(
    "url",
    ["mysql://root:secret@host/db", "postgresql+asyncpg://a:secret@h/d", "no url", "sqlite+aiosqlite:///x.db"],
)
def test_another_database_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    with unreadable("sqlite:///FILE", url.replace("secret", "***")) as caught:
        open_source(source_of(tt.sql(url, table="orders")), tmp_path)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(tt.sql(url, table="orders"))


def test_a_url_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_file(tmp_path, "id TEXT, at TEXT", ("a", "2013-04-01T00:00:00Z"))
    read = tt.sql("sqlite:///${SHOP}.db", table="orders")
    with unreadable("environment variables that are set", "the URL needs SHOP"):
        look(read, tmp_path)
    monkeypatch.setenv("SHOP", "shop")
    assert look(read, tmp_path).rows["id"].to_list() == ["a"]


def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    with unreadable("a database that answers", "postgresql+psycopg://postgres@/x: connection is bad"):
        look(tt.sql("postgresql+psycopg://postgres@/x?host=/nowhere", table="orders"), tmp_path)


def test_a_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with unreadable("a SQLite file that exists", f"no file {tmp_path / 'shop.db'}"):
        look(ORDERS, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"garbage" * 1000, b"SQLite format 3\0" + b"\7" * 5000], ids=["text", "half"])
def test_a_file_that_is_no_database_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "shop.db").write_bytes(data)
    with unreadable("a database that answers", str(tmp_path / "shop.db")):
        look(ORDERS, tmp_path)


def test_a_path_may_be_absolute_and_strange(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path, "id TEXT, at TEXT", ("a", "2013-04-01T00:00:00Z"))
    strange = path.rename(tmp_path / "a #100 [x].db")
    assert look(tt.sql(f"sqlite:///{strange}", table="orders"), Path("/nowhere")).rows.height == 1


def test_a_look_writes_nothing(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path, "id TEXT, at TEXT", ("a", "2013-04-01T00:00:00Z"))
    before = path.read_bytes()
    with unreadable("", "syntax error"):
        look(tt.sql("sqlite:///shop.db", query="DELETE FROM orders RETURNING *"), tmp_path)
    look(ORDERS, tmp_path)
    assert path.read_bytes() == before


def test_postgres_refuses_to_write_for_a_query(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id text, at timestamptz)")
        connection.execute(
            "CREATE FUNCTION sell() RETURNS text LANGUAGE sql"
            " AS $$INSERT INTO orders VALUES ('x', now()) RETURNING id$$"
        )
    with unreadable("", "read-only transaction"):
        look(tt.sql(url, query="SELECT sell() AS id, TIMESTAMPTZ '2013-04-01T00:00:00Z' AS at"), tmp_path)


@pytest.mark.parametrize("kind", ["table", "query"])
def test_sqlite_uses_the_index_on_the_known_time(tmp_path: Path, kind: str) -> None:
    fill_sqlite(tmp_path / "feed.db", some_rows(10, START))
    read = tt.sql("sqlite:///feed.db", **{kind: {"table": "rows", "query": "SELECT * FROM rows"}[kind]})  # type: ignore[arg-type]
    source = Source("rows", read, event_time="happened_at", known_time="known_at", key="id")
    found = offer(source, tmp_path)
    where, earlier = found.dialect.narrowing("known_at", to_us(START), to_us(END))  # type: ignore[attr-defined]
    with found.dialect.snapshot() as connection:  # type: ignore[attr-defined]
        relation = found.dialect.relation  # type: ignore[attr-defined]
        for wanted in (
            f"SELECT * FROM {relation} WHERE {where}",
            f"SELECT count(*) FROM {relation} WHERE {earlier}",
        ):
            plan = " ".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {wanted}"))
            assert "SCAN" not in plan
            assert "INDEX by_known" in plan


def test_postgres_uses_the_index_on_the_known_time(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    fill_postgres(url, some_rows(20_000, START))
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE INDEX by_known ON shop.rows (known_at)")
        connection.execute("DELETE FROM shop.rows WHERE known_at IS NULL")
        connection.execute("VACUUM ANALYZE shop.rows")
        source = Source(
            "rows", tt.sql(url, table="shop.rows"), event_time="happened_at", known_time="known_at", key="id"
        )
        found = offer(source, tmp_path)
        where, _ = found.dialect.narrowing("known_at", to_us(START) + 10**9, to_us(START) + 2 * 10**9)  # type: ignore[attr-defined]
        plan = str(connection.execute(f"EXPLAIN SELECT * FROM shop.rows WHERE {where}".encode()).fetchall())
    assert "by_known" in plan
    assert "Seq Scan" not in plan


@contextmanager
def after_the_count(insert: Callable[[], object]) -> Iterator[list[str]]:
    """Another program that writes as soon as the database has counted; gives the statements that asked for it."""
    counts: list[str] = []

    def run(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if "count(*)" in statement:
            counts.append(statement)
            insert()

    event.listen(Engine, "after_cursor_execute", run)
    try:
        yield counts
    finally:
        event.remove(Engine, "after_cursor_execute", run)


ADDED = "INSERT INTO orders VALUES ('old', '2013-04-01T00:00:00Z'), ('new', '2013-05-01T00:00:00Z')"


def test_rows_and_their_count_are_of_one_instant(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Rows that another program adds between the count and the rows are in neither."""
    url = postgres_server.new_database()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id text, at timestamptz)")
        connection.execute(ADDED)
        read = tt.sql(url, table="orders")
        with after_the_count(lambda: connection.execute(ADDED)) as counts:
            found = look(read, tmp_path, START)
    assert len(counts) == 1
    assert (found.rows["id"].to_list(), found.earlier) == (["new"], 1)
    later = look(read, tmp_path, START)
    assert (later.rows["id"].to_list(), later.earlier) == (["new", "new"], 2)


def test_rows_of_sqlite_and_their_count_are_of_one_instant(tmp_path: Path) -> None:
    path = sqlite_file(
        tmp_path, "id TEXT, at TEXT", ("old", "2013-04-01T00:00:00Z"), ("new", "2013-05-01T00:00:00Z")
    )
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")  # otherwise a reader keeps writers out
    with after_the_count(lambda: connection.execute(ADDED)) as counts:
        found = look(ORDERS, tmp_path, START)
    assert len(counts) == 1
    assert (found.rows["id"].to_list(), found.earlier) == (["new"], 1)
    later = look(ORDERS, tmp_path, START)
    assert (later.rows["id"].to_list(), later.earlier) == (["new", "new"], 2)
    connection.close()


@pytest.mark.parametrize(
    "text",
    [
        "2013-04-01T05:45:00+05:45",
        "2013-04-01 00:00:00Z",
        "2013-04-01T00:00Z",
        "2013-03-31 14:00:00.000000-1000",
        "2013-04-01T02:00:00.0+02",
        "2013-04-01 00:00:00 +00:00",
        "2013-04-01t00:00:00z".upper(),
    ],
)
def test_sqlite_may_write_an_instant_in_many_ways(tmp_path: Path, text: str) -> None:
    sqlite_file(tmp_path, "id TEXT, at TEXT", ("a", text))
    assert look(ORDERS, tmp_path).rows["at"].to_list() == [START]


@pytest.mark.parametrize("kind", ["TEXT", "DATETIME", "TIMESTAMP", "NUMERIC", ""])
@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "",
        1364774400,
        1364774400.5,
        b"2013-04-01T00:00:00Z",
        "2013-04-31T00:00:00Z",
        "2013-04-01T00:00:00.0000001Z",
        "4/1/2013 00:00:00Z",
    ],
    ids=repr,
)
def test_what_is_no_instant_is_refused_and_never_left_out(tmp_path: Path, kind: str, value: object) -> None:
    sqlite_file(tmp_path, f"id TEXT, at {kind}", ("a", value), ("b", "2013-04-01T00:00:00Z"))
    with unreadable("ISO 8601 text with an offset", "column 'at' holds "):
        look(ORDERS, tmp_path)


@pytest.mark.parametrize("value", ["2013-04-01T00:00:00", "2013-04-01 00:00:00.000000"])
def test_a_time_without_a_zone_is_refused(tmp_path: Path, value: str) -> None:
    sqlite_file(tmp_path, "id TEXT, at DATETIME", ("a", value))
    with pytest.raises(NaiveTime, match="column 'at' of source 'orders'") as naive:
        look(ORDERS, tmp_path)
    assert naive.value.got == repr(value)


def test_postgres_timestamps_without_a_zone_are_refused(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id text, at timestamp)")
    with pytest.raises(NaiveTime, match="column 'at' of source 'orders'"):
        look(tt.sql(url, table="orders"), tmp_path)


@pytest.mark.parametrize("value", ["infinity", "-infinity", "20000-01-01T00:00:00Z"])
def test_postgres_instants_out_of_range_are_refused(
    postgres_server: PostgresServer, tmp_path: Path, value: str
) -> None:
    url = postgres_server.new_database()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id text, at timestamptz)")
        connection.execute("INSERT INTO orders VALUES ('x', %s)", [value])
    source = source_of(tt.sql(url, table="orders"))
    with pytest.raises(SourceUnreadable):
        Feed(source, tmp_path).upto(to_us(datetime(9999, 12, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("INTEGER", "many"),
        ("INTEGER", 1.5),
        ("REAL", "high"),
        ("BOOLEAN", 2),
        ("BOOLEAN", "yes"),
        ("DATE", "1.4.2013"),
        ("DATE", 20130401),
        ("TEXT", b"x"),
        ("BLOB", "x"),
    ],
)
def test_a_value_of_another_type_is_refused(tmp_path: Path, declared: str, value: object) -> None:
    sqlite_file(tmp_path, f"id TEXT, at TEXT, x {declared}", ("a", "2013-04-01T00:00:00Z", value))
    with unreadable("as the column is declared", f"column 'x' holds {value!r}"):
        look(ORDERS, tmp_path)


def test_what_a_query_computes_is_given_a_type(tmp_path: Path) -> None:
    sqlite_file(tmp_path, "id TEXT, at TEXT, price REAL", ("a", "2013-04-01T00:00:00Z", 2.5))
    query = "SELECT id, at, price * 2 AS twice FROM orders"
    with unreadable("types that contain", "column 'twice' of no declared type") as caught:
        look(tt.sql("sqlite:///shop.db", query=query), tmp_path)
    assert caught.value.do == "say it: trimtab.sql(…, types={'twice': 'REAL'})"
    found = look(tt.sql("sqlite:///shop.db", query=query, types={"twice": "REAL"}), tmp_path)
    assert found.rows["twice"].to_list() == [5.0]


def test_types_of_postgres(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    columns = {
        "small int2": ("7", pl.Int64(), 7),
        "price numeric(10,2)": ("7.25", pl.Decimal(10, 2), None),
        "share float4": ("0.5", pl.Float32(), 0.5),
        "mood mood": ("'happy'", pl.String(), "happy"),
        "who uuid": ("'00000000-0000-0000-0000-000000000007'", pl.String(), "00000000-0000-0000-0000-000000000007"),
        "bytes bytea": (r"'\x07'", pl.Binary(), b"\7"),
        "code char(3)": ("'ab'", pl.String(), "ab "),
        "local timestamp": ("'2013-04-01 07:00'", pl.Datetime("us"), datetime(2013, 4, 1, 7)),  # noqa: DTZ001
        '"Two ""Words"": %s" text': ("'%(x)s :y ?'", pl.String(), "%(x)s :y ?"),
    }
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('happy', 'sad')")
        connection.execute(f"CREATE TABLE orders (id text, at timestamptz, {', '.join(columns)})".encode())
        values = ", ".join(one[0] for one in columns.values())
        connection.execute(f"INSERT INTO orders VALUES ('a', '2013-04-01T00:00:00Z', {values})".encode())
    rows = look(tt.sql(url, table="orders"), tmp_path).rows
    assert rows.schema.dtypes()[2:] == [one[1] for one in columns.values()]
    for found, (_, _, value) in zip(rows.row(0)[2:], columns.values(), strict=True):
        assert value is None or found == value


@pytest.mark.parametrize("kind", ["numeric", "jsonb", "integer[]", "interval"])
def test_types_that_cannot_be_kept_are_refused(postgres_server: PostgresServer, tmp_path: Path, kind: str) -> None:
    url = postgres_server.new_database()
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE orders (id text, at timestamptz, x {kind})".encode())
    with unreadable("numeric(p, s)", "column 'x' of type ") as caught:
        look(tt.sql(url, table="orders"), tmp_path)
    assert 'CAST("x" AS …)' in caught.value.do


@st.composite
def instants(draw: st.DrawFn) -> tuple[datetime, str]:
    at = START + timedelta(microseconds=draw(st.integers(-4 * 86_400_000_000, 4 * 86_400_000_000)))
    offset = timedelta(minutes=draw(st.integers(-23 * 60 - 59, 23 * 60 + 59)))
    local = (at + offset).replace(tzinfo=None)
    sign, minutes = "-" if offset < timedelta() else "+", abs(offset) // timedelta(minutes=1)
    separator, colon = draw(st.sampled_from("T ")), draw(st.sampled_from([":", ""]))
    return at, f"{local.isoformat(separator)}{sign}{minutes // 60:02}{colon}{minutes % 60:02}"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(instants(), max_size=12),
    st.integers(-5 * 86_400, 5 * 86_400),
    st.integers(0, 5 * 86_400),
)
def test_a_look_at_text_is_that_of_one_who_parses_all(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[datetime, str]], after_s: int, length_s: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / uuid4().hex
    folder.mkdir()
    sqlite_file(folder, "id INTEGER, at TEXT", *((number, text) for number, (_, text) in enumerate(told)))
    after = START + timedelta(seconds=after_s)
    until = after + timedelta(seconds=length_s)
    found = look(ORDERS, folder, after, until)
    assert sorted(found.rows["id"]) == [n for n, (at, _) in enumerate(told) if after < at <= until]
    assert found.earlier == sum(at <= after for at, _ in told)


@pytest.mark.parametrize("past_us", [-2_001, -2_000, -1_999, -1_001, -501, -1, 0, 1, 499, 999, 1_000, 2_001, 9_999])
def test_instants_that_sqlite_rounds_are_told_apart(tmp_path: Path, past_us: int) -> None:
    at = START + timedelta(microseconds=past_us)
    sqlite_file(tmp_path, "id TEXT, at TEXT", ("a", at.isoformat()))
    micro = timedelta(microseconds=1)
    assert look(ORDERS, tmp_path, at - micro, at).rows.height == 1
    assert (look(ORDERS, tmp_path, at, END).rows.height, look(ORDERS, tmp_path, at, END).earlier) == (0, 1)
    assert look(ORDERS, tmp_path, at - 2 * micro, at - micro).rows.height == 0
    assert look(ORDERS, tmp_path, at - micro, at - micro).earlier == 0


def test_a_day_with_many_rows_stays_in_the_database(tmp_path: Path) -> None:
    times = [START + timedelta(seconds=30 * number) for number in range(2880)]
    sqlite_file(tmp_path, "id INTEGER, at TEXT", *((n, at.isoformat()) for n, at in enumerate(times)))
    part = offer(source_of(ORDERS), tmp_path).narrowed("at", to_us(times[1000]), to_us(times[1010]))
    assert part.rows.collect()["id"].to_list() == list(range(1000, 1011))
    assert part.earlier == 1000
