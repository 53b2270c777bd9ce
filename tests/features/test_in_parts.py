"""Questions in parts have the features that they have together, and a file is there only when it is whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trimtab.features.aggregation import aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.in_parts import features_in_parts, write_features
from trimtab.features.offline import offline_features
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import feature_view
from trimtab.kernel.source import Source

START = datetime(2024, 3, 1, tzinfo=UTC)
WEATHER = Source("weather", "weather.parquet", event_time="event", known_time="known", key="event")


@feature_view(entity="origin", max_age="6h")
def sky(weather: pl.LazyFrame) -> pl.LazyFrame:
    return weather


FEATURES = FeatureSet(
    (sky, aggregate(WEATHER, by="origin", of="rain", windows=["4h"], how=["mean", "count"], name="rain")),
    {"weather": WEATHER},
)
FACTS = pl.DataFrame(
    {
        "origin": [("JFK", "LGA")[hour % 2] for hour in range(48)],
        "event": [START + timedelta(hours=hour) for hour in range(48)],
        "known": [START + timedelta(hours=hour, minutes=20 * (hour % 5)) for hour in range(48)],
        "rain": [0.1 * (hour % 7) for hour in range(48)],
    }
)
ASKED = pl.DataFrame(
    {
        "origin": [("JFK", "LGA", None, "EWR")[number % 4] for number in range(101)],
        "at": [START + timedelta(minutes=37 * (number * 53 % 101)) for number in range(101)],
    }
)


def facts(name: str) -> pl.LazyFrame:
    assert name == "weather"
    return FACTS.lazy()


@pytest.mark.parametrize("part_rows", [1, 7, 100, 101, 1000])
def test_parts_are_the_whole(part_rows: int) -> None:
    whole = pl.concat([ASKED, offline_features(FEATURES, ASKED, "at", facts)], how="horizontal")
    parts = list(features_in_parts(FEATURES, ASKED.lazy(), "at", facts, part_rows))
    assert max(part.height for part in parts) <= part_rows
    assert pl.concat(parts).equals(whole)
    assert whole["sky.rain"].null_count() < whole.height > whole["rain.mean_4h"].null_count()


def test_the_file_holds_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    assert write_features(FEATURES, ASKED.lazy(), "at", facts, path, part_rows=10) == ASKED.height
    whole = pl.concat([ASKED, offline_features(FEATURES, ASKED, "at", facts)], how="horizontal")
    assert pl.read_parquet(path).equals(whole)


def test_no_questions(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    assert write_features(FEATURES, ASKED.clear().lazy(), "at", facts, path) == 0
    assert pl.read_parquet(path).columns == [*ASKED.columns, "sky.rain", "rain.mean_4h", "rain.count_4h"]


def test_a_file_that_was_begun_does_not_look_whole(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    path.write_bytes(b"before")
    parts = []

    def breaks(request: pl.LazyFrame) -> pl.LazyFrame:
        parts.append(request.collect().height)
        if len(parts) == 4:
            raise OSError("the disk is gone")
        return request.select(hour=pl.col("at").dt.hour())

    broken = replace(FEATURES, declared=(*FEATURES.declared, RequestFeatures("hour", breaks, "", "here:1")))
    with pytest.raises(OSError, match="gone"):
        write_features(broken, ASKED.lazy(), "at", facts, path, part_rows=10)
    assert parts == [0, 10, 10, 10]
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
