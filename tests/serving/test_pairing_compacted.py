"""What is scored when segments are compacted stands in the table once, beside what was logged and is proved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.serving.compactor_main import POINTS
from tests.serving.conftest import Stores, open_stores
from tests.serving.logged import NOW, Thirds, compactor, log, move, paired, proved, record
from tests.serving.releases import SYSTEM
from tests.serving.test_compactor import run_compactor

from trimtab.kernel.audience import Audience
from trimtab.kernel.route import BUCKETS, Canary, Route
from trimtab.serving.explain import told_of
from trimtab.serving.log_reader import FRAME_SCHEMA, TABLE, frame_of_predictions
from trimtab.serving.moved_routes import MovedRoutes
from trimtab.serving.pairing import Pairing
from trimtab.serving.record import Record
from trimtab.serving.retention import Retention
from trimtab.serving.sampling import compared_generations

ALONE = Route(SYSTEM, "champion", (), 1)
WITH_CANARY = replace(ALONE, canary=Canary("canary", BUCKETS // 2, "adder/00001"))
ROUTES = (ALONE, WITH_CANARY)


def answers(first: int, count: int, generation: int = 2) -> list[Record]:
    """As workers record them that score each row once."""
    route = ROUTES[generation - 1]
    found = []
    for number in range(first, first + count):
        release = route.answering(f"k{number}", {})
        found.append(record(number, generation=generation, release=release, features=(number / 7, None)))
    return found


def table(stores: Stores) -> pl.DataFrame:
    return stores.tables.scan(TABLE).collect().sort("id")


def check(stores: Stores, rows: int) -> None:
    """Each row under the canary has what the other one says; all is as it was logged."""
    frame = table(stores)
    assert frame.height == rows
    for row in frame.iter_rows(named=True):
        other = "canary" if row["release"] == "champion" else "champion"
        score = int(row["key"][1:]) / 7 / 3 + len(other)
        assert row["others"] == []
        assert row["later"] == ([{"release": other, "score": score}] if row["generation"] == 2 else None)
    found = proved(stores)
    assert (found.findings, found.proved, found.other_form) == ([], rows, 0)


def test_rows_under_a_canary_get_the_other_score_and_others_none(stores: Stores) -> None:
    move(stores, *ROUTES)
    ids = log(stores, [*answers(0, 20, generation=1), *answers(20, 60)])
    before = {one.id: one for one in stores.log().recent()}
    done = compactor(stores, pair=paired(stores)).compact(at=NOW, actor="test")
    assert (done.rows, done.unscored) == (80, ())
    check(stores, 80)
    assert dict(table(stores).select(FRAME_SCHEMA.names()).schema) == dict(FRAME_SCHEMA)
    assert len(set(table(stores).filter(pl.col("generation") == 2)["release"])) == 2
    for id in ids:
        found = stores.log().find(id)
        assert replace(found, later=()) == before[id]
        assert bool(found.later) == (found.generation == 2)


def test_a_table_of_before_is_widened_and_read(stores: Stores) -> None:
    move(stores, *ROUTES)
    old = log(stores, answers(0, 5))
    rows = frame_of_predictions([("before", one) for one in stores.log().recent()]).drop("later")
    shutil.rmtree(stores.segments.path)
    stores.segments.path.mkdir()
    stores.tables.append(TABLE, rows, writer="before", number=1, note={}, partition_by=("date",))
    log(stores, answers(5, 10))
    compactor(stores, pair=paired(stores)).compact(at=NOW, actor="test")
    frame = table(stores)
    assert frame["later"].is_null().sum() == 5
    assert set(frame.filter(pl.col("later").is_null())["key"]) == {f"k{number}" for number in range(5)}
    assert frame.height == 15 and len(old) == 5


def test_a_sample_keeps_each_row_that_is_compared(stores: Stores) -> None:
    move(stores, *ROUTES)
    log(stores, [*answers(0, 30, generation=1), *answers(30, 40)])
    policy = Retention(sample=0.0001)
    compared = compared_generations(stores.history, SYSTEM)
    done = compactor(stores, policy, compared=compared, pair=paired(stores)).compact(at=NOW, actor="test")
    assert done.kept == 40
    check(stores, 40)


class Broken(Thirds):
    """A canary that cannot score."""

    def score(self, release: str, rows: object) -> list[float]:
        if release == "canary":
            raise ValueError("a secret of the model's code")
        return super().score(release, rows)  # type: ignore[arg-type]


def test_a_release_that_cannot_score_is_told_of_once_and_the_rows_move(stores: Stores) -> None:
    move(stores, *ROUTES)
    log(stores, answers(0, 60))
    pair = Pairing(Broken(), paired(stores)._route_of)
    done = compactor(stores, pair=pair, batch_bytes=1500).compact(at=NOW, actor="test")
    frame = table(stores)
    assert frame.height == done.rows == 60
    lacking = frame.filter(pl.col("later").is_null())
    assert set(lacking["release"]) == {"champion"}
    assert frame.filter(pl.col("later").is_not_null())["release"].unique().to_list() == ["canary"]
    told = [one for one in told_of(done) if one.mark == "bad"]
    assert [one.text for one in told] == [
        f"release canary could not score {lacking.height} rows that another one had answered: ValueError"
    ]
    assert proved(stores).ok


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_compaction_gives_the_same_table(stores: Stores, tmp_path: Path, point: str) -> None:
    move(stores, *ROUTES)
    log(stores, [*answers(0, 10, generation=1), *answers(10, 30)])
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(tmp_path / "wal", undisturbed / "wal")
    database, other = open_stores(undisturbed)
    try:
        move(other, *ROUTES)
        compactor(other, batch_bytes=1000, pair=paired(other)).compact(at=NOW, actor="test")
        expected = table(other)
    finally:
        database.close()
    assert run_compactor(tmp_path, point) == 9
    compactor(stores, batch_bytes=1000, pair=paired(stores)).compact(at=NOW, actor="test")
    check(stores, 40)
    assert table(stores).equals(expected)


def test_routes_are_read_from_the_ledger_as_they_are_moved(stores: Stores) -> None:
    route_of = MovedRoutes(stores.history, SYSTEM)
    assert route_of(1) is None
    move(stores, ALONE, system="other")
    move(stores, *ROUTES)
    assert route_of(2) == replace(WITH_CANARY, generation=2)
    assert [route_of(generation) for generation in (-1, 0, 1, 3)] == [None, None, ALONE, None]
    narrow = replace(WITH_CANARY, canary=Canary("canary", 7, "adder/00002", Audience("s", ("é", 1, True))))
    move(stores, narrow)
    assert route_of(3) == replace(narrow, generation=3)
    assert route_of(2) == replace(WITH_CANARY, generation=2)
