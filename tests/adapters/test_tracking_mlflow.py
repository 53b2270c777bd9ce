"""Contract of ports/tracking.py on a real SQLite file: content, idempotency, crashes, races, refusals."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from trimtab.adapters.tracking_mlflow import MlflowTracking
from trimtab.kernel.canonical import sha256
from trimtab.kernel.errors import Conflict, InvalidValue, TrackingFailed
from trimtab.ports.tracking import TrackedRun, Tracking

DRILL = Path(__file__).with_name("tracking_drill.py")
MODEL = b"tree\nversion=v4\n"
KEY = "flight-delay/train/2013-04"


def log(
    tracking: Tracking,
    *,
    key: str = KEY,
    auc: float = 0.6875,
    model: bytes = MODEL,
    model_file: str = "model.txt",
) -> TrackedRun:
    return tracking.log_run(
        experiment="flight-delay",
        key=key,
        params={"num_leaves": 31, "learning_rate": 0.05, "objective": "binary"},
        metrics={"roc_auc": auc, "log_loss": 0.41},
        tags={"source": "weather@1"},
        model=model,
        model_file=model_file,
    )


def client_of(folder: Path) -> MlflowClient:
    address = f"sqlite:///{folder / 'mlflow.db'}"
    return MlflowClient(address, address)


def runs_of(folder: Path) -> list[Run]:
    client = client_of(folder)
    experiment = client.get_experiment_by_name("flight-delay")
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def versions_of(folder: Path) -> list[ModelVersion]:
    return list(client_of(folder).search_model_versions("name = 'flight-delay'"))


def model_of(folder: Path, version: str) -> bytes:
    location = client_of(folder).get_model_version_download_uri("flight-delay", version)
    return Path(download_artifacts(location), "model.txt").read_bytes()


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """MLflow's tables, made once for all tests of this file."""
    folder = tmp_path_factory.mktemp("template")
    MlflowTracking(None, folder / "artifacts")
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture
def folder(tmp_path: Path, empty_database: bytes) -> Path:
    place = tmp_path / "a project"
    place.mkdir()
    (place / "mlflow.db").write_bytes(empty_database)
    return place


@pytest.fixture
def tracking(folder: Path) -> MlflowTracking:
    return MlflowTracking(None, folder / "artifacts")


def test_a_run_is_there_with_all_it_was_given(tracking: MlflowTracking, folder: Path) -> None:
    logged = log(tracking)
    (run,) = runs_of(folder)
    (version,) = versions_of(folder)
    assert logged == TrackedRun(run.info.run_id, "models:/flight-delay/1", f"sqlite:///{folder / 'mlflow.db'}")
    assert run.info.status == "FINISHED" and run.info.run_name == KEY
    assert run.data.params == {"num_leaves": "31", "learning_rate": "0.05", "objective": "binary"}
    assert run.data.metrics == {"roc_auc": 0.6875, "log_loss": 0.41}
    assert run.data.tags["source"] == "weather@1" and run.data.tags["trimtab.key"] == KEY
    assert version.run_id == run.info.run_id
    assert version.tags["trimtab.key"] == KEY and version.tags["trimtab.model"] == sha256(MODEL)
    assert model_of(folder, "1") == MODEL


def test_the_same_key_gives_the_same_run_and_another_key_another(tracking: MlflowTracking, folder: Path) -> None:
    first = log(tracking)
    assert log(tracking) == first
    assert log(MlflowTracking(None, folder / "artifacts")) == first
    other = log(tracking, key="flight-delay/train/2013-05")
    assert other.model_version == "models:/flight-delay/2" and other.run_id != first.run_id
    assert len(runs_of(folder)) == 2 and len(versions_of(folder)) == 2


@pytest.mark.parametrize("changed", [{"auc": 0.7}, {"model": b"another"}])
def test_a_finished_run_is_not_overwritten(
    tracking: MlflowTracking, folder: Path, changed: dict[str, float | bytes]
) -> None:
    log(tracking)
    with pytest.raises(Conflict, match=f"run '{KEY}' exists already with other content"):
        log(tracking, **changed)  # type: ignore[arg-type]
    assert len(runs_of(folder)) == 1 and model_of(folder, "1") == MODEL


def test_many_metrics_and_parameters_are_all_logged(tracking: MlflowTracking, folder: Path) -> None:
    metrics = {f"metric_{number:04}": number / 7 for number in range(1_200)}
    params = {f"param_{number:03}": number for number in range(250)}
    tracking.log_run(
        experiment="wide", key="k", params=params, metrics=metrics, tags={}, model=b"m", model_file="m.bin"
    )
    client = client_of(folder)
    experiment = client.get_experiment_by_name("wide")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == metrics
    assert run.data.params == {name: str(value) for name, value in params.items()}


