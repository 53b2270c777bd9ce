"""Training sets are made again byte for byte, from pinned code and pinned files alone."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
from deltalake import DeltaTable
from tests.e2e.tiny_life import START
from tests.house.answering import edited, feed, made, of_other_file, take

from trimtab import loop
from trimtab.cli.session import Session, session
from trimtab.house import training_run
from trimtab.house.datasets import quarantine_of, source_of
from trimtab.house.environment import environment
from trimtab.house.rebuilding import Rebuilt, rebuild, run_named, write_rebuilt
from trimtab.kernel.canonical import Json, sha256
from trimtab.kernel.errors import Corrupt, NotFound
from trimtab.training.spec import spec_from

FIRST = datetime(2024, 3, 10, tzinfo=UTC)
TABLES = ("orders", "returns", "shops")
MISSED = "o01800"  # an order that is delivered after the training, though its return was known by then


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was made from corrections, back-fills and rows let in from quarantine; and its release."""
    folder = made(tmp_path_factory.mktemp("rebuilt") / "tiny")
    edited(folder, '    holdout="5d",\n', '    holdout="5d",\n    windows=["12d"],\n')
    orders_file = folder / "data" / "orders.parquet"
    orders = pl.read_parquet(orders_file)
    orders.filter(pl.col("order_id") != MISSED).write_parquet(orders_file)
    returns = pl.read_parquet(folder / "data" / "returns.parquet")
    early = returns.filter(pl.col("known_at") < FIRST)
    with session(folder=folder) as open_:
        take(open_, FIRST)
        feed(folder, "returns", early[::7].with_columns(~pl.col("returned"), known_at=FIRST + timedelta(days=3)))
        feed(folder, "returns", early[::11].with_columns(order_id=pl.col("order_id") + "-late"))
        take(open_, datetime(2024, 3, 25, tzinfo=UTC))
        source, at = source_of(open_.house, "orders"), datetime(2024, 3, 26, tzinfo=UTC)
        let_in = quarantine_of(open_.house).release(source, [], "price", by="user:test", why="it is right", now=at)
        assert let_in
        take(open_, START)
        versions = {name: open_.house.versions.all(name) for name in TABLES}
        assert sum(one.backfilled for one in versions["returns"]) > 0
        assert sum(one.released for one in versions["orders"]) == len(let_in)
        run = loop.train(open_.house, START, "test")
        loop.release(open_.house, run, START, "test", "for the test")
    feed(folder, "orders", orders.filter(pl.col("order_id") == MISSED))
    return folder


@pytest.fixture
def living(lived: Path, tmp_path: Path) -> Iterator[Session]:
    with session(folder=Path(shutil.copytree(lived, tmp_path / "tiny"))) as open_:
        yield open_


def rebuilt(living: Session, named: str = "") -> Rebuilt:
    return rebuild(living.house, named, lambda *_: None)


def result_of(living: Session) -> dict[str, Any]:
    return cast("dict[str, Any]", training_run.run_record(living.house, "")["result"])


def pinned_file(living: Session, source: str) -> Path:
    """One of the run's."""
    [(name, _), *_] = living.house.versions.version(source, 1).files
    return living.stores.home / "tables" / "sources" / source / name


def test_the_same_bytes(living: Session) -> None:
    found, result = rebuilt(living), result_of(living)
    assert found.same and found.sha256 == found.recorded == sha256(found.data)
    assert found.data == living.house.blobs.get(str(result["training_set"]))
    rows = pl.read_ipc(io.BytesIO(found.data))
    assert found.rows == rows.height == result["rows"] > 0
    assert rows["_at"].min() > rows["_at"].max() - timedelta(days=12)  # type: ignore[operator]
    assert result["window_us"] == timedelta(days=12) / timedelta(microseconds=1)
    assert (found.kept, found.changed) == ("the same rows", ())
    assert found.files == sum(len(one.files) for name in TABLES for one in living.house.versions.all(name))
    assert found.run.startswith("train-tiny-") and found.release == living.house.releases.find("tiny")
    assert "o01470" in rows["_key"]  # was in quarantine


def test_whatever_has_happened_since(living: Session) -> None:
    """Later versions, other definitions, tables cleaned up by Delta's own tools, its own copy gone."""
    before, folder = rebuilt(living), living.house.project.folder
    returns = pl.read_parquet(folder / "data" / "returns.parquet")
    flipped = returns.filter(pl.col("known_at") < START).with_columns(
        ~pl.col("returned"), known_at=pl.lit(START + timedelta(days=1))
    )
    feed(folder, "returns", flipped)
    for days in (2, 3):
        take(living, START + timedelta(days=days))
    assert MISSED in living.house.versions.frame("orders").collect()["order_id"]
    digest = before.recorded
    (living.stores.home / "blobs" / digest[:2] / digest).unlink()
    edited(folder, "    return shops\n", '    return shops.with_columns(pl.col("staff") + 100)\n')
    for name in ("orders", "returns", "shops"):
        (folder / "data" / f"{name}.parquet").unlink()
        _cleaned_up(living.stores.home / "tables" / "sources" / name)
    _cleaned_up(living.stores.home / "tables" / "quarantine" / "orders")
    living.stores.close()
    shutil.rmtree(living.stores.home / "code")
    with session(folder=folder, checked=False) as again:
        found = rebuilt(again)
    assert found == replace(before, kept="nothing")


