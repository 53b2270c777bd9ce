"""What holds for every kind of source: the rows that were put in come out, in their types, by their known times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.data.readers.kinds import KINDS, SCHEMA, Kind, some_rows
from tests.data.room import Room

from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.readers import READERS
from trimtab.data.reading import open_source
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

typed = pytest.mark.parametrize(  # a CSV file says nothing of its types
    "kind", [one for one in KINDS if one.name != "csv"], ids=lambda one: str(one.name), indirect=True
)
START = datetime(2013, 3, 9, 20, tzinfo=UTC)
ROWS = some_rows(400, START)
DATED = ROWS.filter(pl.col("known_at").is_not_null())


@pytest.fixture(params=KINDS, ids=lambda kind: str(kind.name))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def rows(kind: Kind) -> pl.DataFrame:
    return ROWS if kind.timeless else DATED


@pytest.fixture
def url(kind: Kind, request: pytest.FixtureRequest) -> str:
    if not kind.postgres:
        return ""
    made: str = request.getfixturevalue("postgres_server").new_database()
    return made


def source_of(read: object, **changed: str) -> Source:
    return Source("rows", read, **{"event_time": "happened_at", "known_time": "known_at", "key": "id"} | changed)


def test_rows_come_out_as_they_were_put_in(kind: Kind, tmp_path: Path, url: str, rows: pl.DataFrame) -> None:
    source = source_of(kind.put(tmp_path, rows, url))
    frame = open_source(source, tmp_path)
    assert frame.collect_schema() == SCHEMA
    assert_frame_equal(frame.collect().sort("id"), rows)


def test_a_part_is_the_part_of_the_whole(kind: Kind, tmp_path: Path, url: str, rows: pl.DataFrame) -> None:
    frame = open_source(source_of(kind.put(tmp_path, rows, url)), tmp_path)
    late = pl.col("known_at") > START + timedelta(hours=30)
    assert_frame_equal(
        frame.filter(late).select("seats", "id").sort("id").collect(), rows.filter(late).select("seats", "id")
    )
    assert frame.head(7).collect().height == 7
    assert frame.select(pl.len()).collect().item() == rows.height
    assert frame.select("late", "known_at").head(3).collect().columns == ["late", "known_at"]


@pytest.mark.parametrize("again", [False, True])
def test_a_look_brings_what_became_known(
    kind: Kind, tmp_path: Path, url: str, again: bool, rows: pl.DataFrame
) -> None:
    source = source_of(kind.put(tmp_path, rows, url))
    known = rows["known_at"].drop_nulls()
    last = known[-1]
    cuts = [
        START,
        known[0],
        known[3],
        START + timedelta(hours=5),
        START + timedelta(hours=28),
        last,
        last + timedelta(days=9),
    ]
    for after, until in zip([None, *cuts], [*cuts, cuts[-1]], strict=True):
        after_us = BEGINNING_US if after is None else to_us(after)
        look = [Feed(source, tmp_path).look(after_us, to_us(until)) for _ in range(2 if again else 1)][-1]
        new = pl.col("known_at").is_between(after or START, until, closed="right") | pl.col("known_at").is_null()
        assert_frame_equal(look.rows, rows.filter(new).sort("known_at", "happened_at", "id"))
        assert look.earlier == (known <= after).sum() if after else look.earlier == 0
    assert_frame_equal(
        Feed(source, tmp_path).upto(to_us(known[9])), rows.filter(pl.col("known_at") <= known[9]).sort("known_at")
    )


def test_versions_of_it_hold_every_row_once(kind: Kind, room: Room, url: str) -> None:
    for hours in (6, 30, 31, 60):
        now = START + timedelta(hours=hours)
        so_far = DATED.filter(pl.col("known_at") <= now)
        source = source_of(kind.put(room.project, so_far, url))
        room.look(source, now)
        assert_frame_equal(room.rows(source).sort("id"), so_far.sort("id"))
    assert so_far.height == DATED.height
    assert room.quarantine(source).is_empty()


def test_rows_that_come_late_are_found(kind: Kind, room: Room, url: str) -> None:
    source = source_of(kind.put(room.project, DATED.tail(-3), url))
    room.look(source, START + timedelta(hours=60))
    source = source_of(kind.put(room.project, DATED, url))
    room.look(source, START + timedelta(hours=61))
    told = room.rows(source).filter(pl.col("known_at") == START + timedelta(hours=61))
    assert sorted(told["id"]) == DATED["id"].head(3).to_list()


@typed
def test_an_empty_source_has_its_columns(kind: Kind, tmp_path: Path, url: str) -> None:
    source = source_of(kind.put(tmp_path, ROWS.clear(), url))
    look = Feed(source, tmp_path).look(BEGINNING_US, to_us(START))
    assert look.rows.schema == SCHEMA
    assert (look.rows.height, look.earlier) == (0, 0)


def test_a_column_that_is_missing_breaks_the_contract(kind: Kind, tmp_path: Path, url: str) -> None:
    source = source_of(kind.put(tmp_path, ROWS, url), key="flight_id")
    with pytest.raises(ContractBreach, match="source 'rows' broke its contract") as breach:
        Feed(source, tmp_path)
    assert "a column 'flight_id'" in breach.value.allowed
    assert "wind_knots" in breach.value.got


@typed
def test_a_time_without_a_zone_is_refused(kind: Kind, tmp_path: Path, url: str) -> None:
    source = source_of(kind.put(tmp_path, ROWS, url), known_time="day")
    with pytest.raises((NaiveTime, SourceUnreadable)) as refused:
        Feed(source, tmp_path).look(BEGINNING_US, to_us(START))
    assert refused.value.where == source.place
    assert "day" in str(refused.value)


@pytest.mark.parametrize(
    "kind", [one for one in KINDS if one.break_off], ids=lambda one: str(one.name), indirect=True
)
def test_what_is_not_there_is_said(kind: Kind, tmp_path: Path) -> None:
    assert kind.break_off is not None
    source = source_of(kind.break_off(tmp_path))
    with pytest.raises(SourceUnreadable, match="source 'rows' cannot be read") as unreadable:
        Feed(source, tmp_path)
    assert unreadable.value.where == source.place
    assert unreadable.value.allowed
    assert unreadable.value.got
    assert unreadable.value.do
    assert not list(tmp_path.glob("none*")), "looking for a file must not make one"


def test_each_is_of_one_kind(kind: Kind, tmp_path: Path, url: str) -> None:
    read = kind.put(tmp_path, ROWS, url)
    taken = str(read) if isinstance(read, Path) else read
    assert sum(reader.takes(taken, tmp_path) for reader in READERS) == 1


@pytest.mark.parametrize("read", [3, None, b"rows.parquet", ["a.parquet"], object()])
def test_what_no_kind_takes_is_refused_with_all_that_would_be_taken(read: object, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable) as unreadable:
        open_source(source_of(read), tmp_path)
    assert unreadable.value.got == f"read={type(read).__name__}"
    assert all(reader.allowed in unreadable.value.allowed for reader in READERS)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        ("s3://b/x.v2", "Delta"),
        ("s3://b/folder", "Delta"),
        ("s3://b/x.json", "Delta"),
        ("s3://b/2013-0?", "Delta"),
        ("s3://b/x-0?.parquet", "Parquet"),
        ("s3://b/*.csv", "CSV"),
        ("https://h/x.csv?X-Amz-Signature=a.b", "CSV"),
        ("https://h/x?file=a.parquet", ""),
        ("https://h/table", ""),
    ],
)
def test_how_an_address_ends_says_its_kind(read: str, kind: str, tmp_path: Path) -> None:
    took = [reader.allowed for reader in READERS if reader.takes(read, tmp_path)]
    assert len(took) == bool(kind)
    assert all(kind in one for one in took)
