"""What dataset versions say of the past is what the online store would have answered: values, ages, staleness."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import test_aggregations_online as windows
from tests.features import test_parity as mixed
from tests.features import world
from tests.features.world import QUARTER_US, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.names import feature_names
from trimtab.features.offline_reader import OfflineReader
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.reach import reaching
from trimtab.kernel.canonical import Json, canonical
from trimtab.kernel.moment import from_us
from trimtab.ports.feature_reader import FeatureBlock

Question = tuple[str | None, int | None, float]


def blocks(
    features: FeatureSet, store: LmdbWriter, versions: HeldVersions, questions: list[Question]
) -> tuple[FeatureBlock, FeatureBlock]:
    request = pl.Schema({"a": pl.String(), "b": pl.Int64()})
    names = feature_names(features, request, dict.fromkeys(features.sources, world.ROW))
    rows: list[dict[str, Json]] = [{"a": a, "b": b} for a, b, _ in questions]
    at_us = [world.us(at) for *_, at in questions]
    since: datetime = from_us(min(at_us))
    offline = OfflineReader(features, names, mixed.REQUEST, reaching(features, versions.frame, since))
    online = OnlineFeatures(features, names, mixed.REQUEST, store)
    assert (offline.names, offline.views) == (online.names, online.views)
    return offline.read(rows, at_us), online.read(rows, at_us)


def same(
    features: FeatureSet, store: LmdbWriter, versions: HeldVersions, questions: list[Question]
) -> FeatureBlock:
    offline, online = blocks(features, store, versions, questions)
    assert canonical(offline.values) == canonical(online.values)
    assert offline.ages_us == online.ages_us
    assert offline.stale_us == online.stale_us
    return offline


def asked(
    versions: HeldVersions, keep: int, backwards: list[Question], store: LmdbWriter, features: FeatureSet
) -> list[Question]:
    Materialise(store, versions, timedelta(microseconds=keep * QUARTER_US))(features)
    until = (versions.known_until_us("facts", versions.newest) - world.START_US) / QUARTER_US
    return [(a, b, until - min(back, keep)) for a, b, back in backwards]


@settings(max_examples=60, deadline=None)
@given(made=mixed.worlds, keep=st.integers(1, 24), max_age=st.integers(1, 24))
def test_views_requests_and_windows(
    stores: tuple[LmdbWriter, LmdbWriter],
    made: tuple[list[Row], list[float], list[Question]],
    keep: int,
    max_age: int,
) -> None:
    rows, cuts, backwards = made
    versions = HeldVersions(rows, cuts)
    if versions.newest:
        features = mixed.declared(next(mixed.fresh) + 1_000_000, max_age)
        same(features, stores[0], versions, asked(versions, keep, backwards, stores[0], features))


@settings(max_examples=60, deadline=None)
@given(
    made=windows.worlds,
    key=st.sampled_from(windows.KEYS),
    spans=st.lists(st.integers(1, 30), min_size=1, max_size=2, unique=True),
    keep=st.integers(1, 24),
)
def test_corrected_facts_in_every_window(
    stores: tuple[LmdbWriter, LmdbWriter],
    made: tuple[list[Row], list[float], list[Question]],
    key: tuple[str, ...],
    spans: list[int],
    keep: int,
) -> None:
    rows, cuts, backwards = made
    versions = HeldVersions(rows, cuts)
    if versions.newest:
        features = windows.declared(key, spans)
        same(features, stores[0], versions, asked(versions, keep, backwards, stores[0], features))


def test_stale_missing_and_young_are_told_apart(stores: tuple[LmdbWriter, LmdbWriter]) -> None:
    versions = HeldVersions([Row("JFK", 1, 8, 8, 1.0, True, "p")], [8])
    features = mixed.declared(2_000_000, max_age=4)
    Materialise(stores[0], versions, timedelta(days=1))(features)
    block = same(features, stores[0], versions, [("JFK", 1, 9), ("JFK", 1, 13), ("EWR", 1, 9), ("JFK", None, 9)])
    assert [ages[-1] for ages in block.ages_us] == [QUARTER_US, None, None, None]
    assert block.stale_us == {1: {"aged2000000": 5 * QUARTER_US}}
