"""Prepared facts answer as the rows do, whatever was written, taken in, torn or left behind."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.features import world
from tests.features.world import SOURCE, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features.bitemporal_join import VisibleFacts
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.offline import Prepared, offline_features
from trimtab.features.prepared import PreparedFacts
from trimtab.features.view import FeatureView, feature_view


@feature_view(entity=("a", "b"), max_age="2h")
def both(facts: pl.LazyFrame) -> pl.LazyFrame:
    return facts.select("a", "b", "event", "known", "x", "flag", "word")


FEATURES = FeatureSet((both,), {SOURCE.name: SOURCE})
VERSION = FEATURES.version_of(both)
ROWS = [Row("JFK", 1, hour, hour + 0.5, hour / 8, None, "p") for hour in range(world.LAST)]


def ready(prepared: PreparedFacts, upto: int, features: FeatureSet = FEATURES) -> Prepared:
    def of(view: FeatureView) -> tuple[VisibleFacts | None, pl.LazyFrame]:
        return prepared.read(view, features.version_of(view), SOURCE, upto)

    return of


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / VERSION).iterdir())


@settings(max_examples=100, deadline=None)
@given(
    rows=world.rows(world.eighths),
    questions=world.questions,
    cuts=st.lists(st.integers(1, world.LAST), min_size=1, max_size=6, unique=True),
    data=st.data(),
)
def test_prepared_facts_answer_as_the_rows_do(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Row],
    questions: list[tuple[str | None, int | None, float]],
    cuts: list[int],
    data: st.DataObject,
) -> None:
    """Of every version, also of one older than what is prepared, and of a newer one."""
    versions = HeldVersions(rows, cuts)
    prepared = PreparedFacts(tmp_path_factory.getbasetemp() / str(uuid4()), versions)
    for number in sorted(data.draw(st.sets(st.integers(1, max(1, versions.newest))))):
        if number <= versions.newest:
            prepared.extend(both, VERSION, SOURCE, number)
    asked = world.asked(questions)
    for upto in range(1, versions.newest + 1):
        facts = partial(versions.frame, upto=upto)
        plain = offline_features(FEATURES, asked, "at", facts)
        found = offline_features(FEATURES, asked, "at", facts, ready(prepared, upto))
        assert found.equals(plain) and found.schema == plain.schema


def test_parts_are_few_and_hold_each_version_once(tmp_path: Path) -> None:
    versions = HeldVersions(ROWS, range(1, world.LAST))
    prepared = PreparedFacts(tmp_path, versions)
    written = 0
    for number in range(1, versions.newest + 1):
        before = set(files(tmp_path)) if number > 1 else set()
        prepared.extend(both, VERSION, SOURCE, number)
        names = files(tmp_path)
        assert len(names) <= 2 + math.log2(number)
        spans = [tuple(map(int, name.split("-")[:2])) for name in names]
        assert spans[0][0] == 1 and spans[-1][1] == number
        assert all(after == last + 1 for (_, last), (after, _) in pairwise(spans))
        written += sum(int(name.split("-")[2]) for name in set(names) - before)
    assert written <= len(ROWS) * 3 * math.log2(len(ROWS))


@pytest.mark.parametrize("harm", ["torn", "half", "taken in", "gone"])
def test_what_a_killed_process_leaves_is_not_read_and_removed(tmp_path: Path, harm: str) -> None:
    versions = HeldVersions(ROWS, [10, 20, 30])
    prepared = PreparedFacts(tmp_path, versions)
    folder = tmp_path / VERSION
    prepared.extend(both, VERSION, SOURCE, 1)
    [first] = folder.iterdir()
    kept = first.read_bytes()
    prepared.extend(both, VERSION, SOURCE, 2)
    if harm == "torn":
        newest = max(folder.iterdir())
        newest.write_bytes(newest.read_bytes()[:-9])
    elif harm == "half":
        (folder / ".00000001-00000009-5.arrow").write_bytes(kept)
    elif harm == "taken in":
        first.write_bytes(kept)
    else:
        for path in folder.iterdir():
            path.unlink()
    asked = world.asked([("JFK", 1, float(at)) for at in range(world.LAST)])
    plain = offline_features(FEATURES, asked, "at", partial(versions.frame, upto=2))
    found = offline_features(FEATURES, asked, "at", partial(versions.frame, upto=2), ready(prepared, 2))
    assert found.equals(plain)
    prepared.extend(both, VERSION, SOURCE, 3)
    spans = [tuple(map(int, name.split("-")[:2])) for name in files(tmp_path)]
    assert spans[0][0] == 1 and spans[-1][1] == 3 and not any(name.startswith(".") for name in files(tmp_path))


def test_types_come_back_as_they_were(tmp_path: Path) -> None:
    every = {
        "decimal": pl.Series(["1.50"], dtype=pl.Decimal(9, 2)),
        "day": pl.Series(["2013-11-03"]).str.to_date(),
        "local": pl.Series(["2013-11-03T01:30:00"]).str.to_datetime(
            time_zone="America/New_York", ambiguous="latest"
        ),
        "kind": pl.Series(["a"], dtype=pl.Enum(["a", "b"])),
        "category": pl.Series(["a"], dtype=pl.Categorical()),
        "list": pl.Series([[1, 2]], dtype=pl.List(pl.Int32)),
        "struct": pl.Series([{"a": 1, "b": "x"}]),
        "bytes": pl.Series([b"\0"]),
        "small": pl.Series([1], dtype=pl.UInt8),
        "span": pl.Series([90], dtype=pl.Duration("ms")),
        "hour": pl.Series(["01:30:00"]).str.to_time(),
        "nothing": pl.Series([None], dtype=pl.Float32),
    }

    @feature_view(entity="a")
    def wide(facts: pl.LazyFrame) -> pl.LazyFrame:
        return facts.select(
            "a", "event", "known", *(pl.lit(one).first().alias(name) for name, one in every.items())
        )

    versions = HeldVersions(ROWS, [10, 20, 30])
    prepared = PreparedFacts(tmp_path, versions)
    features = FeatureSet((wide,), {SOURCE.name: SOURCE})
    version = features.version_of(wide)
    for number in (1, 2):
        prepared.extend(wide, version, SOURCE, number)
    asked = world.asked([("JFK", 1, 19.0), ("LGA", 1, 19.0)])

    plain = offline_features(features, asked, "at", versions.frame)
    found = offline_features(features, asked, "at", versions.frame, ready(prepared, 3, features))
    assert found.schema == plain.schema and found.equals(plain)


def test_ingest_prepares_what_it_projects(tmp_path: Path) -> None:
    versions = HeldVersions(ROWS, [10, 20])
    prepared = PreparedFacts(tmp_path / "prepared", versions)
    store = LmdbWriter(tmp_path / "online")
    Materialise(store, versions, prepared=prepared)(FEATURES)
    store.close()
    found, later = prepared.read(both, VERSION, SOURCE, 2)
    assert found is not None and later.collect().is_empty()


def test_parts_of_another_history_are_not_read_and_removed(tmp_path: Path) -> None:
    """A backup was restored: other rows came since, under the numbers that the lost ones had."""
    lost, kept = (HeldVersions([*ROWS[:20], *rows], [10, 20, 30]) for rows in (ROWS[25:30], ROWS[20:25]))
    for number in (1, 2, 3):
        PreparedFacts(tmp_path, lost).extend(both, VERSION, SOURCE, number)
    prepared = PreparedFacts(tmp_path, kept)
    asked = world.asked([("JFK", 1, float(at)) for at in range(world.LAST)])
    plain = offline_features(FEATURES, asked, "at", kept.frame)
    assert not plain.equals(offline_features(FEATURES, asked, "at", lost.frame))
    assert offline_features(FEATURES, asked, "at", kept.frame, ready(prepared, 3)).equals(plain)
    prepared.extend(both, VERSION, SOURCE, 3)
    assert offline_features(FEATURES, asked, "at", kept.frame, ready(prepared, 3)).equals(plain)
    spans = [tuple(map(int, name.split("-")[:2])) for name in files(tmp_path)]
    assert spans[0][0] == 1 and spans[-1][1] == 3
    assert all(after == last + 1 for (_, last), (after, _) in pairwise(spans))
