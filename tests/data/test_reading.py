"""Opening sources: files by path and pattern, functions, and what cannot be read, said with its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.data.room import Room

from trimtab.data.reading import open_source
from trimtab.kernel.errors import ContractBreach, SourceUnreadable
from trimtab.kernel.source import Source

NOW = datetime(2013, 4, 1, tzinfo=UTC)


def rows(*ids: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": list(ids), "at": [NOW] * len(ids)}, schema={"id": pl.String, "at": pl.Datetime("us", "UTC")}
    )


def source_of(read: object) -> Source:
    return Source("weather", read, event_time="at", key="id")


def ids(source: Source, project: Path) -> list[str]:
    return open_source(source, project).collect()["id"].to_list()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my [project] 1*"
    (folder / "data" / "deep").mkdir(parents=True)
    rows("a").write_parquet(folder / "data" / "w1.parquet")
    rows("b").write_parquet(folder / "data" / "w2.parquet")
    rows("c").write_parquet(folder / "data" / "deep" / "w3.parquet")
    rows("d").write_parquet(tmp_path / "outside.parquet")
    (folder / "data" / "w.csv").write_text("id,at\nx,2013-04-01T00:00:00Z\ny,2013-04-01T02:00:00+02:00\n")
    return folder


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("data/w1.parquet", ["a"]),
        ("data/*.parquet", ["a", "b"]),
        ("data/w[2].parquet", ["b"]),
        ("data/**/*.parquet", ["c", "a", "b"]),
        ("../outside.parquet", ["d"]),
        ("data/w.csv", ["x", "y"]),
        (lambda: rows("e"), ["e"]),
        (lambda: rows("f").lazy(), ["f"]),
    ],
)
def test_sources_are_read(project: Path, read: object, expected: list[str]) -> None:
    assert ids(source_of(read), project) == expected


def test_a_path_may_be_absolute(project: Path, tmp_path: Path) -> None:
    assert ids(source_of(str(tmp_path / "outside.parquet")), project) == ["d"]


def test_instants_in_csv_files_keep_their_instant(project: Path) -> None:
    frame = open_source(source_of("data/w.csv"), project).collect()
    assert frame["at"].dt.convert_time_zone("UTC").to_list() == [NOW, NOW]


def test_a_column_of_a_csv_file_may_be_empty_for_long(project: Path) -> None:
    lines = ["id,at,seats", *("x,2013-04-01T00:00:00Z," for _ in range(2000)), "y,2013-04-01T00:00:00Z,7.5"]
    (project / "data" / "long.csv").write_text("\n".join(lines))
    frame = open_source(source_of("data/long.csv"), project).collect()
    assert frame.schema["seats"] == pl.Float64
    assert frame["seats"].drop_nulls().to_list() == [7.5]


def csv_folder(project: Path, *files: str) -> Source:
    (project / "feed").mkdir()
    for number, text in enumerate(files):
        (project / "feed" / f"{number}.csv").write_text(text)
    return source_of("feed")


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_column_may_be_empty_in_one_file(project: Path, empty: int) -> None:
    lines = [f"{number},2013-04-01T00:00:00Z,{number}.5,2013-04-01\n" for number in range(3)]
    lines[empty] = f"{empty},2013-04-01T00:00:00Z,,\n"
    source = csv_folder(project, *(f"id,at,seats,day\n{line}" for line in lines), "id,at,seats,day\n")
    frame = open_source(source, project).sort("id").collect()
    assert frame.schema == {
        "id": pl.Int64(),
        "at": pl.Datetime("us", "UTC"),
        "seats": pl.Float64(),
        "day": pl.Date(),
    }
    assert frame["seats"].to_list() == [None if number == empty else number + 0.5 for number in range(3)]
    assert frame["at"].to_list() == [NOW] * 3


CELLS = st.sampled_from(
    [
        *("", "", "", "1", "-7", "2.50", "1e5", "true", "x", '"3"', "10:00:00"),
        *("2013-04-01", "2013-04-01T00:00:00", "2013-04-01T00:00:00Z", "2013-04-01T02:00:00+02:00"),
    ]
)
ROW = st.tuples(CELLS, CELLS, CELLS)


@settings(deadline=None)
@given(st.lists(st.lists(ROW, max_size=3), min_size=2, max_size=4))
def test_many_csv_files_are_as_one(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[str, ...]]]
) -> None:
    """The oracle: Polars, given one file with all their rows."""
    project = tmp_path_factory.mktemp("many")
    texts = ["".join(f"k,{','.join(row)}\n" for row in part) for part in parts]
    (project / "one.csv").write_text("id,a,b,c\n" + "".join(texts))
    many = open_source(csv_folder(project, *(f"id,a,b,c\n{text}" for text in texts)), project).collect()
    assert_frame_equal(many, open_source(source_of("one.csv"), project).collect())


@pytest.mark.parametrize(
    ("other", "got"),
    [
        ("at,id\n2013-04-01T00:00:00Z,y\n", "1.csv has at, id"),
        ("id,at,x\ny,2013-04-01T00:00:00Z,1\n", "1.csv has id, at, x"),
        ("", "1.csv: empty CSV"),
    ],
)
def test_a_csv_file_that_is_not_like_the_first_is_named(project: Path, other: str, got: str) -> None:
    source = csv_folder(project, "id,at\nx,2013-04-01T00:00:00Z\n", other)
    with pytest.raises(SourceUnreadable) as unreadable:
        open_source(source, project)
    assert unreadable.value.where == source.place
    assert got in unreadable.value.got


def raises() -> pl.DataFrame:
    raise ConnectionError("no route to the warehouse")


UNREADABLE: dict[str, tuple[object, str, str]] = {
    "no such file": ("data/none.parquet", "no file matches", "put the file there"),
    "no match": ("data/none*.csv", "no file matches", "put the file there"),
    "another kind of file": ("data/w.json", "read='data/w.json'", "name .parquet or .csv files"),
    "its function raises": (
        raises,
        "ConnectionError: no route to the warehouse",
        "mend the function given as read=",
    ),
    "its function gives no frame": (lambda: [1, 2], "its function returned list", "return a Polars DataFrame"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_opened_says_why(project: Path, kind: str) -> None:
    read, got, do = UNREADABLE[kind]
    source = source_of(read)
    with pytest.raises(SourceUnreadable, match="source 'weather' cannot be read") as unreadable:
        open_source(source, project)
    assert unreadable.value.where == source.place
    assert got in unreadable.value.got
    assert do in unreadable.value.do


def bad_rows() -> pl.LazyFrame:
    return rows("a").lazy().with_columns(pl.col("id").cast(pl.Int64))


def no_such_column() -> pl.LazyFrame:
    return rows("a").lazy().select("id", "at", "nowhere")


FILES: dict[str, tuple[str, bytes]] = {
    "a parquet file of garbage": ("bad.parquet", b"not a parquet file"),
    "an empty parquet file": ("bad.parquet", b""),
    "an empty csv file": ("bad.csv", b""),
    "a csv file with ragged lines": ("bad.csv", b"id,at\na,2013-04-01T00:00:00Z\nb,2013-04-01T00:00:00Z,1\n"),
    "a csv file that is not text": ("bad.csv", b"id,at\n\xff\xfe,2013-04-01T00:00:00Z\n"),
}


@pytest.mark.parametrize("kind", FILES)
def test_broken_files_are_no_crash(room: Room, kind: str) -> None:
    name, data = FILES[kind]
    (room.project / name).write_bytes(data)
    source = source_of(name)
    with pytest.raises(SourceUnreadable, match="source 'weather' cannot be read") as unreadable:
        room.look(source, NOW)
    assert unreadable.value.where == source.place
    assert unreadable.value.got
    assert room.versions.current("weather") == 0


@pytest.mark.parametrize("read", [bad_rows, no_such_column])
def test_a_lazy_frame_that_fails_late_is_no_crash(room: Room, read: Callable[[], pl.LazyFrame]) -> None:
    with pytest.raises(SourceUnreadable, match="source 'weather' cannot be read"):
        room.look(source_of(read), NOW)


def test_a_csv_file_that_lacks_a_column_breaks_the_contract(room: Room) -> None:
    (room.project / "w.csv").write_text("id,when\na,2013-04-01T00:00:00Z\n")
    with pytest.raises(ContractBreach) as breach:
        room.look(source_of("w.csv"), NOW)
    assert breach.value.got == "columns id, when"


def test_files_may_be_added_to_a_pattern(room: Room) -> None:
    source = source_of("*.parquet")
    rows("a").write_parquet(room.project / "1.parquet")
    room.look(source, NOW)
    later = rows("b").with_columns(pl.lit(NOW.replace(day=2)).alias("at"))
    later.write_parquet(room.project / "0.parquet")
    room.look(source, NOW.replace(day=3))
    assert room.rows(source)["id"].to_list() == ["a", "b"]


def test_whole_numbers_of_many_csv_files_may_be_wide(project: Path) -> None:
    source = csv_folder(project, "id,at,n\nx,,7\n", "id,at,n\ny,,9223372036854775808\n")
    frame = open_source(source, project).collect()
    assert frame.schema["n"] == pl.Int128
    assert frame["n"].to_list() == [7, 2**63]