def _cleaned_up(folder: Path) -> None:
    """As far as Delta's tools go: no commit is left in its log, no file that its newest version does not name."""
    (folder / "orphan.parquet").write_bytes((next(folder.glob("*.parquet"))).read_bytes())
    table = DeltaTable(str(folder))
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    table = DeltaTable(str(folder))
    table.create_checkpoint()
    table.cleanup_metadata()
    removed = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    assert removed == ["orphan.parquet"]
    assert not (folder / "_delta_log" / f"{0:020d}.json").exists()


def test_without_deltas_log(living: Session) -> None:
    before = rebuilt(living)
    for name in TABLES:
        shutil.rmtree(living.stores.home / "tables" / "sources" / name / "_delta_log")
    folder = living.house.project.folder
    living.stores.close()
    with session(folder=folder) as again:
        assert rebuilt(again) == before


@pytest.mark.parametrize("source", TABLES)
def test_a_file_that_is_not_what_was_written_is_named(living: Session, source: str) -> None:
    path = pinned_file(living, source)
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    with pytest.raises(Corrupt) as corrupt:
        rebuilt(living)
    assert (corrupt.value.where, corrupt.value.allowed) == (str(path), f"bytes with SHA-256 {sha256(data)}")
    assert "restore the files from a backup" in corrupt.value.do
    path.unlink()
    with pytest.raises(Corrupt, match="are gone") as corrupt:
        rebuilt(living)
    assert corrupt.value.where == str(path)
    path.write_bytes(data)
    assert rebuilt(living).same


def test_a_dataset_version_of_another_content_is_corrupt(living: Session) -> None:
    other = _with_other(living, sources={"orders": [1, "0" * 64]})
    with pytest.raises(Corrupt, match="dataset version orders@000001"):
        rebuilt(living, other)


def test_code_that_is_gone(living: Session) -> None:
    run, _ = run_named(living.house, "")
    code = spec_from(training_run.run_record(living.house, run)["spec"]).code  # type: ignore[arg-type]
    (living.stores.home / "blobs" / code[:2] / code).unlink()
    with pytest.raises(NotFound, match=code):
        rebuilt(living)


def test_named_by_run_or_release(living: Session) -> None:
    house = living.house
    run, release = run_named(house, "")
    assert house.releases.facts("tiny", release)["run"] == run
    for named in (run, run[:-3], release, release[:8]):
        assert run_named(house, named) == (run, release)
    other = of_other_file(living.stores, "canary.py", release, START)
    assert run_named(house, other[:10]) == (run, other)
    assert run_named(house, run) == (run, release)
    with pytest.raises(NotFound, match="there is no run or release 'zzz'") as none:
        run_named(house, "zzz")
    assert run in none.value.allowed and release[:12] in none.value.allowed
    _with_other(living)
    with pytest.raises(NotFound, match="there is no single run or release 'train-tiny-'"):
        run_named(house, "train-tiny-")


def test_the_champions_run_unless_another_is_named(living: Session) -> None:
    house = living.house
    run, release = run_named(house, "")
    loop.deploy(house, release, START, "test")
    newer = _with_other(living)
    assert run_named(house, "") == (run, release)
    assert run_named(house, newer) == (newer, "")


def test_nothing_was_trained_yet(tmp_path: Path) -> None:
    with (
        session(folder=made(tmp_path / "tiny")) as open_,
        pytest.raises(NotFound, match="there is no run 'of tiny'"),
    ):
        rebuilt(open_)


def test_other_bytes_are_told_with_what_may_have_changed_them(living: Session) -> None:
    """Of the run's own copy, and of libraries that the release names."""
    found = rebuilt(living, _with_other(living, recorded="0" * 64))
    assert not found.same and found.recorded == "0" * 64
    assert (found.kept, found.changed, found.release) == ("the same rows", (), "")
    run, digest = run_named(living.house, living.house.releases.find("tiny"))
    older = replace(
        living.house.releases.get(digest), environment={**environment(), "polars": "0.20.1", "lightgbm": "4.0.0"}
    )
    verdicts = training_run.verdicts_of(living.house, run)
    made_then = living.house.release_writer.create(older, verdicts, run, at=START, actor="test", override="test")
    found = rebuilt(living, made_then)
    assert found.same
    assert [(one.name, one.then) for one in found.changed] == [("lightgbm", "4.0.0"), ("polars", "0.20.1")]
    assert {one.now for one in found.changed} == {environment()["polars"], environment()["lightgbm"]}


def test_what_is_written_is_the_set(living: Session, tmp_path: Path) -> None:
    found = rebuilt(living)
    file = write_rebuilt(found, tmp_path / "deep" / "set.arrow", force=False)
    assert sha256(file.read_bytes()) == found.recorded


def _with_other(living: Session, *, recorded: str = "", sources: dict[str, Json] | None = None) -> str:
    """Another run, written down beside the first; its id."""
    body = training_run.run_record(living.house, "")
    spec = spec_from(body["spec"])  # type: ignore[arg-type]
    spec = replace(spec, champion_until_us=1, sources={**spec.sources, **(sources or {})})
    result = {**result_of(living), **({"training_set_sha256": recorded} if recorded else {})}
    with living.house.journal.begin(at=START, actor="test") as unit:
        unit.append("run.finished", spec.id, {})
        unit.put(training_run.KIND, spec.id, {**body, "spec": spec.body(), "result": result})
        unit.point("run/tiny", spec.id)
    return spec.id
