"""Online equals offline, to the last bit: whatever arrives, however it is cut into versions and projected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.room import Feed, Room, open_room
from tests.features import oracle, world
from tests.features.world import QUARTER_US, SOURCE, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise, SourceVersions
from trimtab.features.names import feature_names
from trimtab.features.offline import offline_features
from trimtab.features.on_request import RequestFeatures
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.reach import reaching
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json, canonical
from trimtab.kernel.source import Source
from trimtab.ports.feature_reader import FeatureBlock

Question = tuple[str | None, int | None, float]

HOUR = timedelta(hours=1)
REQUEST = (("a", "String"), ("b", "Int64"))
VALUES = ("x", "flag", "word", "tenth", "inverse")
fresh = count()


def told(facts: pl.LazyFrame) -> pl.LazyFrame:
    """Numbers with and without holes, of both widths, a boolean and a category."""
    return facts.with_columns(tenth=(pl.col("x") * 0.1).cast(pl.Float32), inverse=1 / pl.col("x"))


def of_request(request: pl.LazyFrame) -> pl.LazyFrame:
    """From the request alone; its logarithm is not finite at 0 and below."""
    return request.select(double=pl.col("b") * 2, log=(pl.col("b") - 1).log(), a="a")


def view(name: str, entity: tuple[str, ...], max_age: timedelta | None) -> FeatureView:
    return FeatureView(name, told, SOURCE.name, entity, max_age, "", "here:1")


def declared(number: int, max_age: int) -> FeatureSet:
    """One of each kind, under names that no other example has."""
    windows = [HOUR, 4 * HOUR]
    how = ["mean", "count", "sum"]
    by: dict[str, str | list[str]] = {"known_time": "a", "event_time": ["a", "b"]}
    plain = view(f"v{number}", ("a",), None)
    aged = view(f"aged{number}", ("a", "b"), timedelta(microseconds=max_age * QUARTER_US))
    aggregations = [
        aggregate(SOURCE, by=by[on], of=of, windows=windows, how=how, window_on=on, name=f"{of}_{on}{number}")
        for on in by
        for of in ("x", "flag")
    ]
    on_request = RequestFeatures(f"request{number}", of_request, "", "here:1")
    return FeatureSet((plain, on_request, *aggregations, aged), {SOURCE.name: SOURCE})


@dataclass(frozen=True)
class Bench:
    """Feature code under test over one store; `names` as a release has them."""

    features: FeatureSet
    store: LmdbWriter
    versions: SourceVersions
    keep: timedelta

    def materialise(self) -> list[str]:
        return Materialise(self.store, self.versions, self.keep)(self.features)

    def offline(self, questions: Sequence[Question]) -> pl.DataFrame:
        asked = world.asked(questions)
        whole = offline_features(self.features, asked, "at", self.versions.frame)
        since = asked["at"].min()
        assert isinstance(since, datetime)
        near = offline_features(self.features, asked, "at", reaching(self.features, self.versions.frame, since))
        assert near.equals(whole), "what no question can see decides nothing"
        return whole

    def online(self, questions: Sequence[Question]) -> FeatureBlock:
        request = pl.Schema({"a": pl.String(), "b": pl.Int64()})
        names = feature_names(self.features, request, dict.fromkeys(self.features.sources, world.ROW))
        rows: list[dict[str, Json]] = [{"a": a, "b": b} for a, b, _ in questions]
        reader = OnlineFeatures(self.features, names, REQUEST, self.store)
        return reader.read(rows, [world.us(at) for _, _, at in questions])


def assert_parity(bench: Bench, questions: Sequence[Question]) -> FeatureBlock:
    block = bench.online(questions)
    offline = bench.offline(questions)
    for question, served, computed in zip(questions, block.values, offline.rows(), strict=True):
        assert canonical(served) == canonical(list(computed)), question
    return block


def expected_ages(bench: Bench, rows: Sequence[Row], question: Question) -> list[int | None]:
    entity: dict[str, Json] = {"a": question[0], "b": question[1]}
    out = []
    for one in bench.features.stored:
        match one:
            case FeatureView():
                facts = world.facts(rows, one.entity, ["x"])
                key = tuple(entity[name] for name in one.entity)
                oldest_us = None if one.max_age is None else one.max_age // timedelta(microseconds=1)
                out.append(oracle.newest_known(facts, key, world.us(question[2]), oldest_us)[1])
            case Aggregation():
                facts = world.facts(world.arrived(rows), one.by, [one.of])
                key = tuple(entity[name] for name in one.by)
                span_us = one.span // timedelta(microseconds=1)
                out.append(oracle.age_of_window(facts, key, world.us(question[2]), span_us))
    return out


worlds = st.tuples(
    world.rows(world.floats),
    st.lists(world.quarters, min_size=1, max_size=4),
    st.lists(
        st.tuples(
            world.places | st.just("LGA"), world.gates | st.just(9), st.integers(0, 24) | st.just(world.MICRO)
        ),
        min_size=1,
        max_size=6,
    ),
)


@settings(max_examples=100, deadline=None)
@given(made=worlds, keep=st.integers(1, 24), max_age=st.integers(1, 24))
def test_after_every_version_and_only_at_the_end(
    stores: tuple[LmdbWriter, LmdbWriter],
    made: tuple[list[Row], list[float], list[Question]],
    keep: int,
    max_age: int,
) -> None:
    rows, cuts, backwards = made
    versions = HeldVersions(rows, cuts)
    features = declared(next(fresh), max_age)
    kept = timedelta(microseconds=keep * QUARTER_US)
    each, end = (Bench(features, store, versions, kept) for store in stores)
    newest = versions.newest
    held = sorted(set(cuts))
    for number in range(1, newest + 1):
        versions.newest = number
        assert sorted(each.materialise()) == sorted(view.name for view in features.stored)
        assert each.materialise() == []
        until = (versions.known_until_us(SOURCE.name, number) - world.START_US) / QUARTER_US
        questions = [(a, b, until - min(back, keep)) for a, b, back in backwards]
        block = assert_parity(each, questions)
        known = [one for one in rows if world.us(one.known) <= world.us(until)]
        assert block.ages_us == [expected_ages(each, known, question) for question in questions]
    if newest:
        end.materialise()
        again = assert_parity(end, questions)
        assert again == block
        assert held


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return open_room(tmp_path_factory.mktemp("room"))


@settings(max_examples=12, deadline=None)
@given(made=worlds)
def test_with_real_versions(
    room: Room, stores: tuple[LmdbWriter, LmdbWriter], made: tuple[list[Row], list[float], list[Question]]
) -> None:
    rows, cuts, backwards = made
    number = next(fresh)
    feed = Feed(world.frame(rows).with_columns(pl.col("event", "known").dt.convert_time_zone("America/New_York")))
    source = Source(f"facts{number}", feed, event_time="event", known_time="known", key=("a", "b"))

    def of_source(name: str) -> FeatureView:
        return FeatureView(name, told, source.name, ("a",), None, "", "here:1")

    sums = [
        aggregate(source, by="a", of="x", windows=["2h"], how=["sum"], window_on=on, name=f"{on}{number}")
        for on in ("known_time", "event_time")
    ]
    features = FeatureSet((of_source(f"view{number}"), *sums), {source.name: source})
    each, end = (Bench(features, store, room.versions, 6 * HOUR) for store in stores)
    for cut in sorted(cuts):
        if room.look(source, world.asked([(None, None, cut)])["at"][0]) is None:
            continue
        each.materialise()
        questions = [(a, b, cut - back) for a, b, back in backwards]
        block = assert_parity(each, questions)
    if room.versions.current(source.name):
        end.materialise()
        assert end.online(questions) == block


def test_a_store_that_was_deleted_is_rebuilt_to_the_same_answers(tmp_path: Path) -> None:
    rows = [Row("JFK", number % 2 + 1, number, number + number % 3, number / 3, True, "p") for number in range(30)]
    versions = HeldVersions(rows, range(0, 41, 4))
    newest = versions.newest
    features = declared(next(fresh), 8)
    questions: list[Question] = [("JFK", b, at) for b in (1, 2, 9) for at in range(24, 33)]
    blocks = []
    for folder in ("first", "rebuilt"):
        store = LmdbWriter(tmp_path / folder)
        bench = Bench(features, store, versions, 2 * HOUR)
        for number in range(1, newest + 1) if folder == "first" else [newest]:
            versions.newest = number
            bench.materialise()
        blocks.append(assert_parity(bench, questions))
        store.close()
    assert blocks[0] == blocks[1]
    assert any(cell is not None for row in blocks[0].values for cell in row)


def test_two_versions_of_a_view_live_side_by_side(tmp_path: Path) -> None:
    rows = [Row("JFK", 1, number, number, number / 3, True, "p") for number in range(20)]
    versions = HeldVersions(rows, [10, 20])
    store = LmdbWriter(tmp_path)

    def system(max_age: timedelta, span: timedelta) -> Bench:
        sums = aggregate(SOURCE, by="a", of="x", windows=[span], how=["sum"], name="sums")
        return Bench(FeatureSet((view("v", ("a",), max_age), sums), {SOURCE.name: SOURCE}), store, versions, HOUR)

    old, new = system(HOUR, HOUR), system(4 * HOUR, 2 * HOUR)
    versions.newest = 1
    old.materialise()
    before = assert_parity(old, [("JFK", 1, 10)])
    new.materialise()
    assert assert_parity(old, [("JFK", 1, 10)]) == before
    versions.newest = 2
    new.materialise()
    questions: list[Question] = [("JFK", 1, 18), ("JFK", 1, 20)]
    assert_parity(new, questions)
    assert new.online([("JFK", 1, 20)]) != old.online([("JFK", 1, 20)])
    old.materialise()
    assert_parity(old, questions)
    store.close()


@pytest.mark.parametrize("column", ["event", "known"])
def test_what_a_view_robs_of_its_time_is_no_fact(tmp_path: Path, column: str) -> None:
    def robbed(facts: pl.LazyFrame) -> pl.LazyFrame:
        return facts.select("a", "event", "known", "x").with_columns(pl.when(pl.col("x") < 2).then(column))

    rows = [Row("JFK", 1, 4, 4, 1.0, None, None), Row("JFK", 1, 6, 6, 2.0, None, None)]
    store = LmdbWriter(tmp_path)
    features = FeatureSet(
        (FeatureView("v", robbed, SOURCE.name, ("a",), None, "", "here:1"),), {SOURCE.name: SOURCE}
    )
    bench = Bench(features, store, HeldVersions(rows, [9]), 4 * HOUR)
    bench.materialise()
    assert assert_parity(bench, [("JFK", 1, 5), ("JFK", 1, 6)]).values == [[1.0], [1.0]]
    store.close()


def test_a_key_of_another_width_is_the_same_key(tmp_path: Path) -> None:
    def narrow(facts: pl.LazyFrame) -> pl.LazyFrame:
        return facts.select(pl.col("b").cast(pl.Int16), "event", "known", "x")

    store = LmdbWriter(tmp_path)
    features = FeatureSet(
        (FeatureView("v", narrow, SOURCE.name, ("b",), None, "", "here:1"),), {SOURCE.name: SOURCE}
    )
    bench = Bench(features, store, HeldVersions([Row(None, 2, 4, 4, 1.0, None, None)], [9]), 4 * HOUR)
    bench.materialise()
    assert assert_parity(bench, [(None, 2, 5), (None, 1, 5)]).values == [[1.0], [None]]
    store.close()
