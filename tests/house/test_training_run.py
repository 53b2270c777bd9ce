"""A run is judged and released as it was declared when it was trained, whatever the working tree says by then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.e2e.tiny import world

from trimtab.house import training_run
from trimtab.house.house import House
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.verdict import Outcome
from trimtab.project import open_project
from trimtab.training.pipeline import ipc
from trimtab.wiring.house import open_house
from trimtab.wiring.stores import Stores

NOW = datetime(2024, 3, 20, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("system.py", "trimtab.toml"):
        shutil.copyfile(Path(world.__file__).with_name(name), tmp_path / name)
    world.write(tmp_path / "data")
    return tmp_path


@contextmanager
def opened(folder: Path) -> Iterator[House]:
    """The project as a process of its own would open it."""
    with closing(Stores(open_project(folder))) as stores:
        yield open_house(stores)


def trained(house: House) -> str:
    """A run as it stands in the journal after a training; nothing is trained."""
    for source in house.system.sources:
        list(house.ingest(source, NOW))
    spec = training_run.spec_of(house, NOW)
    count = 400
    label = [float(number % 2) for number in range(count)]
    trial = pl.DataFrame(
        {
            "label": label,
            "challenger": [0.2 + 0.6 * one for one in label],
            "champion": [0.5] * count,
            "block": [number // 50 for number in range(count)],
            "shop": ["ams"] * count,
            "price": [1.0] * count,
        }
    )
    result: dict[str, Json] = {
        "trial": house.blobs.put(ipc(trial)),
        "model": house.blobs.put(b"a model"),
        "features": [],
        "rows": count,
        "first_at": "",
        "last_at": "",
        "base_rate": 0.5,
        "training_set_sha256": "",
    }
    with house.journal.begin(at=NOW, actor="loop") as unit:
        unit.append("run.finished", spec.id, {})
        unit.put(training_run.KIND, spec.id, {"spec": spec.body(), "result": result, "model_format": "none"})
        unit.point(f"run/{house.name}", spec.id)
    return spec.id


def edit(folder: Path, *changes: tuple[str, str]) -> None:
    text = (folder / "system.py").read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "system.py").write_text(text)


def test_a_run_is_judged_and_released_as_it_was_declared(folder: Path) -> None:
    with opened(folder) as house:
        run = trained(house)
        verdicts = training_run.verdicts_of(house, run)
        release = training_run.release_of(house, run, verdicts)
        assert [one.gate for one in verdicts] == [gate.name for gate in house.system.gates]
    assert all(one.outcome is Outcome.PASS for one in verdicts)
    assert dict(release.request) == {"order_id": "String", "shop": "String", "price": "Float64"}
    assert (release.key, release.label["column"]) == ("order_id", "returned")
    edit(
        folder,
        ('fields=("shop", "price")', 'fields=("shop", "price", "asked_at")'),
        ("at_least=0.6", "at_least=0.9999"),
        ("tt.gates.not_worse", "tt.gates.slice_floor('roc_auc', by='shop', at_least=0.5), tt.gates.not_worse"),
        ('tt.Label(returns, "returned"', 'tt.Label(returns, "known_late"'),
        ('"data/returns.parquet"', '"data/changed.parquet"'),
    )
    truth = pl.read_parquet(folder / "data" / "returns.parquet")
    truth.with_columns(known_late=pl.col("returned")).write_parquet(folder / "data" / "changed.parquet")
    with opened(folder) as house:
        assert house.system.label.column == "known_late"
        assert len(house.system.gates) > len(verdicts)
        assert training_run.verdicts_of(house, run) == verdicts
        assert training_run.release_of(house, run, verdicts) == release


def test_requests_have_the_types_that_the_run_was_trained_on(folder: Path) -> None:
    with opened(folder) as house:
        run = trained(house)
    orders = pl.read_parquet(folder / "data" / "orders.parquet")
    orders.with_columns(pl.col("price").cast(pl.Int64)).write_parquet(folder / "data" / "orders.parquet")
    with opened(folder) as house:
        assert dict(training_run.release_of(house, run, []).request)["price"] == "Float64"


def test_a_run_whose_definitions_cannot_be_had_again_is_corrupt(folder: Path) -> None:
    with opened(folder) as house:
        trained(house)
        spec = training_run.spec_of(house, NOW)
        other = replace(spec, views=(("order", "0" * 64), *spec.views[1:]))
        body = {**training_run.run_record(house, ""), "spec": other.body()}
        with house.journal.begin(at=NOW, actor="loop") as unit:
            unit.append("run.finished", other.id, {})
            unit.put(training_run.KIND, other.id, body)
        with pytest.raises(Corrupt, match=f"the code of run {other.id} is corrupt"):
            training_run.verdicts_of(house, other.id)
