"""The same fact, known again: each window counts it once, as it was known at the question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.features import world
from tests.features.test_windows import HOW, answers
from tests.features.world import QUARTER_US, SOURCE, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.corrections import corrected_us
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.online_events import decode_events
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.online_memory import memory_key
from trimtab.features.windows import WINDOWS
from trimtab.features.windows.events import NEVER
from trimtab.kernel.canonical import Json

REQUEST = (("a", "String"), ("b", "Int64"))
KINDS = sorted(WINDOWS)


def view(window_on: str, how: Sequence[str] = ("count", "sum"), span: int = 8, by: str = "a") -> Aggregation:
    windows = [timedelta(microseconds=span * QUARTER_US)]
    return aggregate(SOURCE, by=by, of="x", windows=windows, how=how, window_on=window_on, name=window_on)


def version(known: float, x: float | None, *, a: str = "JFK", event: float = 2, id: int | None = 1) -> Row:
    return Row(a, 1, event, known, x, None, None, id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbWriter]:
    store = LmdbWriter(tmp_path)
    yield store
    store.close()


def served(one: Aggregation, store: LmdbWriter, at: float, a: str = "JFK") -> list[Json]:
    features = FeatureSet((one,), {SOURCE.name: SOURCE})
    names = [f"{one.name}.{column}" for column in one.columns]
    [row] = OnlineFeatures(features, names, REQUEST, store).read([{"a": a, "b": 1}], [world.us(at)]).values
    return list(row)


def project(one: Aggregation, store: LmdbWriter, versions: HeldVersions, keep: int = 40) -> list[str]:
    kept = timedelta(microseconds=keep * QUARTER_US)
    return Materialise(store, versions, kept)(FeatureSet((one,), {SOURCE.name: SOURCE}))


# rows, then by question (place and instant) the count and the sum on known time and on event time
EXAMPLES: dict[str, tuple[list[Row], dict[tuple[str, float], tuple[list[Json], list[Json]]]]] = {
    "another value": (
        [version(3, 1.0), version(5, 10.0)],
        {
            ("JFK", 4): ([1.0, 1.0], [1.0, 1.0]),
            ("JFK", 5 - world.MICRO): ([1.0, 1.0], [1.0, 1.0]),
            ("JFK", 5): ([1.0, 10.0], [1.0, 10.0]),
            ("JFK", 12): ([1.0, 10.0], [0.0, 0.0]),  # on known time, it is of the correction's time
            ("JFK", 13): ([0.0, 0.0], [0.0, 0.0]),
        },
    ),
    "another key": (
        [version(3, 1.0), version(5, 10.0, a="EWR")],
        {
            ("JFK", 4): ([1.0, 1.0], [1.0, 1.0]),
            ("EWR", 4): ([0.0, 0.0], [0.0, 0.0]),
            ("JFK", 6): ([0.0, 0.0], [0.0, 0.0]),
            ("EWR", 6): ([1.0, 10.0], [1.0, 10.0]),
        },
    ),
    "no value": (
        [version(3, 1.0), version(5, None), version(7, 2.0)],
        {
            ("JFK", 4): ([1.0, 1.0], [1.0, 1.0]),
            ("JFK", 6): ([0.0, 0.0], [0.0, 0.0]),
            ("JFK", 7): ([1.0, 2.0], [1.0, 2.0]),
        },
    ),
    "another event time": (
        [version(3, 1.0), version(5, 1.0, event=20)],
        {
            ("JFK", 4): ([1.0, 1.0], [1.0, 1.0]),
            ("JFK", 6): ([1.0, 1.0], [0.0, 0.0]),
            ("JFK", 20): ([0.0, 0.0], [1.0, 1.0]),
        },
    ),
    "of the same known time, the one that arrived last": (
        [version(3, 1.0), version(3, 2.0)],
        {("JFK", 3): ([1.0, 2.0], [1.0, 2.0])},
    ),
    "a plain duplicate": ([version(3, 1.0)] * 3, {("JFK", 3): ([1.0, 1.0], [1.0, 1.0])}),
    "without a whole key, facts of their own": (
        [version(3, 1.0, id=None), version(5, 10.0, id=None)],
        {("JFK", 6): ([2.0, 11.0], [2.0, 11.0])},
    ),
    "a forecast that is put off into the past": (
        [version(3, 1.0, event=30), version(4, 1.0, event=1)],
        {("JFK", 30): ([0.0, 0.0], [0.0, 0.0])},
    ),
}


@pytest.mark.parametrize("window_on", KINDS)
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("cuts", [[39], [4, 39], [3, 4, 5, 6, 7, 39]])
def test_of_each_fact_the_newest_version_counts(
    store: LmdbWriter, name: str, window_on: str, cuts: list[int]
) -> None:
    rows, told = EXAMPLES[name]
    one = view(window_on)
    versions = HeldVersions(rows, cuts)
    newest = versions.newest
    for number in range(1, newest + 1):
        versions.newest = number
        project(one, store, versions)
    for (a, at), values in told.items():
        expected = values[KINDS[::-1].index(window_on)]
        [offline] = answers(one, [(a, 1, at)], world.frame(rows)).rows()
        assert list(offline) == expected, (a, at)
        assert served(one, store, at, a) == expected, (a, at)


def test_every_measure_honours_a_correction() -> None:
    rows = [version(3, 5.0), version(3, 1.0, id=2, event=3), version(4, 7.0, id=3, event=1), version(6, 2.0)]
    one = view("event_time", HOW)
    before, after = answers(one, [("JFK", 1, 5), ("JFK", 1, 6)], world.frame(rows)).to_dicts()
    names = {how: f"{how}_2h" for how in HOW}
    assert [before[names[how]] for how in ("min", "max", "last", "p50", "distinct")] == [1.0, 7.0, 1.0, 5.0, 3.0]
    assert [after[names[how]] for how in ("min", "max", "last", "p50", "distinct")] == [1.0, 7.0, 1.0, 2.0, 3.0]
    assert [before[names["std"]], after[names["std"]]] == pytest.approx(
        [np.std([5, 1, 7], ddof=1), np.std([1, 7, 2], ddof=1)]
    )


def test_what_is_kept_is_bounded_however_often_facts_are_corrected(store: LmdbWriter) -> None:
    keep, span = 8, 4
    rows = [
        version(number + again / 4, float(again), event=number, id=number, a="JFK" if again % 2 else "EWR")
        for number in range(200)
        for again in range(4)
    ]
    one = view("known_time", span=span)
    versions = HeldVersions(rows, range(200))
    newest = versions.newest
    for number in range(1, newest + 1, 3):
        versions.newest = number
        project(one, store, versions, keep)
    lists = store.get([codec.key(one.version, [a]) for a in ("JFK", "EWR")])
    # Two versions of each fact in each list; those of the last tick's predecessors are trimmed when next touched.
    assert all(len(decode_events(data).value) <= 2 * (keep + span + 3) for data in lists)
    blocks = store.get([memory_key(one.version, slot) for slot in range(20)])
    held = [len(data) for data in blocks if data]
    assert len(held) <= 6
    assert sum(held) <= 3 * (keep + span + 3) * 60
    assert served(one, store, 198) == [4.0, 12.0]


def test_two_ways_to_tell_facts_apart_stand_side_by_side(store: LmdbWriter) -> None:
    """A release goes on answering by its own key when the source is declared with another one."""
    rows = [version(3, 1.0), version(5, 10.0), version(5, 4.0, id=2)]
    by_id = view("event_time")
    each = replace(by_id, source=replace(SOURCE, key=("id", "known")))
    versions = HeldVersions(rows, [6])
    for _ in range(2):
        moved = [bool(project(one, store, versions)) for one in (by_id, each)]
        assert served(by_id, store, 6) == [2.0, 14.0]
        assert served(each, store, 6) == [3.0, 15.0]
    assert moved == [False, False]


def test_nothing_is_computed_where_no_key_repeats() -> None:
    frame = world.frame([version(3, 1.0, id=1), version(4, 1.0, id=2), version(5, 1.0, id=None)] * 1)
    assert corrected_us(frame, ("id",), "known") is None
    twice = pl.concat([frame, frame])
    until = corrected_us(twice, ("id",), "known")
    assert until is not None
    assert until.tolist() == [world.us(3), world.us(4), NEVER, NEVER, NEVER, NEVER]


@pytest.mark.parametrize("window_on", KINDS)
def test_there_is_one_zero(store: LmdbWriter, window_on: str) -> None:
    one = view(window_on, [how for how in HOW if how != "std"])
    rows = [version(3, -0.0)]
    project(one, store, HeldVersions(rows, [6]))
    [offline] = answers(one, [("JFK", 1, 6)], world.frame(rows)).rows()
    assert [str(cell) for cell in served(one, store, 6)] == [str(cell) for cell in offline]
    assert "-0.0" not in map(str, offline)
