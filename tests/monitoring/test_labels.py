"""The truth as it is known now: no earlier, no later, the last correction counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.data.feedback import feedback
from trimtab.kernel.errors import NaiveTime
from trimtab.kernel.label import Label
from trimtab.kernel.source import Source
from trimtab.monitoring.labels import join_labels

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
ARRIVALS = Source("arrivals", "arrivals.parquet", event_time="sched_dep", known_time="arrived_at", key="flight_id")
LATE = Label(ARRIVALS, "late")
TIME = pl.Datetime("us", "UTC")
HOUR = timedelta(hours=1)

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


GIVEN = feedback()
CORRECTED = Label(ARRIVALS, "late", feedback=GIVEN)


def told(*facts: Fact) -> pl.LazyFrame:
    """Feedback about keys; None is a row without a label."""
    keys, values, minutes = zip(*facts, strict=True) if facts else ((), (), ())
    known = [NOON + timedelta(minutes=one) for one in minutes]
    kinds = pl.Schema({"key": pl.String(), "label": pl.Boolean(), "known_at": TIME})
    return pl.LazyFrame({"key": keys, "label": values, "known_at": known}, schema=kinds)


def test_of_a_label_and_feedback_of_one_instant_what_was_given_counts() -> None:
    frame = join_labels(predictions("a"), labels(("a", True, 5)), CORRECTED, NOON + HOUR, told(("a", False, 5)))
    assert frame["label"].to_list() == [False]


def test_what_was_given_without_a_key_is_about_nothing() -> None:
    unmatched = told(("a", True, 5)).with_columns(key=pl.lit(None, pl.String))
    assert join_labels(predictions("a"), labels(), CORRECTED, NOON + HOUR, unmatched).is_empty()


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64])
def test_numbers_and_keys_are_those_of_the_source(kind: pl.DataType) -> None:
    source = labels(("7", True, 1)).with_columns(pl.col("flight_id").cast(pl.Int64), pl.col("late").cast(kind))
    given_ = told(("8", True, 2), ("x", True, 2)).with_columns(pl.col("label").cast(kind))
    frame = join_labels(predictions("7", "8", "x"), source, CORRECTED, NOON + HOUR, given_)
    assert list(zip(frame["key"], frame["label"], strict=True)) == [("7", 1), ("8", 1)]
    assert frame.schema["label"] == kind


FACTS = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.booleans(), st.integers(0, 6)), max_size=8)


@settings(deadline=None, max_examples=50)
@given(FACTS, FACTS, st.integers(-1, 7))
def test_labels_and_feedback_as_by_hand(facts: list[Fact], given_: list[Fact], now: int) -> None:
    expected: dict[str, bool] = {}
    for key, value, minutes in sorted([*facts, *given_], key=lambda fact: fact[2]):
        if minutes <= now and value is not None:
            expected[key] = value
    at = NOON + timedelta(minutes=now)
    frame = join_labels(predictions(*"abc"), labels(*facts), CORRECTED, at, told(*given_))
    assert list(zip(frame["key"], frame["label"], strict=True)) == [
        (key, expected[key]) for key in "abc" if key in expected
    ]
    alone = join_labels(predictions(*"abc"), None, CORRECTED, at, told(*given_))
    assert alone["key"].is_in(frame["key"].implode()).all()
