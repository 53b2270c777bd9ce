"""A sample is taken when segments are compacted: what stays, what proves it, and what is said of the rest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.conftest import Stores, open_stores
from tests.serving.logged import NOW, SINCE, compactor, log, proved, record
from tests.serving.releases import SYSTEM

from trimtab.adapters.tables_delta import DeltaTables
from trimtab.kernel.errors import NotFound, NotKept
from trimtab.kernel.prediction_id import BATCH_WORKER, PredictionId, parse_prediction_id
from trimtab.ports.journal import Journal, Unit
from trimtab.serving.batch_part import BatchLog
from trimtab.serving.log_reader import TABLE
from trimtab.serving.record import Record
from trimtab.serving.recorded_keys import RecordedKeys
from trimtab.serving.retention import Retention
from trimtab.serving.sampling import compared_generations
from trimtab.serving.segment import SEALED

HALF = Retention(sample=0.5)


def rows(stores: Stores) -> pl.DataFrame:
    return stores.tables.scan(TABLE).collect()


@contextmanager
def opened() -> Iterator[Stores]:
    folder = Path(tempfile.mkdtemp())
    database, stores = open_stores(folder)
    try:
        yield stores
    finally:
        database.close()
        shutil.rmtree(folder)


RECORDS = st.lists(
    st.builds(
        lambda key, generation, compared, day: (key, generation, compared, day),
        st.integers(0, 12),
        st.integers(-4, 4),
        st.booleans(),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=25,
)


@given(RECORDS, st.sampled_from([0.01, 0.3, 0.7, 1.0]), st.booleans())
@settings(max_examples=12, deadline=None)
def test_what_is_kept_is_what_the_rules_say_and_all_of_it_is_proved(
    drawn: list[tuple[int, int, bool, int]], sample: float, other_form: bool
) -> None:
    policy = Retention(sample=sample)
    records = [
        record(
            number,
            at=SINCE.replace(day=1 + day),
            key=f"k{key}",
            generation=generation,
            others=[("q", 0.5)] if compared or generation < 0 else (),
            fallback="constant" if key == 12 else "",
            features=(float("nan"),) if other_form and key % 3 == 0 else (0.5,),
        )
        for number, (key, generation, compared, day) in enumerate(drawn)
    ]
    with opened() as stores:
        ids = log(stores, records)
        done = compactor(stores, policy, compared=lambda generation: generation == 3).compact(at=NOW, actor="test")
        wanted = [
            id
            for id, (key, generation, compared, _) in zip(ids, drawn, strict=True)
            if compared or generation in (0, 3) or generation < 0 or key == 12 or policy.draws(SYSTEM, f"k{key}")
        ]
        assert sorted(rows(stores)["id"]) == sorted(wanted)
        assert (done.rows, done.kept) == (len(ids), len(wanted))
        found = proved(stores)
        assert found.findings == []
        assert (found.records, found.kept, found.left_out) == (len(ids), len(wanted), len(ids) - len(wanted))
        assert found.proved + found.other_form == found.kept
        assert found.other_form == sum(other_form and drawn[ids.index(id)][0] % 3 == 0 for id in wanted)
        for id in ids:
            if id in wanted:
                assert stores.log().find(id).id == id
            else:
                with pytest.raises(NotKept, match="is not kept any more"):
                    stores.log().find(id)


def test_all_answers_about_a_key_stay_or_go_and_the_rest_is_told_apart_from_what_never_was(stores: Stores) -> None:
    ids = log(stores, [record(number, key=f"k{number % 20}") for number in range(60)])
    compactor(stores, HALF).compact(at=NOW, actor="test")
    counts = rows(stores)["key"].value_counts()
    assert set(counts["count"]) == {3}
    assert 4 < counts.height < 16
    [left, *_] = [id for id in ids if id not in set(rows(stores)["id"])]
    with pytest.raises(NotKept) as told:
        stores.log().find(left)
    assert told.value.allowed == "predictions that the policy keeps: sample=0.5"
    assert told.value.got.startswith("it was answered, and the sample left it out")
    place = parse_prediction_id(left)
    for changed in ({"offset": place.offset + 1}, {"at_ms": place.at_ms + 1}, {"segment": 99}):
        with pytest.raises(NotFound, match="there is no prediction"):
            stores.log().find(str(PredictionId(**{**place.__dict__, **changed})))
    known = RecordedKeys(stores.segments, tables=stores.tables, journal=stores.history)(ids, SYSTEM)
    assert set(known) == set(rows(stores)["id"])


def test_answers_of_fallbacks_and_what_shadows_say_are_kept(stores: Stores) -> None:
    log(stores, [record(number, fallback="constant") for number in range(5)])
    log(stores, [record(number, generation=-2, others=[("q", 0.5)]) for number in range(5, 10)])
    log(stores, [record(number) for number in range(10, 30)])
    compactor(stores, Retention(sample=0.0001)).compact(at=NOW, actor="test")
    assert sorted(rows(stores)["key"]) == sorted(f"k{number}" for number in range(10))
    assert (proved(stores).findings, proved(stores).proved) == ([], 10)
    [*entries] = stores.history.entries(kind="segments.compacted")
    segments: list[Any] = [one for entry in entries for one in cast("list[Any]", entry.body["segments"])]
    assert sum(one.get("beside", 0) for one in segments) == 5


def test_a_batch_is_kept_whole_and_can_be_read_back(stores: Stores) -> None:
    log(stores, [record(number) for number in range(30)], worker=BATCH_WORKER)
    log(stores, [record(number, generation=0) for number in range(30, 40)])
    names = [path.stem for path in stores.segments.files(SEALED)]
    batch = [name for name in names if name.startswith("4095")]
    done = compactor(stores, Retention(sample=0.0001)).compact(at=NOW, actor="test")
    assert done.kept == done.rows == 40
    read = BatchLog(stores.segments, tables=stores.tables, journal=stores.history).read
    assert [one.key for name in batch for one in read(name)] == [f"k{number}" for number in range(30)]


def test_a_sample_of_nothing_moves_all_the_same(stores: Stores) -> None:
    """The first append has no row: the table is made, and the next one finds it."""
    tiny = Retention(sample=0.0001)
    ids = log(stores, [record(number) for number in range(8)])
    assert compactor(stores, tiny).compact(at=NOW, actor="test").kept == 0
    assert (rows(stores).height, stores.segments.files(SEALED)) == (0, [])
    with pytest.raises(NotKept):
        stores.log().find(ids[0])
    log(stores, [record(number, others=[("q", 0.5)]) for number in range(8)])
    assert compactor(stores, tiny).compact(at=NOW, actor="test").kept == 8
    assert (proved(stores).ok, proved(stores).kept, proved(stores).left_out) == (True, 8, 8)


def test_the_ledger_says_under_which_routes_releases_were_compared(stores: Stores) -> None:
    canary: dict[str, Any] = {"release": "c", "buckets": 500, "salt": "s"}
    moves: list[dict[str, Any]] = [
        {"canary": None, "shadows": []},
        {"canary": canary, "shadows": []},
        {"canary": None, "shadows": ["s"]},
        {"canary": None, "shadows": []},
    ]
    for body in moves:
        with stores.journal.begin(at=NOW, actor="test") as unit:
            unit.append("route.moved", SYSTEM, body)
    with stores.journal.begin(at=NOW, actor="test") as unit:
        unit.append("route.moved", "other", {"canary": canary, "shadows": []})
    compared = compared_generations(stores.history, SYSTEM)
    assert [compared(generation) for generation in range(6)] == [True, False, True, True, False, True]


class Died(BaseException):
    """A process that is no more."""


class DyingTables(DeltaTables):
    """Dies after an append."""

    def append(self, *arguments: Any, **named: Any) -> Any:
        super().append(*arguments, **named)
        raise Died


class DyingJournal:
    """Dies after a commit."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @contextmanager
    def begin(self, *, at: datetime, actor: str) -> Iterator[Unit]:
        with self._journal.begin(at=at, actor=actor) as unit:
            yield unit
        raise Died


