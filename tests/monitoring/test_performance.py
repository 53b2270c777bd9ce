"""Measured by calendar month of a zone: each row in its month, each month in one piece, whatever the clocks do."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from trimtab.kernel.evidence import Evidence
from trimtab.kernel.moment import from_us, to_us
from trimtab.monitoring.monitors import Performance, performance
from trimtab.monitoring.scores import ANSWERED
from trimtab.serving.log_reader import FRAME_SCHEMA

# In Asuncion and Havana the clocks have changed at midnight on the first of a month.
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Asuncion", "America/Havana"]
TIME = pl.Datetime("us", "UTC")

Row = tuple[datetime, str, float, bool]
SCORES = [0.1, 0.25, 0.5, 0.75, 0.9]
Beside = dict[str, float]  # releases that scored a row and did not answer it


def labelled(rows: list[Row], beside: list[Beside] | None = None) -> pl.DataFrame:
    schema: dict[str, pl.DataType] = {
        "at": TIME,
        "release": pl.String(),
        "score": pl.Float64(),
        "label": pl.Boolean(),
    }
    others = [
        [{"release": name, "score": score} for name, score in one.items()] for one in beside or [{}] * len(rows)
    ]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.Series("others", others, FRAME_SCHEMA["others"]))


def month(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def first_instant(year: int, number: int, zone: str) -> int:
    """By looking: the first hour-quarter whose local month is this one."""
    at = datetime(year, number, 1, tzinfo=UTC) - timedelta(days=1)
    while month(at, zone) != f"{year}-{number:02d}":
        at += timedelta(minutes=15)
    return to_us(at)


def some_rows(days: int, per_day: int = 6, release: str = "aaa", seed: int = 0) -> list[Row]:
    generator = np.random.default_rng(seed)
    start = datetime(2013, 3, 20, 0, 30, tzinfo=UTC)
    return [
        (start + timedelta(days=day, hours=4 * one), release, float(generator.uniform(0.05, 0.95)), one % 2 == 0)
        for day in range(days)
        for one in range(per_day)
    ]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 95 * 1440).map(lambda n: datetime(2017, 8, 30, tzinfo=UTC) + timedelta(minutes=n))
            | st.integers(-40, 40).map(lambda n: datetime(2017, 10, 1, 4, tzinfo=UTC) + timedelta(minutes=3 * n))
            | st.integers(-40, 40).map(lambda n: datetime(2017, 11, 1, 4, tzinfo=UTC) + timedelta(minutes=3 * n)),
            st.sampled_from(["aaa", "aaa", "bbb"]),
            st.sampled_from(SCORES),
            st.booleans(),
            st.dictionaries(st.sampled_from(["aaa", "bbb", "ccc"]), st.sampled_from(SCORES), max_size=3),
        ),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(ZONES),
)
def test_every_row_in_its_own_month_by_each_release_that_scored_all_of_them(
    drawn: list[tuple[datetime, str, float, bool, Beside]], zone: str
) -> None:
    """What users got goes without a release's name, where several answered."""
    scores: dict[tuple[str, str], list[tuple[Row, float | None]]] = defaultdict(list)
    for at, release, score, label, beside in drawn:
        beside.pop(release, None)
        said = {**beside, release: score}
        for name in ("aaa", "bbb", "ccc"):
            scores[month(at, zone), name].append(((at, release, score, label), said.get(name)))
        scores[month(at, zone), ANSWERED].append(((at, release, score, label), score))
    groups = {
        (named, by): scored
        for (named, by), scored in scores.items()
        if all(score is not None for _, score in scored)
        and (by != ANSWERED or len({row[1] for row, _ in scored}) > 1)
    }
    found = performance("log_loss", zone=zone).measure(
        "s", labelled([one[:4] for one in drawn], [one[4] for one in drawn])
    )
    assert [one.since_us for one in found] == sorted(one.since_us for one in found)
    assert sorted((month(from_us(one.since_us), zone), one.release) for one in found) == sorted(groups)
    for one in found:
        inside = groups[month(from_us(one.since_us), zone), one.release]
        rows = [row for row, _ in inside]
        assert one.rows == len(rows)
        assert all(one.since_us <= to_us(row[0]) < one.until_us for row in rows)
        assert one.blocks == len({row[0].astimezone(ZoneInfo(zone)).date() for row in rows})
        expected = log_loss([row[3] for row in rows], [score for _, score in inside], labels=[False, True])
        assert one.value == pytest.approx(expected, abs=1e-12)
        assert month(from_us(one.since_us - 1), zone) < month(from_us(one.since_us), zone)
        assert month(from_us(one.until_us - 1), zone) == month(from_us(one.since_us), zone)
        assert month(from_us(one.until_us), zone) > month(from_us(one.since_us), zone)


