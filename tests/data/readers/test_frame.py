"""Frames in memory, and what only looks like one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from trimtab.data.check import check_source
from trimtab.data.leak_check import check_leaks
from trimtab.data.reading import open_source
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.label import Label
from trimtab.kernel.source import Source

NOW = datetime(2013, 4, 1, tzinfo=UTC)
FRAME = pl.DataFrame({"id": ["a", "b"], "at": [NOW, NOW], "n": [1, 2]})


def source_of(read: object, name: str = "weather") -> Source:
    return Source(name, read, event_time="at", key="id")


def pandas_frame() -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b"], "n": [1, 2]}, index=pd.DatetimeIndex([NOW, NOW], name="at"))


def test_a_named_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    assert set(open_source(source_of(pandas_frame()), tmp_path).collect_schema()) == {"id", "n", "at"}


def test_row_numbers_of_pandas_are_none(tmp_path: Path) -> None:
    frame = pandas_frame().reset_index()
    frame = frame.loc[[1, 0, 1]]
    found = open_source(source_of(frame), tmp_path).collect()
    assert sorted(found.columns) == ["at", "id", "n"]
    assert found["id"].to_list() == ["b", "a", "b"]


def test_a_frame_is_read_as_it_is_at_each_look(tmp_path: Path) -> None:
    frame = pandas_frame()
    source = source_of(frame)
    assert open_source(source, tmp_path).collect()["n"].sum() == 3
    frame.loc[frame["id"] == "a", "n"] = 40
    assert open_source(source, tmp_path).collect()["n"].sum() == 42


def test_what_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable) as unreadable:
        open_source(source_of(FRAME.to_arrow().to_reader()), tmp_path)
    assert unreadable.value.got == "read=RecordBatchReader, which is empty once it has been read"
    assert unreadable.value.do == "give a function that opens it, or the table it holds (.read_all())"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"id": ["a", 1.5], "at": [NOW, NOW]}),
        pd.Series([1, 2]),
        pd.DataFrame([[1, 2]], columns=pd.Index(["id", "id"])),
    ],
    ids=["mixed types", "no table", "one name twice"],
)
def test_frames_without_types_are_refused(tmp_path: Path, frame: object, again: bool) -> None:
    source = source_of((lambda: frame) if again else frame)
    with pytest.raises(SourceUnreadable) as unreadable:
        open_source(source, tmp_path)
    assert unreadable.value.where == source.place
    assert unreadable.value.got.startswith(type(frame).__name__)


def test_frames_are_checked_and_compared_like_files(tmp_path: Path) -> None:
    """A frame's == compares its cells: two sources of one frame are one table, two frames are two."""
    late = FRAME.with_columns(late=pl.lit(True), known=pl.col("at") + pl.duration(hours=1))
    outcomes = Source("outcomes", late, event_time="at", known_time="known", key="id")
    early = Source("early", late, event_time="at", key="id")
    copy = Source("copy", late.clone(), event_time="at", key="id")
    schemas: dict[str, pl.Schema] = {}
    problems = [problem for one in (outcomes, early, copy) for problem in check_source(one, tmp_path, schemas)]
    assert not problems
    label = Label(outcomes, "late", kind="binary")
    found = list(check_leaks([outcomes, early, copy], label, tmp_path, schemas))
    assert [problem.what.split(":")[0] for problem in found] == ["source 'early'"]
