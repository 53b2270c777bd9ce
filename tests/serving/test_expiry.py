"""Days that are older than the policy keeps leave the table and the disk, once, whatever is killed when."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.serving.conftest import Stores
from tests.serving.expiry_main import KEEP, LATER, POINTS
from tests.serving.logged import NOW, SINCE, compactor, expire, log, proved, record
from tests.serving.releases import SYSTEM

from trimtab.adapters.tables_delta import DeltaTables
from trimtab.kernel.errors import Busy, NotFound, NotKept
from trimtab.kernel.prediction_id import BATCH_WORKER, parse_prediction_id
from trimtab.serving.batch_part import BatchLog
from trimtab.serving.log_reader import TABLE
from trimtab.serving.recorded_keys import RecordedKeys
from trimtab.serving.retention import Retention
from trimtab.serving.segment import SEALED

ENTRY = "predictions.expired"
SECOND = datetime(2013, 4, 2, tzinfo=UTC)


def ids_in_table(stores: Stores, system: str = SYSTEM) -> set[str]:
    return {row["id"] for row in stores.tables.scan(TABLE).collect().to_dicts() if row["system"] == system}


def two_days(stores: Stores, policy: Retention = KEEP) -> tuple[list[str], list[str]]:
    """90 records, the first 60 on the first of April; some segments hold both days."""
    ids = log(stores, [record(number) for number in range(90)])
    compactor(stores, policy).compact(at=NOW, actor="test")
    return ids[:60], ids[60:]


def uncompressed(stores: Stores) -> str:
    """All that the table's files say, of any version."""
    files = (stores.folder / "tables" / TABLE).glob("date=*/*.parquet")
    return " ".join(str(pl.read_parquet(path, hive_partitioning=False).rows()) for path in files)


def test_an_old_day_leaves_the_table_and_the_disk(stores: Stores) -> None:
    first, second = two_days(stores)
    log(stores, [record(number, system="other") for number in range(10)], system="other")
    compactor(stores, system="other").compact(at=NOW, actor="test")
    assert "secret-7-" in uncompressed(stores)
    assert expire(stores, KEEP)(at=LATER - timedelta(days=1), actor="test").days == ()
    done = expire(stores, KEEP)(at=LATER, actor="test")
    assert (done.days, done.rows) == ((date(2013, 4, 1),), 60)
    assert done.freed_bytes > 5000
    assert ids_in_table(stores) == set(second)
    assert len(ids_in_table(stores, "other")) == 10
    told = uncompressed(stores)
    assert "secret-11-" not in told  # the other system's end with 9
    assert "secret-61-" in told
    names = {path.parent.name for path in (stores.folder / "wal" / "proofs" / SYSTEM).glob("*/*")}
    assert names == {"2013-04-02"}
    [entry] = stores.history.entries(kind=ENTRY, subject=SYSTEM)
    assert (entry.body["days"], entry.body["rows"], entry.body["before"]) == ({"2013-04-01": 60}, 60, "2013-04-02")
    assert entry.body["table_version"] == entry.body["through"] + 1  # type: ignore[operator]
    segments = {parse_prediction_id(id).segment_name for id in first}
    assert entry.body["segments"] == sorted(segments)
    assert segments & {parse_prediction_id(id).segment_name for id in second}, "one of them holds both days"
    assert expire(stores, KEEP)(at=LATER, actor="test").days == ()
    assert len(list(stores.history.entries(kind=ENTRY))) == 1


def test_what_is_said_of_an_expired_answer_and_the_audit_goes_on(stores: Stores) -> None:
    first, second = two_days(stores, Retention("10d", 0.5))
    expire(stores, KEEP)(at=LATER, actor="test")
    kept = ids_in_table(stores)
    assert kept < set(second)
    for id in first:
        with pytest.raises(NotKept) as told:
            stores.log().find(id)
        assert told.value.got == "the predictions of 2013-04-01 expired on 2013-04-12"
        assert "keep=10d" in told.value.allowed
    assert stores.log().find(next(iter(kept))).id in kept
    known = RecordedKeys(stores.segments, tables=stores.tables, journal=stores.history)([*first, *second], SYSTEM)
    assert set(known) == kept
    found = proved(stores)
    assert (found.findings, found.kept, found.records) == ([], len(kept), 90)
    assert found.expired + found.left_out + found.kept == 90
    assert any("expired, by the system's policy" in line for line in found.lines())


