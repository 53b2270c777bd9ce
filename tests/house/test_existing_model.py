"""Models of MLflow's as they are: found, read, and served in the form that says what MLflow says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapters.kept_models import matrix

from trimtab import loop
from trimtab.adapters.existing_models_mlflow import MlflowModels
from trimtab.cli.serve import _declare, _system_name
from trimtab.house.existing_model import Chosen, adopt, choose
from trimtab.kernel.errors import Corrupt, InvalidValue, NotFound, Refused, TrackingFailed
from trimtab.ports.existing_models import ExistingModel, ExistingModels
from trimtab.project import open_project
from trimtab.wiring.house import open_house
from trimtab.wiring.models import MODELS, existing_models
from trimtab.wiring.serving import open_loader
from trimtab.wiring.stores import Stores, system_clock

ROWS = matrix(50, seed=9, holes=False)[:, :3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the models of registry.py, made by a process of its own: MLflow keeps its address in one."""
    folder = tmp_path_factory.mktemp("registry")
    done = subprocess.run(
        [sys.executable, "-m", "tests.house.registry", str(folder)],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def source(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ExistingModels]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    yield existing_models(tmp_path)
    import mlflow  # noqa: PLC0415

    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def chosen(source: ExistingModels, uri: str, **asked: Any) -> tuple[ExistingModel, Chosen]:
    fields = asked.pop("fields", ())
    with source.fetched(uri, fields) as model:
        return model, choose(model, MODELS, source, **{"pyfunc": False, **asked})


@pytest.mark.parametrize(
    ("uri", "name", "format", "note"),
    [
        ("models:/Churn/1", "Churn", "lightgbm-text", "answered by lightgbm itself, without MLflow"),
        ("models:/Churn/2", "Churn", "sklearn-skops", "it answers the probability of class 1"),
        ("models:/Churn/latest", "Churn", "sklearn-skops", "answered by sklearn itself"),
        ("models:/Churn@champion", "Churn", "lightgbm-text", "answered by lightgbm itself"),
        ("models:/boosted/1", "boosted", "xgboost-ubj", "it answers the probability of class 1"),
        ("models:/own_step/1", "own_step", "mlflow-pyfunc", "tests.adapters.own_step.OwnStep"),
        ("models:/sized/1", "sized", "mlflow-pyfunc", "pandas' categories"),
        ("models:/narrow/1", "narrow", "mlflow-pyfunc", "age, income, score have 32 bits"),
        ("models:/long/1", "long", "mlflow-pyfunc", "inputs city are no numbers"),
    ],
)
def test_the_form_is_the_models_own_where_that_says_the_same(
    source: ExistingModels, uri: str, name: str, format: str, note: str
) -> None:
    model, found = chosen(source, uri)
    assert (model.name, found.format.name) == (name, format)
    assert note in "\n".join(found.notes)
    assert model.facts["run"] and model.uri == uri.replace("@champion", "/1").replace("latest", "2")
    if format == "mlflow-pyfunc":
        assert found.predictor["fast"] is False and "loading it runs the model's own code" in found.notes
    else:
        assert (found.predictor["fast"], found.predictor["rows"]) == (True, 40), "on the model's own input example"


def test_native_and_pyfunc_say_the_same_of_the_same_booster(source: ExistingModels) -> None:
    _, native = chosen(source, "models:/Churn/1")
    _, packed = chosen(source, "models:/Churn/1", pyfunc=True)
    assert (packed.format.name, packed.notes[0]) == (
        "mlflow-pyfunc",
        "answered by MLflow's pyfunc: it was asked for",
    )
    ours, theirs = (one.format.load(one.data).predict(ROWS) for one in (native, packed))
    assert ours.tobytes() == theirs.tobytes()


def test_a_classifier_asked_by_pyfunc_says_its_class(source: ExistingModels) -> None:
    _, native = chosen(source, "models:/Churn/2")
    _, packed = chosen(source, "models:/Churn/2", pyfunc=True)
    probability = native.format.load(native.data).predict(ROWS)
    np.testing.assert_array_equal(packed.format.load(packed.data).predict(ROWS), probability > 0.5)


def test_an_onnx_model_is_asked_as_it_is(source: ExistingModels) -> None:
    model, found = chosen(source, "models:/graph/1")
    assert [(one.name, one.type) for one in model.inputs] == [(f"x{place}", "Float64") for place in range(3)]
    _, linear = chosen(source, "models:/Churn/2")
    said = found.format.load(found.data).predict(ROWS)
    assert found.format.name in {"onnx", "mlflow-pyfunc"}
    if found.format.name == "onnx":
        np.testing.assert_allclose(said, linear.format.load(linear.data).predict(ROWS), rtol=1e-6)


def test_a_folder_is_a_model_too(source: ExistingModels, folder: Path) -> None:
    model, found = chosen(source, str(folder / "saved"))
    assert (model.name, model.uri) == ("saved", f"file:{folder / 'saved'}")
    assert found.format.name == "sklearn-skops"
    assert found.predictor["because"] == "there was no row to prove it on", "it was saved without an example"
    assert any("not by its fast path" in one for one in found.notes)


def test_the_same_version_is_the_same_bytes(source: ExistingModels) -> None:
    for uri in ("models:/long/1", "models:/Churn/1", "models:/Churn/2"):
        assert chosen(source, uri)[1].data == chosen(source, uri)[1].data


def test_a_model_without_a_signature_is_told_its_inputs(source: ExistingModels) -> None:
    with source.fetched("models:/unsigned/1", ()) as model:
        assert model.inputs == () == model.example
    model, found = chosen(source, "models:/unsigned/1", fields=("a", "b", "c"))
    assert [(one.name, one.type) for one in model.inputs] == [("a", "Float64"), ("b", "Float64"), ("c", "Float64")]
    assert found.format.name == "sklearn-skops"


@pytest.mark.parametrize(
    ("uri", "error", "allowed"),
    [
        ("models:/Churn/3", NotFound, "versions 1, 2"),
        ("models:/nobody/1", NotFound, "models Churn, boosted"),
        ("models:/Churn@nobody", (NotFound, TrackingFailed), ""),
        ("models:/Churn", InvalidValue, "models:/name/version"),
        ("s3:whatever", InvalidValue, "or a folder with an MLmodel file"),
        ("runs:/abc/model", (NotFound, TrackingFailed), ""),
        ("models:/dated/1", InvalidValue, "inputs of the types boolean, double"),
    ],
)
def test_what_is_not_there_or_cannot_be_asked_is_told(
    source: ExistingModels, uri: str, error: Any, allowed: str
) -> None:
    with pytest.raises(error) as raised, source.fetched(uri, ()):
        pass
    assert allowed in raised.value.allowed and raised.value.do


def test_where_no_model_is_registered_it_says_so(tmp_path: Path) -> None:
    source = MlflowModels(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(NotFound) as raised, source.fetched("models:/nobody/1", ()):
        pass
    assert raised.value.allowed.startswith("no model is registered in") and "MLFLOW_TRACKING_URI" in raised.value.do


def test_a_folder_without_a_model_is_told_what_it_holds(source: ExistingModels, tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("tree\n")
    with pytest.raises(InvalidValue, match="model's folder") as raised, source.fetched(str(tmp_path), ()):
        pass
    assert raised.value.got == "'model.txt'" and "trimtab up" in raised.value.do


def declared(place: Path, source: ExistingModels, uri: str, key: str = "") -> tuple[Path, ExistingModel, Chosen]:
    with source.fetched(uri, ()) as model:
        found = choose(model, MODELS, source, pyfunc=False)
        home = place / "served"
        _declare(home, "served", model, found, key)
        return home, model, found


def test_a_release_of_it_answers_its_inputs_and_nothing_else(source: ExistingModels, tmp_path: Path) -> None:
    home, model, found = declared(tmp_path, source, "models:/long/1", key="city")
    stores = Stores(open_project(home))
    try:
        house = open_house(stores)
        digest = adopt(house, model, found, at=system_clock().now(), actor="user:ada")
        assert adopt(house, model, found, at=system_clock().now(), actor="user:bob") == digest
        release = house.releases.get(digest)
        assert release.request == (("city", "String"), ("age", "Float64")) and release.key == "city"
        assert house.releases.facts("served", digest)["override"]
        loaded = open_loader(stores)(digest)
        block = loaded.look_up([{"city": "berlin", "age": 2.0}, {"city": "ams", "age": None}], [0, 0])
        assert block.values == [["berlin", 2.0], ["ams", None]]
        scores = loaded.score(block)
        assert scores[0] == 12.0 and np.isnan(scores[1])
        list(house.ingest(house.system.sources[0], system_clock().now()))
        with pytest.raises(Refused, match="the training was refused"):
            loop.train(house, system_clock().now(), "user:ada")
    finally:
        stores.close()


def test_a_release_may_be_loaded_only_while_its_own_code_allows_the_format(
    source: ExistingModels, tmp_path: Path
) -> None:
    home, model, found = declared(tmp_path, source, "models:/long/1")
    text = (home / "system.py").read_text()
    assert 'allow_formats=["mlflow-pyfunc"]' in text
    (home / "system.py").write_text(text.replace('    allow_formats=["mlflow-pyfunc"],\n', ""))
    stores = Stores(open_project(home))
    try:
        house = open_house(stores)
        digest = adopt(house, model, found, at=system_clock().now(), actor="user:ada")
        with pytest.raises(Refused, match="its format 'mlflow-pyfunc' runs code when it is loaded"):
            open_loader(stores)(digest)
    finally:
        stores.close()


def test_what_somebody_else_has_written_stays(source: ExistingModels, tmp_path: Path) -> None:
    home, *_ = declared(tmp_path, source, "models:/Churn/1")
    declared(tmp_path, source, "models:/Churn/2")
    assert "models:/Churn/2" in (home / "system.py").read_text()
    (home / "system.py").write_text("import trimtab\n")
    with pytest.raises(Refused, match="was not made by this command"):
        declared(tmp_path, source, "models:/Churn/1")
    assert (home / "system.py").read_text() == "import trimtab\n"


def test_a_damaged_folder_is_corrupt(source: ExistingModels) -> None:
    _, found = chosen(source, "models:/long/1")
    for part in (0.2, 0.5, 0.9):
        with pytest.raises(Corrupt):
            found.format.load(found.data[: int(len(found.data) * part)])
    with pytest.raises(Corrupt):
        found.format.load(found.data[:10_240])


@pytest.mark.parametrize(
    ("model", "system"),
    [("Churn", "churn"), ("Fraud Model.v2", "fraud-model-v2"), ("2024", "model"), ("_x_", "x"), ("é", "model")],
)
def test_a_system_is_called_after_its_model(model: str, system: str) -> None:
    assert _system_name(model) == system
