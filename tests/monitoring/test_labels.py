"""The truth as it is known now: no earlier, no later, the last correction counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.kernel.errors import NaiveTime
from trimtab.kernel.label import Label
from trimtab.kernel.source import Source
from trimtab.monitoring.labels import join_labels

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
ARRIVALS = Source("arrivals", "arrivals.parquet", event_time="sched_dep", known_time="arrived_at", key="flight_id")
LATE = Label(ARRIVALS, "late")
TIME = pl.Datetime("us", "UTC")

Fact = tuple[str, bool | None, int]  # key, truth, minutes after noon at which it became known


def labels(*facts: Fact) -> pl.LazyFrame:
    keys, values, minutes = zip(*facts, strict=True) if facts else ((), (), ())
    known = [NOON + timedelta(minutes=one) for one in minutes]
    columns = {"flight_id": keys, "late": values, "sched_dep": [NOON] * len(keys), "arrived_at": known}
    return pl.LazyFrame(
        columns, schema={"flight_id": pl.String, "late": pl.Boolean, "sched_dep": TIME, "arrived_at": TIME}
    )


def predictions(*keys: str) -> pl.LazyFrame:
    rows = {
        "id": [str(n) for n in range(len(keys))],
        "key": keys,
        "at": [NOON] * len(keys),
        "score": [0.5] * len(keys),
    }
    return pl.LazyFrame(rows, schema={"id": pl.String, "key": pl.String, "at": TIME, "score": pl.Float64})


def joined(asked: pl.LazyFrame, truth: pl.LazyFrame, minutes: int) -> list[tuple[str, bool]]:
    frame = join_labels(asked, truth, LATE, NOON + timedelta(minutes=minutes))
    return list(zip(frame["key"], frame["label"], strict=True))


def test_the_last_correction_counts_from_when_it_is_known() -> None:
    truth = labels(("a", True, 10), ("a", False, 30), ("a", True, 20))
    for minutes, expected in ((9, []), (10, [True]), (29, [True]), (30, [False])):
        assert joined(predictions("a"), truth, minutes) == [("a", one) for one in expected]


def test_of_two_facts_of_one_instant_the_later_row_counts() -> None:
    assert joined(predictions("a"), labels(("a", True, 10), ("a", False, 10)), 10) == [("a", False)]


def test_a_prediction_without_a_label_is_left_out() -> None:
    assert joined(predictions("a", "b", "c"), labels(("b", True, 1), ("c", None, 1), ("d", True, 1)), 5) == [
        ("b", True)
    ]


def test_nothing_known_leaves_no_row_and_all_columns() -> None:
    frame = join_labels(predictions("a"), labels(), LATE, NOON)
    assert frame.is_empty()
    assert frame.columns == ["id", "key", "at", "score", "label", "label_known_at"]


def test_one_key_asked_twice_is_answered_twice() -> None:
    assert joined(predictions("a", "a"), labels(("a", True, 1)), 1) == [("a", True)] * 2


def test_when_the_truth_became_known_is_said() -> None:
    frame = join_labels(predictions("a"), labels(("a", True, 1), ("a", True, 3)), LATE, NOON + timedelta(minutes=5))
    assert frame["label_known_at"].to_list() == [NOON + timedelta(minutes=3)]


def test_keys_that_are_numbers_are_matched_as_they_were_asked() -> None:
    truth = labels(("7", True, 1)).with_columns(pl.col("flight_id").cast(pl.Int64))
    assert joined(predictions("7"), truth, 1) == [("7", True)]


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveTime):
        join_labels(predictions("a"), labels(), LATE, datetime(2013, 4, 1))  # noqa: DTZ001 - that is the point


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.booleans(), st.integers(0, 6)), max_size=12),
    st.integers(-1, 7),
)
def test_as_by_hand(facts: list[Fact], now: int) -> None:
    expected: dict[str, bool] = {}
    for key, value, minutes in sorted(facts, key=lambda fact: fact[2]):  # stable, like the rule
        if minutes <= now and value is not None:
            expected[key] = value
    assert joined(predictions(*"abc"), labels(*facts), now) == [
        (key, expected[key]) for key in "abc" if key in expected
    ]