def test_after_everything_has_expired_life_goes_on(stores: Stores) -> None:
    first, _ = two_days(stores)
    expire(stores, KEEP)(at=LATER + timedelta(days=90), actor="test")
    assert ids_in_table(stores) == set()
    fresh = Stores(
        stores.folder, stores.journal, stores.history, DeltaTables(stores.folder / "tables"), stores.segments
    )
    assert compactor(fresh).compact(at=NOW, actor="test").rows == 0
    later = log(fresh, [record(number, at=LATER + timedelta(days=89)) for number in range(20)])
    assert compactor(fresh).compact(at=NOW, actor="test").rows == 20
    assert ids_in_table(fresh) == set(later)
    assert fresh.log().find(later[3]).key == "k3"
    assert (proved(fresh).findings, proved(fresh).kept) == ([], 20)
    with pytest.raises(NotKept):
        fresh.log().find(first[0])


def test_answers_of_an_old_day_that_come_late_are_kept_if_the_policy_is_wider_by_then(stores: Stores) -> None:
    two_days(stores)
    expire(stores, KEEP)(at=LATER, actor="test")
    late = log(stores, [record(number, key="late") for number in range(5)])
    compactor(stores, Retention("400d")).compact(at=LATER, actor="test")
    assert expire(stores, Retention("400d"))(at=LATER, actor="test").days == ()
    assert stores.log().find(late[2]).key == "late"
    assert proved(stores).ok
    assert expire(stores, KEEP)(at=LATER, actor="test").rows == 5
    with pytest.raises(NotKept):
        stores.log().find(late[2])
    assert proved(stores).ok


def test_a_day_of_which_the_sample_kept_nothing_expires_too(stores: Stores) -> None:
    policy = Retention("10d", 0.0001)
    ids = log(stores, [record(number) for number in range(20)])
    compactor(stores, policy).compact(at=NOW, actor="test")
    done = expire(stores, policy)(at=LATER, actor="test")
    assert (done.days, done.rows) == ((date(2013, 4, 1),), 0)
    assert list((stores.folder / "wal" / "proofs" / SYSTEM).glob("*/*")) == []
    with pytest.raises(NotKept, match="not kept any more") as told:
        stores.log().find(ids[0])
    assert "expired on" in told.value.got
    assert expire(stores, policy)(at=LATER, actor="test").days == ()
    assert proved(stores).ok


def test_a_batch_that_has_expired_is_not_read_back_in_part(stores: Stores) -> None:
    log(stores, [record(number) for number in range(58, 62)], worker=BATCH_WORKER)
    [name] = [path.stem for path in stores.segments.files(SEALED)]
    compactor(stores).compact(at=NOW, actor="test")
    batch = BatchLog(stores.segments, tables=stores.tables, journal=stores.history)
    assert len(batch.read(name)) == 4
    expire(stores, KEEP)(at=LATER, actor="test")
    with pytest.raises(NotFound, match="there is no segment"):
        batch.read(name)


def test_what_a_killed_compactor_left_behind_goes_with_the_day(stores: Stores) -> None:
    two_days(stores)
    folder = stores.folder / "tables" / TABLE / "date=2013-04-01"
    [mine, *_] = folder.glob("*.parquet")
    (folder / "orphan.parquet").write_bytes(mine.read_bytes())
    (folder / ".half").write_bytes(b"PAR1")  # of a writer that lives, perhaps
    expire(stores, KEEP)(at=LATER, actor="test")
    assert [path.name for path in folder.iterdir()] == [".half"]


def test_nobody_compacts_meanwhile(stores: Stores) -> None:
    two_days(stores)
    with (stores.segments.path / f"compactor-{SYSTEM}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="compaction of 'adder'"):
            expire(stores, KEEP)(at=LATER, actor="test")
    assert list(stores.history.entries(kind=ENTRY)) == []


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_a_day_expires_once(stores: Stores, tmp_path: Path, point: str) -> None:
    first, second = two_days(stores)
    process = subprocess.run([sys.executable, "-m", "tests.serving.expiry_main", str(tmp_path), point], check=False)
    assert process.returncode == 9
    entered = len(list(stores.history.entries(kind=ENTRY)))
    # Until the ledger says so, what is asked for by its id is there; then it has expired. Never is it unknown.
    if entered:
        with pytest.raises(NotKept):
            stores.log().find(first[0])
    else:
        assert stores.log().find(first[0]).key == "k0"
    late = log(stores, [record(number, at=SECOND, key="late") for number in range(3)])
    compactor(stores).compact(at=LATER, actor="test")
    expire(stores, KEEP)(at=LATER, actor="test")
    assert ids_in_table(stores) == {*second, *late}
    [entry] = stores.history.entries(kind=ENTRY)
    assert (entry.body["rows"], entry.body["answers"], entry.body["number"]) == (60, 60, 1)
    assert not (stores.folder / "tables" / TABLE / "date=2013-04-01").exists()
    assert "secret-7-" not in uncompressed(stores)
    assert (proved(stores).findings, proved(stores).expired) == ([], 60)
    with pytest.raises(NotKept):
        stores.log().find(first[0])
    assert stores.log().find(second[0]).key == "k60"
    assert SINCE < SECOND
