"""Every measure, window and filter: online is offline is brute force, whatever is corrected, however late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import oracle, world
from tests.features.test_windows import HOW, OF_TEXT, WHERE
from tests.features.world import QUARTER_US, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.names import feature_names
from trimtab.features.offline import offline_features
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.reach import reaching
from trimtab.features.windows import WINDOWS
from trimtab.kernel.canonical import Json, canonical
from trimtab.kernel.moment import duration_us
from trimtab.kernel.source import Source
from trimtab.ports.feature_reader import FeatureBlock

Question = tuple[str | None, int | None, float]

REQUEST = (("a", "String"), ("b", "Int64"))
# A fact may move to another key; it cannot where the key of the aggregation is part of its own; two columns.
KEYS: tuple[tuple[str, ...], ...] = (("id",), ("a",), ("a", "id"), ("b", "a"))
fresh = count()


def declared(key: tuple[str, ...], spans: Sequence[int]) -> FeatureSet:
    """Every kind of window over numbers, booleans and words, with every filter; names are new."""
    source = Source("facts", pl.DataFrame, event_time="event", known_time="known", key=key)
    number = next(fresh)
    windows = [timedelta(microseconds=span * QUARTER_US) for span in spans]
    views = [
        aggregate(
            source,
            by=by,
            of=of,
            windows=windows,
            how=OF_TEXT if of == "word" else HOW,
            window_on=window_on,
            where=WHERE[where][0],
            name=f"{of}_{window_on}_{number}",
        )
        for window_on in sorted(WINDOWS)
        for by, of, where in (
            ("a", "x", "all rows"),
            (["b", "a"], "flag", "an expression"),
            ("a", "word", "a boolean column"),
        )
    ]
    return FeatureSet(tuple(views), {source.name: source})


def expected(view: Aggregation, rows: Sequence[Row], question: Question) -> tuple[list[Json], int | None]:
    """Values and age by brute force."""
    a, b, at = question
    asked: dict[str, Json] = {"a": a, "b": b}
    where = next(meant for given_, meant in WHERE.values() if given_ is view.where)
    facts = world.facts(rows, view.by, [view.of], key=view.source.keys, where=where)
    entity = tuple(asked[name] for name in view.by)
    cells = [
        oracle.measured(
            how, oracle.in_window(facts, entity, world.us(at), duration_us(span), view.window_on), entity
        )
        for span in view.windows
        for how in view.how
    ]
    return cells, oracle.age_of_window(facts, entity, world.us(at), duration_us(view.span))


def online(features: FeatureSet, store: LmdbWriter, questions: Sequence[Question]) -> FeatureBlock:
    request = pl.Schema({"a": pl.String(), "b": pl.Int64()})
    names = feature_names(features, request, {"facts": world.ROW})
    rows: list[dict[str, Json]] = [{"a": a, "b": b} for a, b, _ in questions]
    return OnlineFeatures(features, names, REQUEST, store).read(rows, [world.us(at) for *_, at in questions])


def assert_all_equal(
    features: FeatureSet,
    store: LmdbWriter,
    versions: HeldVersions,
    rows: Sequence[Row],
    questions: Sequence[Question],
) -> FeatureBlock:
    asked = world.asked(questions)
    since = asked["at"].min()
    assert isinstance(since, datetime)
    offline = offline_features(features, asked, "at", versions.frame)
    assert offline_features(features, asked, "at", reaching(features, versions.frame, since)).equals(offline)
    block = online(features, store, questions)
    views = [view for view in features.stored if isinstance(view, Aggregation)]
    for question, served, ages, computed in zip(
        questions, block.values, block.ages_us, offline.rows(), strict=True
    ):
        assert canonical(served) == canonical(list(computed)), question
        told = [expected(view, rows, question) for view in views]
        assert ages == [age for _, age in told], question
        for name, cell, value in zip(
            offline.columns, served, [cell for cells, _ in told for cell in cells], strict=True
        ):
            if isinstance(cell, float) and isinstance(value, float):
                assert math.isclose(cell, value, rel_tol=1e-9, abs_tol=1e-9), (name, question)
            else:
                assert cell == value, (name, question)
                assert type(cell) is type(value), (name, question)
    return block


ordinary = (
    world.eighths | st.floats(-1e6, 1e6) | st.sampled_from([0.1, -0.0, float("nan"), float("inf"), 1e9 + 0.5])
)
worlds = st.tuples(
    world.rows(ordinary, most=18),
    st.lists(world.quarters, min_size=1, max_size=5),
    st.lists(
        st.tuples(world.places | st.just("LGA"), world.gates, st.integers(0, 24) | st.just(world.MICRO)),
        min_size=1,
        max_size=6,
    ),
)


def hold(
    stores: tuple[LmdbWriter, LmdbWriter],
    made: tuple[list[Row], list[float], list[Question]],
    key: tuple[str, ...],
    spans: list[int],
    keep: int,
) -> None:
    rows, cuts, backwards = made
    versions = HeldVersions(rows, cuts)
    features = declared(key, spans)
    each, end = (Materialise(one, versions, timedelta(microseconds=keep * QUARTER_US)) for one in stores)
    newest = versions.newest
    for number in range(1, newest + 1):
        versions.newest = number
        each(features)
        assert each(features) == []
        until = (versions.known_until_us("facts", number) - world.START_US) / QUARTER_US
        # What a version's instant does not know yet is not in it; a question after it may ask all the same.
        held = world.arrived([one for one in rows if world.us(one.known) <= world.us(until)])
        questions = [(a, b, until - min(back, keep)) for a, b, back in backwards]
        questions += [(a, b, until + back) for a, b, back in backwards[:2]]
        block = assert_all_equal(features, stores[0], versions, held, questions)
    if newest:
        end(features)
        assert online(features, stores[1], questions) == block


lives = given(
    made=worlds,
    key=st.sampled_from(KEYS),
    spans=st.lists(st.integers(1, 30), min_size=1, max_size=2, unique=True),
    keep=st.integers(1, 24),
)


@settings(max_examples=120, deadline=None)
@lives
def test_online_is_offline_is_brute_force(stores: tuple[LmdbWriter, LmdbWriter], **life: Any) -> None:
    hold(stores, **life)


@pytest.mark.slow
@pytest.mark.timeout(2400)
@settings(max_examples=3000, deadline=None)
@lives
def test_online_is_offline_is_brute_force_at_length(stores: tuple[LmdbWriter, LmdbWriter], **life: Any) -> None:
    hold(stores, **life)
