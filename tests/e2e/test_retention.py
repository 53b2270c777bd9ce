"""A system that keeps a share of its predictions, and for some weeks: what is there, what is said, what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

import polars as pl
import pytest
from tests.e2e.command import said
from tests.e2e.living import Living
from tests.e2e.sampled_life import PERIOD, live_it
from tests.e2e.stores import predictions

from trimtab import loop
from trimtab.cli.session import session
from trimtab.governance.audit import verify
from trimtab.house.explanation import explain_prediction
from trimtab.house.log_kept import log_kept
from trimtab.house.parity import parity, traffic
from trimtab.kernel.errors import NotKept
from trimtab.kernel.prediction_id import PredictionId
from trimtab.serving.proving import Proved, prove
from trimtab.serving.retention import Retention

POLICY = Retention("40d", 0.4)
LATER = "2024-05-11T12:00:00+00:00"  # the last day of March has expired, the first one of April not


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampled") / "tiny"
    Living(live_it, folder, folder).ends()  # in a process of its own: its client's threads end with it
    return folder


def asked(folder: Path, until: datetime = PERIOD.until) -> list[str]:
    """Keys of the questions of the life, or of its last day before an instant."""
    orders = pl.read_parquet(folder / "data" / "orders.parquet")
    since = PERIOD.start if until == PERIOD.until else until - timedelta(days=1)
    return orders.filter(pl.col("asked_at") > since, pl.col("asked_at") <= until)["order_id"].to_list()


def left_out(folder: Path) -> Iterator[str]:
    """Ids of answers that were given and not kept."""
    with session(folder=folder) as open_:
        house = open_.house
        for entry in house.reader.entries(kind="segments.compacted"):
            for day, digest in cast("dict[str, str]", entry.body.get("proofs", {})).items():
                for name, part in house.proofs.get(house.name, date.fromisoformat(day), digest).items():
                    worker, number = map(int, name.split("-"))
                    for offset, at_ms in part.left_out:
                        yield str(PredictionId(at_ms, worker, number, offset))


def audited(folder: Path) -> Proved:
    with session(folder=folder) as open_:
        house = open_.house
        assert verify(house.reader, house.heads()).ok
        return prove(house.name, journal=house.reader, tables=house.tables, proofs=house.proofs)


def test_the_sample_is_what_the_rule_says_and_every_other_answer_is_accounted_for(sampled: Path) -> None:
    kept, keys = predictions(sampled), asked(sampled)
    assert sorted(kept["key"]) == sorted(key for key in keys if POLICY.draws("tiny", key))
    gone = list(left_out(sampled))
    assert len(set(gone)) == len(gone) == len(keys) - kept.height
    with session(folder=sampled) as open_:
        house = open_.house
        assert (log_kept(house).answered, log_kept(house).kept) == (len(keys), kept.height)
        noon = PERIOD.start + timedelta(hours=30)
        assert traffic(house, noon) == len(asked(sampled, noon)) > kept.height
        assert parity(house) == []
        assert house.system.definition()["log"] == {"keep": "40d", "sample": 0.4}
    status = said(sampled, "status").out
    assert f"{kept.height:,} kept of {len(keys):,} answers" in status
    assert "keep=40d, sample=0.4" in status


def test_explain_says_of_an_answer_that_is_not_kept_that_it_was_given(sampled: Path) -> None:
    done = said(sampled, "explain", next(left_out(sampled)))
    assert done.status == 1
    for told in ("is not kept any more", "keep=40d, sample=0.4", "it was answered", "where:", "allowed:", "do:"):
        assert told in done.err
    assert "Traceback" not in done.out + done.err


def test_a_tick_erases_what_is_too_old(sampled: Path) -> None:
    before, answered = predictions(sampled), len(asked(sampled))
    assert (audited(sampled).findings, audited(sampled).proved) == ([], before.height)
    old = before.filter(pl.col("date") < date(2024, 4, 1))
    assert 0 < old.height < before.height
    table = sampled / ".trimtab" / "tables" / "predictions"
    assert {path.parent.name for path in table.glob("date=*/*")} == {"date=2024-03-31", "date=2024-04-01"}
    with session(LATER, folder=sampled) as open_:
        told = [one.text for one in loop.tick(open_.house, open_.now)]
        assert f"{old.height:,} predictions of 2024-03-31 expired and were erased" in told
        assert not any("expired" in one.text for one in loop.tick(open_.house, open_.now))
        with pytest.raises(NotKept, match="is not kept any more") as gone:
            explain_prediction(open_.house, old["id"][0])
    assert "expired on 2024-05-11" in gone.value.got
    assert set(predictions(sampled)["id"]) == set(before["id"]) - set(old["id"])
    assert {path.parent.name for path in table.glob("date=*/*")} == {"date=2024-04-01"}
    for path in table.rglob("*.parquet"):
        assert not set(pl.read_parquet(path, hive_partitioning=False).get_column("key", default=old["id"])) & set(
            old["key"]
        )
    audit = audited(sampled)
    assert audit.lines()[0] == f"predictions: {before.height - old.height} of {answered} records kept, all proved"
    assert f"{old.height} expired, by the system's policy" in audit.lines()


def test_the_audit_finds_a_damaged_table_and_ends_badly(sampled: Path) -> None:
    [path, *_] = (sampled / ".trimtab" / "tables" / "predictions").glob("date=*/*.parquet")
    whole = path.read_bytes()
    try:
        rows = pl.read_parquet(path, hive_partitioning=False)
        rows.with_columns(score=1 - pl.col("score")).write_parquet(path)
        done = said(sampled, "audit", "predictions")
        assert (done.status, done.err) == (1, "")
        assert "NOT whole" in done.out
        assert "are not what was logged" in done.out
    finally:
        path.write_bytes(whole)
    assert audited(sampled).ok
