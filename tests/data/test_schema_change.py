"""A changed schema is named: gone, new, of another type, or the same column under another name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandera.polars as pa
import polars as pl
import pytest
from tests.data.room import Feed, Room

from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
CONTRACT = pa.DataFrameSchema({"temp_f": pa.Column(pl.Float64, pa.Check.in_range(-40, 130))})


def hours(first: int, last: int) -> pl.DataFrame:
    numbers = list(range(first, last))
    return pl.DataFrame(
        {
            "origin": [("EWR", "JFK", "LGA")[one % 3] for one in numbers],
            "at": [START + timedelta(hours=one) for one in numbers],
            "temp_f": [60.0 + 15 * ((one % 24) - 12) / 12 for one in numbers],
            "humidity": [50.0 + one % 40 for one in numbers],
            "sky": ["clear" if one % 2 else "clouds" for one in numbers],
            "raining": [one % 5 == 0 for one in numbers],
        }
    )


def breach(room: Room, contract: object, change: pl.DataFrame) -> str:
    feed = Feed(hours(0, 240))
    source = Source("weather", feed, event_time="at", key="origin", contract=contract)
    room.look(source, START + timedelta(hours=239))
    feed.frame = change
    with pytest.raises(ContractBreach) as broken:
        room.look(source, START + timedelta(hours=280))
    assert room.versions.current("weather") == 1
    return broken.value.got


CHANGES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "renamed": (
        lambda table: table.rename({"temp_f": "temperature"}),
        "column 'temp_f' is gone and 'temperature' is new, with the same values: renamed?",
    ),
    "renamed and converted": (
        lambda table: table.select(pl.exclude("temp_f"), temp_c=(pl.col("temp_f") - 32) / 1.8),
        "column 'temp_f' is gone and 'temp_c' is new, with the same values in another unit (°F → °C): renamed?",
    ),
    "two renamed at once": (
        lambda table: table.rename({"temp_f": "t", "humidity": "h"}),
        "column 'humidity' is gone and 'h' is new, with the same values: renamed?, "
        "column 'temp_f' is gone and 't' is new, with the same values: renamed?",
    ),
    "words renamed": (
        lambda table: table.rename({"sky": "clouds"}),
        "column 'sky' is gone and 'clouds' is new, with the same values: renamed?",
    ),
    "a stranger in its place": (
        lambda table: table.select(pl.exclude("temp_f"), gust=pl.col("temp_f") * 1e6),
        "column 'gust' is new, column 'temp_f' is gone",
    ),
    "another type": (
        lambda table: table.with_columns(pl.col("temp_f").cast(pl.String)),
        "column 'temp_f' is String",
    ),
    "one gone, one retyped": (
        lambda table: table.drop("raining").with_columns(pl.col("humidity").cast(pl.Int64)),
        "column 'humidity' is Int64, column 'raining' is gone",
    ),
}


@pytest.mark.parametrize("contract", [None, CONTRACT], ids=["no contract", "a contract"])
@pytest.mark.parametrize("kind", CHANGES)
def test_changes_are_named(room: Room, kind: str, contract: object) -> None:
    change, told = CHANGES[kind]
    assert breach(room, contract, change(hours(0, 280))) == told


def test_a_breach_that_is_no_change_of_the_schema_says_what_the_contract_says(room: Room) -> None:
    block = pa.DataFrameSchema(
        {"temp_f": pa.Column(pl.Float64, pa.Check.in_range(-40, 130), metadata={"action": "block"})}
    )
    told = breach(room, block, hours(0, 280).with_columns(pl.col("temp_f") * 10))
    assert told == "temp_f: in_range(-40, 130): 40 of 40 rows fail"
