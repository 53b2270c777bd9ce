"""The rows of a batch are those of requests, of whatever types its file has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from trimtab.features.request_frame import request_columns
from trimtab.house.batch_file import BatchFile, file_digest
from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.moment import to_us

TIME = "Datetime(time_unit='us', time_zone='UTC')"
REQUEST = (("id", "Int64"), ("word", "String"), ("price", "Float64"), ("new", "Boolean"), ("seen", TIME))
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def file(folder: Path, frame: pl.DataFrame, ending: str = "parquet") -> BatchFile:
    path = folder / f"rows.{ending}"
    frame.write_parquet(path) if ending == "parquet" else frame.write_csv(path)
    return BatchFile(path, REQUEST, "id")


def whole() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": pl.Series([1, 2, 3], dtype=pl.Int16),
            "word": pl.Series(["a", None, "é,\n"], dtype=pl.Categorical),
            "price": pl.Series([1.5, float("nan"), None], dtype=pl.Float32),
            "new": [True, False, None],
            "seen": pl.Series([NOON, None, NOON], dtype=pl.Datetime("ms", "America/New_York")),
            "more": [1, 2, 3],
        }
    )


def as_text() -> pl.DataFrame:
    """As somebody else may have written it."""
    zone = timezone(timedelta(hours=2))
    return pl.DataFrame(
        {
            "id": ["1", "2", "3"],
            "word": ["a", None, "é,\n"],
            "price": ["1.5", "nan", None],
            "new": ["true", "False", None],
            "seen": [NOON.isoformat(), None, NOON.astimezone(zone).isoformat()],
            "more": ["x", "y", "z"],
        }
    )


@pytest.mark.parametrize(("frame", "ending"), [(whole(), "parquet"), (as_text(), "csv")])
def test_every_type(tmp_path: Path, frame: pl.DataFrame, ending: str) -> None:
    found = file(tmp_path, frame, ending)
    [rows] = found.parts(10)
    assert rows == [
        {"id": 1, "word": "a", "price": 1.5, "new": True, "seen": to_us(NOON)},
        {"id": 2, "word": None, "price": None, "new": False, "seen": None},
        {"id": 3, "word": "é,\n", "price": None, "new": None, "seen": to_us(NOON)},
    ]
    assert (found.rows, found.left_out) == (3, ["more"])
    request_columns(rows, REQUEST)
    found.check(lambda *_: None)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_parts_are_the_same_each_time(tmp_path: Path, ending: str) -> None:
    frame = pl.concat([whole()] * 3_000).with_columns(id=pl.int_range(9_000), price=1.0, seen=None)
    found = file(tmp_path, frame.with_columns(pl.col("word").cast(pl.String)), ending)
    parts = list(found.parts(1_000))
    assert [len(part) for part in parts] == [1_000] * 9
    assert [row["id"] for part in parts for row in part] == list(range(9_000))
    assert [len(part) for part in found.parts(4_000)] == [4_000, 4_000, 1_000]


def test_instants_may_be_of_some_rows(tmp_path: Path) -> None:
    frame = whole().with_columns(as_of=pl.Series([None, NOON, NOON - timedelta(days=1)]))
    found = file(tmp_path, frame)
    [rows] = found.parts(10)
    assert [row.get("as_of", "none") for row in rows] == ["none", to_us(NOON), to_us(NOON - timedelta(days=1))]
    told = found.instants
    assert (told.oldest_us, told.newest_us, told.all) == (to_us(NOON - timedelta(days=1)), to_us(NOON), False)
    assert file(tmp_path, frame.drop_nulls("as_of")).instants.all
    nothing = file(tmp_path, whole()).instants
    assert (nothing.oldest_us, nothing.all) == (None, False)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("id", "1.5", "column 'id', rows 1 to 1"),
        ("id", "many", "column 'id', rows 1 to 1"),
        ("price", "much", "column 'price', rows 1 to 1"),
        ("new", "maybe", "column 'new', rows 1 to 1"),
        ("seen", "2024-03-01T12:00:00", "column 'seen', rows 1 to 1"),
        ("seen", "noon", "column 'seen', rows 1 to 1"),
        ("id", "", "row 1, column 'id'"),
    ],
)
def test_text_that_is_no_value_is_named(tmp_path: Path, column: str, value: str, told: str) -> None:
    frame = as_text().head(1).with_columns(pl.lit(value).replace("", None).alias(column))
    found = file(tmp_path, frame, "csv")
    with pytest.raises(RequestInvalid) as refused:
        found.check(lambda *_: None)
    assert refused.value.where == f"{found.path}, {told}"


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    file(tmp_path, whole())
    before = file_digest(tmp_path / "rows.parquet")
    file(tmp_path, whole().reverse())
    assert file_digest(tmp_path / "rows.parquet") != before
