"""Window aggregations against brute force: both kinds, any delay, any tie."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import oracle, world
from tests.features.world import QUARTER_US, SOURCE, Row

from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.measures import MEASURES
from trimtab.features.offline import aggregation_values
from trimtab.features.windows import WINDOWS

KINDS = sorted(WINDOWS)
HOW = sorted(MEASURES)


def aggregation(by: list[str], of: str, spans: list[int], window_on: str) -> Aggregation:
    windows = [timedelta(microseconds=span * QUARTER_US) for span in spans]
    return aggregate(SOURCE, by=by, of=of, windows=windows, how=HOW, window_on=window_on)


def expected(view: Aggregation, rows: list[Row], entity: tuple[object, ...], at: float) -> list[float | None]:
    facts = world.facts(rows, view.by, [view.of])
    out = []
    for span in view.windows:
        span_us = span // timedelta(microseconds=1)
        values = oracle.in_window(facts, entity, world.us(at), span_us, view.window_on)  # type: ignore[arg-type]
        out += [oracle.measured(how, values, entity) for how in view.how]  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("window_on", KINDS)
@pytest.mark.parametrize("of", ["x", "flag"])
@settings(max_examples=120, deadline=None)
@given(
    rows=world.rows(world.eighths),
    questions=world.questions,
    by=st.sampled_from([["a"], ["b"], ["a", "b"]]),
    spans=st.lists(st.integers(1, 50), min_size=1, max_size=3, unique=True),
)
def test_equals_brute_force(
    window_on: str,
    of: str,
    rows: list[Row],
    questions: list[tuple[str | None, int | None, float]],
    by: list[str],
    spans: list[int],
) -> None:
    view = aggregation(by, of, spans, window_on)
    found = aggregation_values(view, world.asked(questions), "at", world.frame(rows))
    assert tuple(found.columns) == view.columns
    for (a, b, at), row in zip(questions, found.iter_rows(), strict=True):
        entity = tuple({"a": a, "b": b}[name] for name in by)
        assert list(row) == expected(view, rows, entity, at)


@pytest.mark.parametrize("window_on", KINDS)
@settings(max_examples=80, deadline=None)
@given(rows=world.rows(world.floats), questions=world.questions, span=st.integers(1, 50))
def test_floats_are_summed_to_the_last_place_and_what_is_not_finite_does_not_count(
    window_on: str, rows: list[Row], questions: list[tuple[str | None, int | None, float]], span: int
) -> None:
    view = aggregation(["a"], "x", [span], window_on)
    found = aggregation_values(view, world.asked(questions), "at", world.frame(rows))
    for (a, _, at), row in zip(questions, found.iter_rows(), strict=True):
        for cell, value in zip(row, expected(view, rows, (a,), at), strict=True):
            assert (cell is None) == (value is None)
            if cell is not None and value is not None:
                assert abs(cell - value) <= 2 * math.ulp(value)


def row(event: int, known: int, x: float = 1.0) -> Row:
    return Row("JFK", None, event, known, x, None, None)


@pytest.mark.parametrize(
    ("window_on", "rows", "at", "count"),
    [
        pytest.param("known_time", [row(0, 6)], 10, 0, id="the window is open at its far end"),
        pytest.param("known_time", [row(0, 7)], 10, 1, id="just inside"),
        pytest.param("known_time", [row(0, 10)], 10, 1, id="closed at the question"),
        pytest.param("known_time", [row(0, 11)], 10, 0, id="known too late"),
        pytest.param("known_time", [row(20, 9)], 10, 1, id="on known time, a forecast counts when it is known"),
        pytest.param("event_time", [row(6, 6)], 10, 0, id="event: open at its far end"),
        pytest.param("event_time", [row(7, 7)], 10, 1, id="event: just inside"),
        pytest.param("event_time", [row(10, 10)], 10, 1, id="event: closed at the question"),
        pytest.param("event_time", [row(8, 11)], 10, 0, id="event: not known yet"),
        pytest.param("event_time", [row(0, 10)], 10, 0, id="event: late by more than the window"),
        pytest.param("event_time", [row(11, 3)], 10, 0, id="event: not true yet"),
        pytest.param("event_time", [row(9, 3)], 10, 1, id="event: known before it was true"),
    ],
)
def test_edges(window_on: str, rows: list[Row], at: int, count: float) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    found = aggregation_values(view, world.asked([("JFK", None, at)]), "at", world.frame(rows))
    assert found["count_1h"].to_list() == [count]


@pytest.mark.parametrize("window_on", KINDS)
def test_a_key_that_no_row_has_counts_zero_and_has_no_mean(window_on: str) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    asked = world.asked([("LGA", None, 5), (None, None, 5), ("JFK", None, 5)])
    found = aggregation_values(view, asked, "at", world.frame([row(5, 5, 2.0)]))
    assert found.rows() == [(0.0, None, 0.0), (None, None, None), (1.0, 2.0, 2.0)]


@pytest.mark.parametrize("window_on", KINDS)
def test_one_infinite_value_does_not_poison_the_others(window_on: str) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    rows = [row(1, 1, float("inf")), row(2, 2, float("nan")), row(3, 3, 2.0), row(9, 9, 4.0)]
    found = aggregation_values(view, world.asked([("JFK", None, 3), ("JFK", None, 9)]), "at", world.frame(rows))
    assert found["sum_1h"].to_list() == [2.0, 4.0]


@pytest.mark.parametrize("window_on", KINDS)
def test_keys_of_other_widths_are_the_same_keys(window_on: str) -> None:
    view = aggregation(["b"], "x", [4], window_on)
    rows = world.frame([Row(None, 2, 5, 5, 1.0, None, None)]).cast({"b": pl.Int16})
    found = aggregation_values(view, world.asked([("JFK", 2, 5)]), "at", rows)
    assert found["count_1h"].to_list() == [1.0]


@pytest.mark.parametrize("window_on", KINDS)
def test_no_rows_and_no_questions(window_on: str) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    assert aggregation_values(view, world.asked([("JFK", 1, 5)]), "at", world.frame([])).rows() == [
        (0.0, None, 0.0)
    ]
    assert aggregation_values(view, world.asked([]), "at", world.frame([row(1, 1)])).rows() == []


@pytest.mark.parametrize(("how", "values"), [("count", [2.0, 0.0]), ("sum", [3.0, 0.0]), ("mean", [1.5, np.nan])])
def test_measures(how: str, values: list[float]) -> None:
    assert set(MEASURES) == {"count", "mean", "sum"}
    found = MEASURES[how](np.array([2, 0]), np.array([3.0, 0.0]))
    np.testing.assert_array_equal(found, values)
