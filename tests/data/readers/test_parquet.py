"""Many Parquet files: a look opens those that are new to it, and is never wrong about the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.readers import file_memory
from trimtab.data.reading import offer
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
SOURCE = Source("events", "events/*.parquet", event_time="at", key="id")
_SETTLED_S = 0.03  # longer than a tick of the disk's clock here


def hour(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def rows(*told: tuple[str, float | None]) -> pl.DataFrame:
    times = [None if at is None else hour(at) for _, at in told]
    return pl.DataFrame(
        {"id": [name for name, _ in told], "at": times}, schema={"id": pl.String, "at": pl.Datetime("us", "UTC")}
    )


@pytest.fixture(scope="module", autouse=True)
def _soon_settled() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_memory, "SETTLED_NS", int(_SETTLED_S * 1e9))
        yield


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Ten files of an hour each."""
    (tmp_path / "events").mkdir()
    for number in range(10):
        rows((f"a{number}", number), (f"b{number}", number + 0.5)).write_parquet(
            tmp_path / f"events/{number}.parquet"
        )
    time.sleep(_SETTLED_S)
    return tmp_path


def look(project: Path, after: float | None, until: float) -> tuple[list[str], int]:
    found = Feed(SOURCE, project).look(BEGINNING_US if after is None else to_us(hour(after)), to_us(hour(until)))
    return found.rows["id"].to_list(), found.earlier


def opened(project: Path, after: float, until: float) -> list[str]:
    """All rows of the files that a look reads."""
    part = offer(SOURCE, project).narrowed("at", to_us(hour(after)), to_us(hour(until)))
    return part.rows.collect()["id"].to_list()


def test_a_look_opens_the_files_with_its_rows(project: Path) -> None:
    assert look(project, 3.5, 5.5) == (["a4", "b4", "a5", "b5"], 8)
    assert opened(project, 3.5, 5.5) == ["a4", "b4", "a5", "b5"]
    assert opened(project, 3.4, 5.4) == ["a3", "b3", "a4", "b4", "a5", "b5"]
    assert opened(project, 50, 60) == []
    assert look(project, 50, 60) == ([], 20)


def test_files_that_were_seen_are_not_opened_again(project: Path) -> None:
    """The memory is told that garbage is what it has seen: who opened it would see that it is not Parquet."""
    assert look(project, None, 9) == (rows_until_nine := [f"{k}{n}" for n in range(9) for k in "ab"] + ["a9"], 0)
    assert len(rows_until_nine) == 19
    memory = project / ".trimtab" / "feeds" / "events.parquet"
    mark = pl.read_parquet_metadata(memory)
    seen = pl.read_parquet(memory)
    for number in range(1, 9):
        (project / f"events/{number}.parquet").write_bytes(b"garbage")
    stats = [Path(path).stat() for path in seen["_trimtab_path"]]
    seen.with_columns(
        size_bytes=pl.Series([one.st_size for one in stats]),
        mtime_ns=pl.Series([one.st_mtime_ns for one in stats]),
        ctime_ns=pl.Series([one.st_ctime_ns for one in stats]),
    ).write_parquet(memory, metadata={key: mark[key] for key in ("format", "known", "schema")})
    rows(("new", 9.7)).write_parquet(project / "events/10.parquet")
    assert look(project, 9, 10) == (["b9", "new"], 19)
    with pytest.raises(SourceUnreadable):
        look(project, 4, 10)


def test_a_file_that_is_replaced_is_read_again(project: Path) -> None:
    look(project, None, 20)
    time.sleep(_SETTLED_S)
    rows(("a4", 4), ("b4", 20.5)).write_parquet(project / "events/4.parquet")
    assert look(project, 20, 21) == (["b4"], 19)


def test_a_file_that_is_replaced_within_a_tick_is_read_again(project: Path) -> None:
    """Same size, and times that a coarse clock may have left alike: nothing young is remembered."""
    path = project / "events/4.parquet"
    for number in range(40):
        rows(("a4", 4), (f"c{number % 2}", 30 + number)).write_parquet(path)
        assert look(project, 29 + number, 31 + number)[0] == [f"c{number % 2}"]


def test_a_file_that_was_removed_is_forgotten(project: Path) -> None:
    assert look(project, 20, 21) == ([], 20)
    (project / "events/4.parquet").unlink()
    assert look(project, 20, 21) == ([], 18)


