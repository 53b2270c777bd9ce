"""Delta tables: what their log says of files that a look does not open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.reading import offer, open_source
from trimtab.kernel.errors import NaiveTime, SourceUnreadable
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
SOURCE = Source("events", "events", event_time="at", key="id")
US = timedelta(microseconds=1)


def rows(*told: tuple[str, datetime | None]) -> pl.DataFrame:
    return pl.DataFrame(list(told), schema={"id": pl.String, "at": pl.Datetime("us", "UTC")}, orient="row")


def hour(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Ten files of an hour each."""
    for number in range(10):
        made = rows((f"a{number}", hour(number)), (f"b{number}", hour(number + 0.5)))
        made.write_delta(tmp_path / "events", mode="append")
    return tmp_path


def look(project: Path, after: datetime | None, until: datetime) -> tuple[list[str], int]:
    found = Feed(SOURCE, project).look(BEGINNING_US if after is None else to_us(after), to_us(until))
    return found.rows["id"].to_list(), found.earlier


def opened(project: Path, after: datetime, until: datetime) -> list[str]:
    """All rows of the files that a look reads."""
    part = offer(SOURCE, project).narrowed("at", to_us(after), to_us(until))
    return sorted(part.rows.collect()["id"])


def test_a_look_opens_the_files_with_its_rows(project: Path) -> None:
    assert look(project, hour(3.6), hour(5.5)) == (["a4", "b4", "a5", "b5"], 8)
    assert opened(project, hour(3.4), hour(5)) == ["a3", "a4", "a5", "b3", "b4", "b5"]
    assert look(project, hour(50), hour(60)) == ([], 20)
    assert opened(project, hour(50), hour(60)) == []


@pytest.mark.parametrize("past_us", [0, 1, 400, 998, 999])
def test_statistics_that_were_rounded_hide_no_row(tmp_path: Path, past_us: int) -> None:
    """Delta's statistics end at milliseconds: a file may hold a row known a little after its maximum."""
    at = START + past_us * US
    rows(("x", at)).write_delta(tmp_path / "events")
    assert look(tmp_path, at - US, hour(1)) == (["x"], 0)
    assert look(tmp_path, at, hour(1)) == ([], 1)
    assert look(tmp_path, START - timedelta(days=1), at) == (["x"], 0)
    assert look(tmp_path, START - timedelta(days=1), at - US) == ([], 0)


def test_rows_before_1970_are_found(tmp_path: Path) -> None:
    at = datetime(1903, 12, 17, tzinfo=UTC) + 700 * US
    rows(("kitty hawk", at)).write_delta(tmp_path / "events")
    assert look(tmp_path, at - US, at) == (["kitty hawk"], 0)
    assert look(tmp_path, at, START) == ([], 1)


def test_rows_without_a_known_time_are_found_at_every_look(project: Path) -> None:
    rows(("x", hour(1)), ("y", None)).write_delta(project / "events", mode="append")
    assert look(project, hour(20), hour(21)) == (["y"], 21)


def test_rows_that_were_deleted_are_gone(project: Path) -> None:
    DeltaTable(project / "events").delete("id = 'a4'")
    assert look(project, hour(20), hour(21)) == ([], 19)
    assert look(project, hour(3.5), hour(5)) == (["b4", "a5"], 8)


def test_a_table_in_parts_is_read(tmp_path: Path) -> None:
    """Columns that Delta keeps in the names of folders are not in the files."""
    made = rows(("x", hour(1)), ("y", hour(2))).with_columns(origin=pl.Series(["EWR", "JFK"]))
    made.write_delta(tmp_path / "events", delta_write_options={"partition_by": ["origin"]})
    found = Feed(SOURCE, tmp_path).look(to_us(hour(1)), to_us(hour(2)))
    assert (found.rows["origin"].to_list(), found.earlier) == (["JFK"], 1)


def test_columns_that_were_added_are_empty_in_older_files(project: Path) -> None:
    more = rows(("c", hour(20))).with_columns(wind=pl.lit(7.5))
    more.write_delta(project / "events", mode="append", delta_write_options={"schema_mode": "merge"})
    found = Feed(SOURCE, project).look(to_us(hour(8.6)), to_us(hour(20)))
    assert found.rows.select("id", "wind").rows() == [("a9", None), ("b9", None), ("c", 7.5)]
    assert found.earlier == 18
    assert Feed(SOURCE, project).look(to_us(hour(1)), to_us(hour(2))).rows.schema == found.rows.schema


def test_a_table_is_read_as_it_was_when_it_was_opened(project: Path) -> None:
    frame = open_source(SOURCE, project)
    rows(("c", hour(20))).write_delta(project / "events", mode="append")
    assert frame.collect().height == 20


def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    rows(("x", hour(1))).with_columns(pl.col("at").dt.replace_time_zone(None)).write_delta(tmp_path / "events")
    with pytest.raises(NaiveTime, match="column 'at' of source 'events'"):
        Feed(SOURCE, tmp_path)


@pytest.mark.parametrize("name", ["100 %", "a[1]", "b*"])
def test_a_folder_that_would_be_taken_for_another_is_refused(tmp_path: Path, name: str) -> None:
    rows(("x", hour(1))).write_delta(tmp_path / "events")
    (tmp_path / name).mkdir()
    (tmp_path / "events").rename(tmp_path / name / "events")
    with pytest.raises(SourceUnreadable) as unreadable:
        Feed(SOURCE, tmp_path / name)
    assert unreadable.value.do == "move the table, or the project"


def test_a_file_that_is_gone_is_said(project: Path) -> None:
    for one in (project / "events").glob("*.parquet"):
        one.unlink()
    with pytest.raises(SourceUnreadable) as unreadable:
        look(project, None, hour(20))
    assert unreadable.value.where == SOURCE.place
