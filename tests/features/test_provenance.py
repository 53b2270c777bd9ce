"""Where values came from, against the oracle: exactly the rows that decided them, and the versions of those."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import oracle, world
from tests.features.world import QUARTER_US, SOURCE, HeldVersions, Row

from trimtab.features.aggregation import aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.provenance import Provenance, provenance
from trimtab.features.view import FeatureView


def same(facts: pl.LazyFrame) -> pl.LazyFrame:
    return facts.select("a", "event", "known", "x")


def told(
    rows: list[Row], question: tuple[str | None, int | None, float], window_on: str, span: int
) -> list[Provenance]:
    sums = aggregate(
        SOURCE,
        by="a",
        of="x",
        windows=[timedelta(microseconds=span * QUARTER_US)],
        how=["count"],
        window_on=window_on,
    )
    view = FeatureView("newest", same, SOURCE.name, ("a",), timedelta(microseconds=span * QUARTER_US), "", "here:1")
    asked = world.asked([question])
    versions = HeldVersions(rows, range(world.LAST + 1))
    return provenance(
        FeatureSet((view, sums), {SOURCE.name: SOURCE}), asked.drop("at"), asked["at"][0], versions.frame
    )


@settings(max_examples=80, deadline=None)
@given(
    rows=world.rows(world.floats),
    question=st.tuples(world.places, world.gates, world.quarters),
    window_on=st.sampled_from(["known_time", "event_time"]),
    span=st.integers(1, 30),
)
def test_the_rows_behind_values_are_those_of_the_oracle(
    rows: list[Row], question: tuple[str | None, int | None, float], window_on: str, span: int
) -> None:
    newest, window = told(rows, question, window_on, span)
    arrived = sorted(rows, key=lambda one: (one.known, one.event))
    entity, at_us, span_us = (question[0],), world.us(question[2]), span * QUARTER_US
    facts = world.facts(arrived, ["a"], ["x"])
    counted = [] if question[0] is None else oracle.in_window(facts, entity, at_us, span_us, window_on)
    assert window.rows == len(counted)
    values, _ = oracle.newest_known(facts, entity, at_us, span_us)
    # An exact duplicate of the newest fact is shown beside it: nothing tells the two apart.
    assert (newest.rows > 0) == (values is not None)
    if values is not None:
        assert repr(newest.shown[-1]["x"]) == repr(values[0])
    for one in (newest, window):
        assert len(one.shown) == min(one.rows, 3)
        assert bool(one.versions) == bool(one.rows)
        assert "_version" not in "".join(key for row in one.shown for key in row)


def test_rows_that_a_filter_leaves_out_and_former_versions_are_not_shown() -> None:
    rows = [
        Row("JFK", None, 1, 1, 1.0, True, "a", 1),
        Row("JFK", None, 2, 3, 5.0, True, "b", 1),  # the same fact, corrected
        Row("JFK", None, 2, 2, 9.0, False, "c", 2),
    ]
    words = aggregate(SOURCE, by="a", of="word", windows=["12h"], how=["distinct"], where="flag", name="words")
    versions = HeldVersions(rows, range(world.LAST + 1))
    asked = world.asked([("JFK", None, 4)])
    [window] = provenance(
        FeatureSet((words,), {SOURCE.name: SOURCE}), asked.drop("at"), asked["at"][0], versions.frame
    )
    assert [(row["x"], row["word"]) for row in window.shown] == [(5.0, "b")]
