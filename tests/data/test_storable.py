"""Types of columns: what comes back as it was, what is widened, what is refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
from tests.data.room import Feed, Room

from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.source import Source

NOW = datetime(2013, 11, 3, 5, 30, tzinfo=UTC)

KEPT = {
    "float": pl.Series([0.1, None, float("nan"), float("inf")]),
    "float32": pl.Series([0.1, None, -0.0, 1.0], dtype=pl.Float32),
    "integer": pl.Series([2**63 - 1, None, -(2**63), 0]),
    "boolean": pl.Series([True, None, False, True]),
    "text": pl.Series(["é", None, "", "\x00"]),
    "bytes": pl.Series([b"\xff", None, b"", b"a"]),
    "date": pl.Series([date(2013, 4, 1), None, date(1, 1, 1), date(9999, 12, 31)]),
    "datetime": pl.Series([NOW, None, NOW, NOW], dtype=pl.Datetime("us", "UTC")),
    "naive": pl.Series([datetime(2013, 4, 1), None, None, None]),  # noqa: DTZ001 - a column that is no time of a fact
    "decimal": pl.Series(["1.25", None, "-3.50", "0.00"]).cast(pl.Decimal(10, 2)),
    "list": pl.Series([[1, None], None, [], [2]]),
    "struct": pl.Series([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 2, "b": None}]),
}
WIDENED = {
    "Int8": (pl.Series([-128, None, 127, 0], dtype=pl.Int8), pl.Int64()),
    "Int32": (pl.Series([-(2**31), None, 2**31 - 1, 0], dtype=pl.Int32), pl.Int64()),
    "UInt8": (pl.Series([255, None, 0, 1], dtype=pl.UInt8), pl.Int64()),
    "UInt32": (pl.Series([2**32 - 1, None, 0, 1], dtype=pl.UInt32), pl.Int64()),
    "Categorical": (pl.Series(["b", None, "a", "b"], dtype=pl.Categorical), pl.String()),
    "Enum": (pl.Series(["b", None, "a", "b"], dtype=pl.Enum(["a", "b"])), pl.String()),
    "list of categories": (pl.Series([["a"], None, [], ["b"]], dtype=pl.List(pl.Categorical)), pl.List(pl.String)),
    "milliseconds": (pl.Series([NOW, None, NOW, NOW], dtype=pl.Datetime("ms", "UTC")), pl.Datetime("us", "UTC")),
    "nanoseconds": (pl.Series([NOW, None, NOW, NOW], dtype=pl.Datetime("ns", "UTC")), pl.Datetime("us", "UTC")),
}
REFUSED = {
    "time": (pl.Series([time(1, 2)] * 4), "Time"),
    "duration": (pl.Series([timedelta(hours=1)] * 4), "Duration(time_unit='us')"),
    "null": (pl.Series([None] * 4), "Null"),
    "unsigned": (pl.Series([2**64 - 1] * 4, dtype=pl.UInt64), "UInt64"),
    "list of times": (pl.Series([[time(1, 2)]] * 4), "Time"),
}


def source_of(column: pl.Series) -> tuple[Source, pl.DataFrame]:
    frame = pl.DataFrame({"id": list("abcd"), "at": [NOW] * 4, "x": column})
    return Source("weather", Feed(frame), event_time="at", key="id"), frame


@pytest.mark.parametrize("kind", KEPT)
def test_values_come_back_as_they_were(room: Room, kind: str) -> None:
    source, frame = source_of(KEPT[kind])
    version = room.look(source, NOW)
    assert version is not None
    assert room.rows(source).equals(frame, null_equal=True)
    assert room.rows(source).schema == frame.schema
    assert dict(version.schema)["x"] == str(frame.schema["x"])


@pytest.mark.parametrize("kind", WIDENED)
def test_types_that_tables_lack_are_widened(room: Room, kind: str) -> None:
    column, stored = WIDENED[kind]
    source, frame = source_of(column)
    version = room.look(source, NOW)
    assert version is not None
    assert room.rows(source).schema["x"] == stored
    assert room.rows(source)["x"].to_list() == frame["x"].cast(stored).to_list()
    assert dict(version.schema)["x"] == str(stored)


@pytest.mark.parametrize("kind", REFUSED)
def test_types_that_cannot_be_stored_are_named(room: Room, kind: str) -> None:
    column, told = REFUSED[kind]
    with pytest.raises(ContractBreach) as breach:
        room.look(source_of(column)[0], NOW)
    assert breach.value.got == f"column 'x' of type {told}"
    assert breach.value.do == "convert the column where the source is read"
    assert room.versions.current("weather") == 0