def test_killed_between_its_steps_a_compactor_samples_once(stores: Stores) -> None:
    """Also where another policy is declared before it goes on: what was decided stays."""
    ids: list[str] = []
    left_out = 0
    for round, sample in enumerate([0.5, 0.2, 0.8]):
        for dying in ("append", "commit"):
            start = 100 * round + (50 if dying == "commit" else 0)
            ids += log(stores, [record(number) for number in range(start, start + 30)])
            if dying == "append":
                tables = DyingTables(stores.folder / "tables")
                dead = Stores(stores.folder, stores.journal, stores.history, tables, stores.segments)
                job = compactor(dead, Retention(sample=sample))
            else:
                job = compactor(stores, Retention(sample=sample), journal=DyingJournal(stores.journal))
            with pytest.raises(Died):
                job.compact(at=NOW, actor="test")
            ids += log(stores, [record(number) for number in range(start + 30, start + 40)])
        fresh = Stores(
            stores.folder, stores.journal, stores.history, DeltaTables(stores.folder / "tables"), stores.segments
        )
        compactor(fresh, HALF).compact(at=NOW, actor="test")
        found = proved(fresh)
        assert (found.findings, found.records) == ([], len(ids))
        kept = rows(fresh)["id"].to_list()
        assert len(kept) == len(set(kept)) == found.kept
        assert found.left_out > left_out
        left_out = found.left_out
        for id in ids:
            if id not in kept:
                with pytest.raises(NotKept):
                    fresh.log().find(id)


