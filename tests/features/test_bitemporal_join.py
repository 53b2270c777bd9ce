"""The bitemporal join against brute force, and the examples that people get wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import oracle, world
from tests.features.world import Row

from trimtab.features.bitemporal_join import Questions, VisibleFacts
from trimtab.kernel.moment import from_us

VALUES = ("x", "flag", "word")


def joined(
    rows: list[Row],
    questions: list[tuple[str | None, int | None, float]],
    by: list[str],
    max_age: timedelta | None,
) -> list[tuple[object, ...]]:
    asked = world.asked(questions)
    facts = world.frame(rows).select(*by, "event", "known", *VALUES)
    out = VisibleFacts.of(facts, by=by, event="event", known="known").newest(Questions(asked, by, "at"), max_age)
    answered = pl.concat([asked, out], how="horizontal")
    return answered.select("a", "b", "at", *VALUES).rows()


@settings(max_examples=300, deadline=None)
@given(
    rows=world.rows(world.eighths),
    questions=world.questions,
    by=st.sampled_from([["a"], ["b"], ["a", "b"]]),
    max_age=st.none() | st.integers(1, 12),
)
def test_equals_brute_force(
    rows: list[Row],
    questions: list[tuple[str | None, int | None, float]],
    by: list[str],
    max_age: int | None,
) -> None:
    max_age_us = None if max_age is None else max_age * world.QUARTER_US
    span = None if max_age_us is None else timedelta(microseconds=max_age_us)
    found = joined(rows, questions, by, span)
    facts = world.facts(rows, by, VALUES)
    for (a, b, at), row in zip(questions, found, strict=True):
        entity = tuple({"a": a, "b": b}[name] for name in by)
        values, _ = oracle.newest_known(facts, entity, world.us(at), max_age_us)
        assert row == (a, b, world.asked([(a, b, at)])["at"][0], *(values or (None, None, None)))


def fact(event: float, known: float, x: float) -> Row:
    return Row("JFK", None, event, known, x, None, None)


@pytest.mark.parametrize(
    ("rows", "at", "expected"),
    [
        pytest.param([fact(1, 5, 1.0)], 4, None, id="true, but not known yet"),
        pytest.param([fact(1, 5, 1.0)], 5, 1.0, id="known at that very instant"),
        pytest.param([fact(5, 1, 1.0)], 4, None, id="a forecast is not a fact before its time"),
        pytest.param([fact(5, 1, 1.0)], 5, 1.0, id="a forecast, when its time has come"),
        pytest.param([fact(3, 3, 1.0), fact(1, 4, 2.0)], 6, 1.0, id="late news of the past change nothing"),
        pytest.param([fact(3, 3, 1.0), fact(3, 5, 2.0)], 4, 1.0, id="a correction that is not known yet"),
        pytest.param([fact(3, 3, 1.0), fact(3, 5, 2.0)], 5, 2.0, id="a correction, once known"),
        pytest.param([fact(3, 5, 2.0), fact(3, 3, 1.0)], 9, 2.0, id="a correction, whatever the order of arrival"),
        pytest.param([fact(3, 3, 1.0), fact(3 - world.MICRO, 5, 2.0)], 9, 1.0, id="late by a microsecond"),
        pytest.param([fact(3, 3, 1.0), fact(3, 3, 2.0)], 3, 2.0, id="of exact duplicates the last to arrive"),
        pytest.param([fact(3, 1, 1.0), fact(3, 2, 2.0)], 3, 2.0, id="of two forecasts the one known last"),
        pytest.param([fact(3, 2, 2.0), fact(3, 1, 1.0)], 3, 2.0, id="of two forecasts, whatever the order"),
    ],
)
def test_examples(rows: list[Row], at: int, expected: float | None) -> None:
    [row] = joined(rows, [("JFK", None, at)], ["a"], None)
    assert row[3] == expected


def test_an_old_fact_hides_an_older_one() -> None:
    rows = [Row("JFK", None, 0, 9, 1.0, None, None), Row("JFK", None, 4, 4, 2.0, None, None)]
    [row] = joined(rows, [("JFK", None, 9)], ["a"], timedelta(microseconds=3 * world.QUARTER_US))
    assert row[3:] == (None, None, None)


def test_an_age_of_exactly_the_limit_is_fresh_enough() -> None:
    rows = [fact(2, 2, 1.0)]
    limit = timedelta(microseconds=4 * world.QUARTER_US)
    found = joined(rows, [("JFK", None, 6), ("JFK", None, 7)], ["a"], limit)
    assert [row[3] for row in found] == [1.0, None]


def test_the_hour_that_comes_twice() -> None:
    # 01:30 in New York, first in summer time and an hour later in winter time.
    first, second = datetime(2013, 11, 3, 5, 30, tzinfo=UTC), datetime(2013, 11, 3, 6, 30, tzinfo=UTC)
    facts = pl.DataFrame({"a": ["JFK"] * 2, "event": [first, second], "known": [first, second], "x": [1, 2]})
    asked = pl.DataFrame({"a": ["JFK"] * 4, "at": [first, first + timedelta(minutes=59), second, second]})
    for local in (False, True):
        if local:
            facts = facts.with_columns(pl.col("event", "known").dt.convert_time_zone("America/New_York"))
            asked = asked.with_columns(pl.col("at").dt.convert_time_zone("America/New_York"))
        out = VisibleFacts.of(facts, by=["a"], event="event", known="known").newest(
            Questions(asked, ["a"], "at"), None
        )
        assert out["x"].to_list() == [1, 1, 2, 2]


def test_no_facts_and_no_questions() -> None:
    assert joined([], [("JFK", 1, 3)], ["a"], None)[0][3:] == (None, None, None)
    assert joined([fact(1, 1, 1.0)], [], ["a"], None) == []


@settings(max_examples=200, deadline=None)
@given(
    rows=world.rows(world.eighths),
    questions=world.questions,
    edges=st.lists(st.integers(0, 40), max_size=3),
    together=st.booleans(),
)
def test_facts_in_parts_are_those_of_the_whole(
    rows: list[Row], questions: list[tuple[str | None, int | None, float]], edges: list[int], together: bool
) -> None:
    asked, facts = world.asked(questions), world.frame(rows).select("a", "b", "event", "known", *VALUES)
    facts = facts.with_columns(pl.struct(VALUES).alias("nested"), pl.concat_list(pl.col(VALUES[0])).alias("many"))
    whole = VisibleFacts.of(facts, by=["a", "b"], event="event", known="known")
    bounds = [from_us(world.us(edge)) for edge in sorted(edges)]
    later = [pl.col("known") > edge for edge in bounds]
    parts = [
        VisibleFacts.of(facts.filter(since, ~until), by=["a", "b"], event="event", known="known")
        for since, until in zip([pl.lit(True), *later], [*later, pl.lit(False)], strict=True)
    ]
    found = VisibleFacts.together(parts)
    if together:
        found = VisibleFacts.in_order(found.in_one(), ["a", "b"])
    at = Questions(asked, ["a", "b"], "at")
    assert found.newest(at, None).equals(whole.newest(at, None))