def test_rows_without_a_known_time_are_found_at_every_look(project: Path) -> None:
    rows(("x", 1), ("y", None)).write_parquet(project / "events/3.parquet")
    for _ in range(3):
        assert look(project, 20, 21) == (["y"], 19)
        time.sleep(_SETTLED_S)


def test_a_pattern_may_match_folders(project: Path) -> None:
    """A folder's own times say nothing of a file in it that was written over."""
    folder = project / "events" / "more.parquet"
    folder.mkdir()
    for number in range(3):
        rows((f"f{number}", 30)).write_parquet(folder / "part.parquet")
        time.sleep(_SETTLED_S)
        assert look(project, 20, 40) == ([f"f{number}"], 20)


def test_a_memory_that_is_lost_or_broken_is_made_again(project: Path) -> None:
    memory = project / ".trimtab" / "feeds" / "events.parquet"
    expected = look(project, 3, 5)
    for data in (b"", b"garbage", memory.read_bytes()[:-9]):
        memory.write_bytes(data)
        assert look(project, 3, 5) == expected
        assert pl.read_parquet(memory).height == 10
    memory.unlink()
    assert look(project, 3, 5) == expected
    assert [one.name for one in memory.parent.iterdir()] == ["events.parquet"]


def test_a_memory_of_another_known_time_is_not_used(project: Path) -> None:
    for number in range(10):
        path = project / f"events/{number}.parquet"
        pl.read_parquet(path).with_columns(at2=pl.col("at") + timedelta(hours=7)).write_parquet(path)
    time.sleep(_SETTLED_S)
    look(project, 3, 5)
    other = Source("events", "events/*.parquet", event_time="at", known_time="at2", key="id")
    found = Feed(other, project).look(to_us(hour(9)), to_us(hour(10)))
    assert (found.rows["id"].to_list(), found.earlier) == (["b2", "a3"], 5)


def test_a_disk_that_takes_no_memory_costs_only_time(project: Path) -> None:
    (project / ".trimtab").write_text("in the way")
    assert look(project, 3.5, 5.5) == (["a4", "b4", "a5", "b5"], 8)


@pytest.mark.parametrize(
    "changed",
    [
        rows(("x", 10)).with_columns(pl.col("id").str.len_chars()),
        rows(("x", 10)).with_columns(pl.col("at").dt.cast_time_unit("ns")),
        rows(("x", 10)).drop("id"),
        rows(("x", 10)).with_columns(more=1),
    ],
    ids=["another type", "another unit", "a column less", "a column more"],
)
def test_a_new_file_of_another_schema_is_refused(project: Path, changed: pl.DataFrame) -> None:
    look(project, None, 9)
    changed.write_parquet(project / "events/99.parquet")
    with pytest.raises(SourceUnreadable) as unreadable:
        look(project, 9, 20)
    assert unreadable.value.where == SOURCE.place


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, list[float | None]]]:
    """What happens to files between looks: written, replaced, removed."""
    times = st.lists(st.one_of(st.none(), st.integers(0, 12).map(float)), max_size=4)
    what = st.sampled_from(["write", "write", "remove", "look", "rest and look"])
    return draw(st.lists(st.tuples(what, st.integers(0, 4), times), min_size=1, max_size=12))


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(-1, 12), st.integers(0, 12))
def test_a_look_is_that_of_one_who_reads_everything(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[str, int, list[float | None]]],
    after: int,
    until: int,
) -> None:
    project = tmp_path_factory.getbasetemp() / uuid4().hex
    (project / "events").mkdir(parents=True)
    for number in range(2):
        rows().write_parquet(project / f"events/{number}.parquet")
    for step, (what, number, times) in enumerate([*history, ("look", 0, [])]):
        path = project / f"events/{number}.parquet"
        if what == "write":
            rows(*((f"{step}-{n}", at) for n, at in enumerate(times))).write_parquet(path)
        elif what == "remove" and number > 1:
            path.unlink(missing_ok=True)
        elif "look" in what:
            time.sleep(_SETTLED_S if "rest" in what else 0)
            held = pl.read_parquet(project / "events/*.parquet")
            found = Feed(SOURCE, project).look(to_us(hour(after)), to_us(hour(max(after, until))))
            new = pl.col("at").is_between(hour(after), hour(max(after, until)), closed="right")
            assert_frame_equal(
                found.rows.sort("at", "id"), held.filter(new | pl.col("at").is_null()).sort("at", "id")
            )
            assert found.earlier == held.filter(pl.col("at") <= hour(after)).height