def test_a_half_logged_run_of_another_content_is_given_up(tracking: MlflowTracking, folder: Path) -> None:
    """A crash before the model was logged, and a training that is not deterministic."""
    client = client_of(folder)
    experiment_id = client.create_experiment("flight-delay", (folder / "artifacts").as_uri())
    tags = {"trimtab.key": KEY, "trimtab.content": "of another model"}
    left = client.create_run(experiment_id, tags=tags)
    logged = log(tracking)
    assert {run.info.run_id: run.info.status for run in runs_of(folder)} == {
        left.info.run_id: "KILLED",
        logged.run_id: "FINISHED",
    }


def test_a_run_that_a_person_deleted_is_logged_anew(tracking: MlflowTracking, folder: Path) -> None:
    first = log(tracking)
    client_of(folder).delete_run(first.run_id)
    second = log(tracking)
    assert second.run_id != first.run_id and second.model_version == "models:/flight-delay/2"


def test_a_model_version_that_a_person_deleted_is_registered_anew(tracking: MlflowTracking, folder: Path) -> None:
    first = log(tracking)
    client_of(folder).delete_model_version("flight-delay", "1")
    second = log(tracking)
    assert second.run_id == first.run_id and second.model_version == "models:/flight-delay/2"


def drill(what: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(DRILL), what, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # MLflow prints a hint when it believes an agent imports it; a killed writer leaves temporary files.
        env={**os.environ, "CLAUDECODE": "1", "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no migration log, no hint, no warning
    names: list[str] = json.loads(done.stdout)
    return names


def check_one_finished_run(folder: Path, logged: TrackedRun) -> None:
    finished = [run for run in runs_of(folder) if run.info.status == "FINISHED"]
    assert [run.info.run_id for run in finished] == [logged.run_id]
    assert not [run for run in runs_of(folder) if run.info.status == "RUNNING"]
    assert [(int(version.version), version.run_id) for version in versions_of(folder)] == [(1, logged.run_id)]
    history = client_of(folder).get_metric_history(logged.run_id, "roc_auc")
    assert [metric.value for metric in history] == [0.6875]
    assert model_of(folder, "1") == MODEL


def test_a_writer_killed_after_any_write_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    places = drill("kill", tmp_path)
    assert len(places) == 7
    for place in places:
        left = [run.info.run_id for run in runs_of(tmp_path / place)]
        logged = log(MlflowTracking(None, tmp_path / place / "artifacts"))
        check_one_finished_run(tmp_path / place, logged)
        assert left in ([], [logged.run_id]), f"{place}: the half-logged run was not completed"


def test_two_writers_that_overlap_everywhere_agree_on_one_run(tmp_path: Path) -> None:
    first, second = drill("race", tmp_path)
    assert first == second
    assert len(runs_of(tmp_path)) == 2, "the drill did not make them overlap"
    check_one_finished_run(tmp_path, TrackedRun(first[0], first[1], ""))


def test_a_first_use_that_is_killed_or_made_by_two_at_once_leaves_a_whole_database(tmp_path: Path) -> None:
    first, second = drill("first", tmp_path)
    assert first == second
    check_one_finished_run(tmp_path, TrackedRun(first[0], first[1], ""))


@pytest.mark.parametrize(("name", "value"), [("key", "it's"), ("key", ""), ("model_file", "../model.txt")])
def test_names_that_cannot_be_used_are_refused(tracking: MlflowTracking, name: str, value: str) -> None:
    with pytest.raises(InvalidValue, match=f"{name} has a value that is not allowed"):
        log(tracking, **{name: value})  # type: ignore[arg-type]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(TrackingFailed, match=r"connecting to the tracking server failed[\s\S]*MLFLOW_TRACKING_URI"):
        MlflowTracking(f"sqlite:///{tmp_path}/file/mlflow.db", tmp_path / "artifacts")


def test_a_server_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_address: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = MlflowTracking(closed_address.replace("://", "://ada:secret@"), tmp_path / "artifacts")
    with pytest.raises(TrackingFailed) as caught:
        log(tracking)
    assert caught.value.what == f"logging run '{KEY}' failed"
    assert caught.value.where == closed_address
    assert "secret" not in str(caught.value)


@pytest.fixture
def closed_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