def _change(path: Path) -> None:
    frame = pl.read_parquet(path, hive_partitioning=False)
    frame.with_columns(score=pl.col("score") + 1e-9).write_parquet(path)


def _shorten(path: Path) -> None:
    pl.read_parquet(path, hive_partitioning=False).slice(1).write_parquet(path)


def _swap(path: Path) -> None:
    frame = pl.read_parquet(path, hive_partitioning=False)
    frame.with_columns(key=pl.col("key").reverse()).write_parquet(path)


@pytest.mark.parametrize("damage", [_change, _shorten, _swap, Path.unlink, lambda path: path.write_bytes(b"PAR1")])
def test_a_damaged_table_is_found(stores: Stores, damage: Any) -> None:
    log(stores, [record(number, at=datetime(2013, 4, 2, tzinfo=UTC)) for number in range(40)])
    compactor(stores, HALF).compact(at=NOW, actor="test")
    assert proved(stores).ok
    assert proved(stores).lines()[0].endswith("of 40 records kept, all proved")
    damage(next((stores.folder / "tables" / TABLE).glob("date=*/*.parquet")))
    found = proved(stores)
    assert not found.ok
    assert "NOT whole" in found.lines()[0]
    assert any("2013-04-02" in one or "cannot be read" in one for one in found.findings)


def test_rows_that_somebody_deleted_added_or_whose_proof_is_gone_are_found(stores: Stores) -> None:
    log(stores, [record(number) for number in range(40)])
    compactor(stores, HALF).compact(at=NOW, actor="test")
    kept = rows(stores)
    [one, *_] = (stores.folder / "wal" / "proofs" / SYSTEM).glob("*/*")
    data = one.read_bytes()
    for broken in (b"", data[:-1] + bytes([data[-1] ^ 1])):
        one.write_bytes(broken)
        assert "a file of proofs is corrupt" in proved(stores).findings[0]
    one.unlink()
    assert "there is no file of proofs" in proved(stores).findings[0]
    one.write_bytes(data)
    assert proved(stores).ok
    DeltaTable(str(stores.folder / "tables" / TABLE)).delete(f"id = '{kept['id'][0]}'")
    assert "that were kept" in proved(stores).findings[0]
    stores.tables.append(TABLE, kept.head(1), writer="x", number=1, note={}, partition_by=("date",))
    assert proved(stores).ok
    forged = kept.head(1).with_columns(segment=pl.lit("0009-0000000009"))
    stores.tables.append(TABLE, forged, writer="x", number=2, note={}, partition_by=("date",))
    assert "which the ledger lacks" in proved(stores).findings[0]


def test_nothing_is_written_beside_the_table_where_everything_is_kept_and_of_one_day(stores: Stores) -> None:
    records: list[Record] = [record(number, at=datetime(2013, 4, 2, tzinfo=UTC)) for number in range(20)]
    log(stores, records)
    compactor(stores).compact(at=NOW, actor="test")
    assert not (stores.folder / "wal" / "proofs").exists()
    assert (proved(stores).ok, proved(stores).proved) == (True, 20)
