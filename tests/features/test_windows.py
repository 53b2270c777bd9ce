"""Window aggregations against brute force: both kinds, any delay, any tie."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import oracle, world
from tests.features.world import QUARTER_US, SOURCE, Row

from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.corrections import with_corrections
from trimtab.features.measures import MEASURES
from trimtab.features.window_values import aggregation_values
from trimtab.features.windows import WINDOWS
from trimtab.kernel.canonical import Json

KINDS = sorted(WINDOWS)
HOW = [*sorted(MEASURES), "p1", "p50", "p95", "p99.9"]
OF_TEXT = [how for how, one in sorted(MEASURES.items()) if one.text]
PLAIN = ["count", "mean", "sum"]
Question = tuple[str | None, int | None, float]


def aggregation(
    by: list[str],
    of: str,
    spans: list[int],
    window_on: str,
    how: list[str] = PLAIN,
    where: str | pl.Expr | None = None,
) -> Aggregation:
    windows = [timedelta(microseconds=span * QUARTER_US) for span in spans]
    return aggregate(SOURCE, by=by, of=of, windows=windows, how=how, window_on=window_on, where=where)


def answers(view: Aggregation, questions: list[Question], rows: pl.DataFrame) -> pl.DataFrame:
    return aggregation_values(view, world.asked(questions), "at", with_corrections(view.source, rows))


def expected(
    view: Aggregation, rows: list[Row], entity: tuple[Json, ...], at: float, where: Callable[[Row], bool | None]
) -> list[Json]:
    facts = world.facts(rows, view.by, [view.of], where=where)
    out = []
    for span in view.windows:
        span_us = span // timedelta(microseconds=1)
        values = oracle.in_window(facts, entity, world.us(at), span_us, view.window_on)
        out += [oracle.measured(how, values, entity) for how in view.how]
    return out


def close(found: Json, value: Json) -> bool:
    if isinstance(found, float) and isinstance(value, float):
        # A percentile between two values that nearly cancel has the error of the larger one.
        return math.isclose(found, value, rel_tol=1e-12, abs_tol=1e-12)
    return found == value and type(found) is type(value)


def everything(_: Row) -> bool:
    return True


WHERE: dict[str, tuple[str | pl.Expr | None, Callable[[Row], bool | None]]] = {
    "all rows": (None, everything),
    "a boolean column": ("flag", lambda one: one.flag),
    "an expression": (
        (pl.col("word") == "p") | pl.col("x").is_between(-1, 1),
        lambda one: one.word == "p" or (one.x is not None and -1 <= one.x <= 1),
    ),
}


@pytest.mark.parametrize("window_on", KINDS)
@pytest.mark.parametrize("of", ["x", "flag", "word"])
@settings(max_examples=150, deadline=None)
@given(
    rows=world.rows(world.eighths),
    questions=world.questions,
    by=st.sampled_from([["a"], ["b"], ["a", "b"]]),
    spans=st.lists(st.integers(1, 50), min_size=1, max_size=3, unique=True),
    where=st.sampled_from(sorted(WHERE)),
)
def test_equals_brute_force(
    window_on: str,
    of: str,
    rows: list[Row],
    questions: list[Question],
    by: list[str],
    spans: list[int],
    where: str,
) -> None:
    declared, meant = WHERE[where]
    view = aggregation(by, of, spans, window_on, OF_TEXT if of == "word" else HOW, declared)
    found = answers(view, questions, world.frame(rows))
    assert tuple(found.columns) == view.columns
    for (a, b, at), row in zip(questions, found.iter_rows(), strict=True):
        values: dict[str, Json] = {"a": a, "b": b}
        told = expected(view, rows, tuple(values[name] for name in by), at, meant)
        for name, cell, value in zip(found.columns, row, told, strict=True):
            plain = not name.startswith(("std", "p"))
            assert (cell == value and type(cell) is type(value)) if plain else close(cell, value), (
                name,
                cell,
                value,
            )


@pytest.mark.parametrize("window_on", KINDS)
@settings(max_examples=100, deadline=None)
@given(rows=world.rows(world.floats), questions=world.questions, span=st.integers(1, 50))
def test_floats_are_summed_to_the_last_place_and_what_is_not_finite_does_not_count(
    window_on: str, rows: list[Row], questions: list[Question], span: int
) -> None:
    view = aggregation(["a"], "x", [span], window_on, [*PLAIN, "std", "min", "max", "last", "distinct"])
    found = answers(view, questions, world.frame(rows))
    for (a, _, at), row in zip(questions, found.iter_rows(), strict=True):
        for name, cell, value in zip(found.columns, row, expected(view, rows, (a,), at, everything), strict=True):
            assert (cell is None) == (value is None), name
            if cell is not None:
                assert isinstance(value, float)
                assert abs(cell - value) <= 2 * math.ulp(value), name


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
    found = answers(view, [("JFK", None, at)], world.frame(rows))
    assert found["count_1h"].to_list() == [count]


@pytest.mark.parametrize("window_on", KINDS)
def test_a_key_that_no_row_has_counts_zero_and_has_no_mean(window_on: str) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    found = answers(view, [("LGA", None, 5), (None, None, 5), ("JFK", None, 5)], world.frame([row(5, 5, 2.0)]))
    assert found.rows() == [(0.0, None, 0.0), (None, None, None), (1.0, 2.0, 2.0)]


@pytest.mark.parametrize("window_on", KINDS)
def test_one_infinite_value_does_not_poison_the_others(window_on: str) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    rows = [row(1, 1, float("inf")), row(2, 2, float("nan")), row(3, 3, 2.0), row(9, 9, 4.0)]
    found = answers(view, [("JFK", None, 3), ("JFK", None, 9)], world.frame(rows))
    assert found["sum_1h"].to_list() == [2.0, 4.0]


@pytest.mark.parametrize("window_on", KINDS)
def test_keys_of_other_widths_are_the_same_keys(window_on: str) -> None:
    view = aggregation(["b"], "x", [4], window_on)
    rows = world.frame([Row(None, 2, 5, 5, 1.0, None, None)]).cast({"b": pl.Int16})
    found = answers(view, [("JFK", 2, 5)], rows)
    assert found["count_1h"].to_list() == [1.0]


@pytest.mark.parametrize("window_on", KINDS)
def test_no_rows_and_no_questions(window_on: str) -> None:
    view = aggregation(["a"], "x", [4], window_on)
    assert answers(view, [("JFK", 1, 5)], world.frame([])).rows() == [(0.0, None, 0.0)]
    assert answers(view, [], world.frame([row(1, 1)])).rows() == []