@pytest.mark.parametrize(
    ("zone", "year", "number"),
    [
        ("America/New_York", 2013, 3),
        ("America/New_York", 2013, 11),
        ("Australia/Lord_Howe", 2013, 4),
        ("America/Asuncion", 2017, 10),  # its first hour does not exist
        ("America/Havana", 2020, 11),  # its first hour comes twice
        ("Asia/Kathmandu", 2013, 1),
    ],
)
def test_months_begin_with_their_first_instant(zone: str, year: int, number: int) -> None:
    monitor = performance("log_loss", zone=zone, settle="1m")
    begins = first_instant(year, number, zone)
    rows: list[Row] = [
        (from_us(begins + minutes * 60_000_000), "aaa", 0.5, True) for minutes in (-90, -1, 0, 1, 59, 61, 119, 5000)
    ]
    before, after = monitor.measure("s", labelled(rows))
    assert (before.rows, after.rows) == (2, 6)
    assert before.until_us == after.since_us == begins
    settled_at = from_us(begins + 60_000_000)
    assert to_us(monitor.settled(settled_at)) == begins
    assert to_us(monitor.settled(settled_at - timedelta(microseconds=1))) == before.since_us
    for minutes in range(0, 240, 15):
        assert to_us(monitor.settled(settled_at + timedelta(minutes=minutes))) == begins


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 2975 * 1440).map(lambda n: datetime(2012, 12, 1, tzinfo=UTC) + timedelta(minutes=n)),
    st.sampled_from(ZONES),
    st.sampled_from(["1s", "12h", "3d"]),
)
def test_what_has_settled_never_moves_back_and_ends_a_month(at: datetime, zone: str, settle: str) -> None:
    monitor = performance("roc_auc", zone=zone, settle=settle)
    settled = monitor.settled(at)
    waited = at - {"1s": timedelta(seconds=1), "12h": timedelta(hours=12), "3d": timedelta(days=3)}[settle]
    assert settled <= waited
    assert month(settled, zone) == month(waited, zone)
    assert month(settled - timedelta(microseconds=1), zone) < month(settled, zone)
    assert monitor.settled(at - timedelta(minutes=7)) <= settled
    assert settled.tzinfo is UTC


def test_the_values_are_those_of_scikit_learn() -> None:
    rows = some_rows(40)
    for one in performance("roc_auc").measure("s", labelled(rows)):
        inside = [row for row in rows if one.since_us <= to_us(row[0]) < one.until_us]
        assert one.value == pytest.approx(roc_auc_score([row[3] for row in inside], [row[2] for row in inside]))
        assert one.low <= one.value <= one.high
        assert (one.system, one.metric, one.confidence) == ("s", "roc_auc", 0.95)


def test_releases_that_score_the_same_rows_are_measured_on_the_same_rows() -> None:
    """A frozen shadow beside a champion that changes in mid-month: three lines of evidence, each of all rows."""
    rows = some_rows(10)
    other = [score for _, _, score, _ in some_rows(10, seed=1)]
    half = len(rows) // 2
    answered = [
        (at, "aaa" if n < half else "bbb", s if n < half else other[n], y) for n, (at, _, s, y) in enumerate(rows)
    ]
    beside = [{"bbb": other[n]} if n < half else {"aaa": rows[n][2]} for n in range(len(rows))]
    users, first, second = performance("roc_auc").measure("s", labelled(answered, beside))
    assert [one.release for one in (users, first, second)] == [ANSWERED, "aaa", "bbb"]
    assert [first] == performance("roc_auc").measure("s", labelled(rows))
    alone = [(at, "bbb", other[n], y) for n, (at, _, _, y) in enumerate(rows)]
    assert [second] == performance("roc_auc").measure("s", labelled(alone))
    assert users.value == pytest.approx(roc_auc_score([row[3] for row in answered], [row[2] for row in answered]))
    assert len({one.value for one in (users, first, second)}) == 3


def test_a_release_that_missed_a_row_is_not_measured() -> None:
    """Its rows are not those of the others: a canary of a part of the month may have had the better days."""
    rows = some_rows(10)
    beside: list[Beside] = [{"bbb": 0.5, "ccc": 0.4} for _ in rows]
    beside[-1].pop("ccc")
    found = performance("log_loss").measure("s", labelled(rows, beside))
    assert [one.release for one in found] == ["aaa", "bbb"]


def test_the_order_of_rows_does_not_matter() -> None:
    rows = some_rows(40)
    frame = labelled(rows)
    monitor = performance("log_loss", zone="America/New_York")
    for first, second in zip(
        monitor.measure("s", frame),
        monitor.measure("s", frame.sample(fraction=1, shuffle=True, seed=1)),
        strict=True,
    ):
        assert (first.value, first.low, first.high) == pytest.approx((second.value, second.low, second.high))
        assert (first.since_us, first.rows, first.blocks) == (second.since_us, second.rows, second.blocks)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_single_day_or_a_single_class_is_said_to_be_uncertain(metric: str) -> None:
    (one_day,) = performance(metric).measure("s", labelled(some_rows(1, per_day=4)))
    assert (one_day.low, one_day.high, one_day.blocks) == (-math.inf, math.inf, 1)
    always = [(at, release, score, True) for at, release, score, _ in some_rows(10)]
    (one_class,) = performance(metric).measure("s", labelled(always))
    assert math.isnan(one_class.value) == (metric == "roc_auc")
    assert isinstance(one_class, Evidence)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"metric": "accuracy"}, "accuracy"),
        ({"settle": "soon"}, "'soon'"),
        ({"settle": "0h"}, "'0h'"),
        ({"zone": "New York"}, "'New York'"),
    ],
)
def test_settings_that_cannot_work_are_named(wrong: dict[str, str], got: str) -> None:
    monitor = performance(**{"metric": "roc_auc", **wrong})
    (problem,) = monitor.problems()
    assert problem.got == got
    assert problem.where.startswith("test_performance.py:")
    assert problem.allowed and problem.do


def test_settings_that_work_have_no_problem() -> None:
    assert list(performance("log_loss", zone="Europe/Berlin", settle="36h").problems()) == []
    assert isinstance(performance("log_loss"), Performance)
