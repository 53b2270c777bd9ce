"""Tracking on MLflow: an SQLite file of the project, or the team's own server.

A run is logged in an order in which a crash at any point leaves what the next call with the same key and
content completes: the run (RUNNING, with its key), parameters and metrics, the model's file, the model version,
and at last FINISHED. MLflow has no "create unless there" for runs, so two processes may open one each; what
decides between them is the version number, which the registry's database hands out one at a time. The lowest
version of a key counts; whoever finds that it registered a later one takes that back.

A model version points at the run's artefact folder and not at an MLflow "logged model": the SQL registry of
MLflow 3.17 resolves those through the process-wide tracking address, and servers before 3 do not know them.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping
from fcntl import LOCK_EX, flock
from operator import itemgetter
from pathlib import Path
from urllib.parse import urlsplit

# MLflow reads these when it is imported. It would otherwise report its use over the network, write an
# identifier into the home folder, log its migrations, and print links and hints between our own lines.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# The default of 7 lets a person wait for minutes before hearing that the server is down.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from trimtab.kernel.canonical import digest, sha256
from trimtab.kernel.errors import Conflict, InvalidValue, TrackingFailed
from trimtab.ports.tracking import TrackedRun

KEY_TAG = "trimtab.key"
CONTENT_TAG = "trimtab.content"  # digest of all that was logged: tells a half-logged run from another one's
MODEL_TAG = "trimtab.model"  # SHA-256 of the model's bytes
MODEL_FOLDER = "model"  # under the run's artefacts
_NOT_TAKEN = (MlflowException, SQLAlchemyError, OSError)  # OSError: artefact folders, and what requests raises


class MlflowTracking:
    """Runs and model versions in MLflow; one client, none of MLflow's process-wide state."""

    def __init__(self, tracking_uri: str | None, artifact_root: Path) -> None:
        """Connect; the first use of an SQLite file creates MLflow's tables, which takes a second or two.

        Args:
            tracking_uri: the team's server or database; None or empty: `mlflow.db` beside `artifact_root`.
            artifact_root: where models of new experiments go; a tracking server decides that itself.

        Raises:
            TrackingFailed: the address cannot be used.
        """
        root = artifact_root.resolve()
        database = root.parent / "mlflow.db"
        self._uri = tracking_uri or f"sqlite:///{database}"
        self._shown_uri = _without_password(self._uri)
        self._artifacts = None if urlsplit(self._uri).scheme in {"http", "https", "databricks"} else root.as_uri()
        try:
            if not tracking_uri:
                _create_database(database)
            self._client = _connect(self._uri, None if tracking_uri else self._uri)
        except _NOT_TAKEN as error:
            raise self._failed("connecting to the tracking server", error) from error

    def log_run(
        self,
        *,
        experiment: str,
        key: str,
        params: Mapping[str, str | int | float],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        model: bytes,
        model_file: str,
    ) -> TrackedRun:
        """Log a run with its model; the same key and content again give the same run and model version.

        Raises:
            Conflict: a run of this key is finished and has other content.
            InvalidValue: a key or file name that cannot be used.
            TrackingFailed: the server does not answer, or does not take the run.
        """
        for name, text in (("experiment", experiment), ("key", key)):
            if not text or set(text) & set("'\\"):
                raise InvalidValue(name, text, allowed="a text without quotes and backslashes", where="log_run")
        if not model_file or Path(model_file).name != model_file:
            raise InvalidValue("model_file", model_file, allowed="a file name without folders", where="log_run")
        texts = {name: str(value) for name, value in sorted(params.items())}
        numbers = {name: float(value) for name, value in sorted(metrics.items())}
        content = digest([texts, {name: repr(one) for name, one in numbers.items()}, dict(tags), sha256(model)])
        marks = {KEY_TAG: key, CONTENT_TAG: content, MODEL_TAG: sha256(model)}
        try:
            run = self._open_run(experiment, marks, tags)
            if run.info.status != "FINISHED":
                # The run's own start as the metrics' time: logged twice they stay one point.
                points = [Metric(name, number, run.info.start_time, 0) for name, number in numbers.items()]
                self._client.log_batch(run.info.run_id, points, [Param(*pair) for pair in texts.items()])
                self._put_model(run.info.run_id, model, model_file)
            version, run_id = self._register(experiment, run, marks)
        except _NOT_TAKEN as error:
            raise self._failed(f"logging run '{key}'", error) from error
        return TrackedRun(run_id, f"models:/{experiment}/{version}", self._shown_uri)

    def _open_run(self, experiment: str, marks: dict[str, str], tags: Mapping[str, str]) -> Run:
        """The run to complete: the one that counts, one that a crash left half-logged, or a new one."""
        experiment_id = self._experiment(experiment)
        key, content = marks[KEY_TAG], marks[CONTENT_TAG]
        counting = self._versions(experiment, key)
        if counting:
            return _of_content(content, counting[0][1], key)
        of_key = f"tags.`{KEY_TAG}` = '{key}'"
        for run in self._client.search_runs([experiment_id], of_key, order_by=["attributes.start_time ASC"]):
            if run.info.status == "FINISHED":
                return _of_content(content, run, key)
            if run.info.status == "RUNNING" and run.data.tags.get(CONTENT_TAG) == content:
                return run
            if run.info.status == "RUNNING":
                # Left by a crash, and the training since then gave another model: parameters cannot be changed.
                self._client.set_terminated(run.info.run_id, "KILLED")
        return self._client.create_run(experiment_id, tags={**tags, **marks}, run_name=key)

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, artifact_location=self._artifacts))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(name)  # another process was first
        assert found is not None
        return str(found.experiment_id)

    def _put_model(self, run_id: str, model: bytes, model_file: str) -> None:
        with tempfile.TemporaryDirectory(prefix="trimtab-") as folder:
            path = Path(folder, model_file)
            path.write_bytes(model)
            self._client.log_artifact(run_id, str(path), MODEL_FOLDER)

    def _versions(self, experiment: str, key: str) -> list[tuple[int, Run]]:
        """Version numbers of a key with their runs, the one that counts first; a deleted run's do not count."""
        found = self._client.search_model_versions(f"name = '{experiment}' and tags.`{KEY_TAG}` = '{key}'")
        runs = [(int(one.version), self._active_run(one.run_id)) for one in found if one.run_id]
        return sorted(((number, run) for number, run in runs if run is not None), key=itemgetter(0))

    def _active_run(self, run_id: str) -> Run | None:
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def _register(self, experiment: str, run: Run, marks: dict[str, str]) -> tuple[int, str]:
        """The version that counts and its run's id, that run finished; a later version of ours is taken back."""
        key = marks[KEY_TAG]
        counting = self._versions(experiment, key)
        if not counting:
            mine = self._create_version(experiment, run, marks)
            counting = self._versions(experiment, key)
            if mine != counting[0][0]:
                self._client.delete_model_version(experiment, str(mine))
        version, first = counting[0]
        if run.info.run_id != first.info.run_id:
            self._client.set_terminated(run.info.run_id, "KILLED")
        if _of_content(marks[CONTENT_TAG], first, key).info.status != "FINISHED":
            self._client.set_terminated(first.info.run_id, "FINISHED")
        return version, str(first.info.run_id)

    def _create_version(self, experiment: str, run: Run, marks: dict[str, str]) -> int:
        try:
            self._client.create_registered_model(experiment)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{run.info.artifact_uri}/{MODEL_FOLDER}"
        return int(self._client.create_model_version(experiment, source, run.info.run_id, tags=marks).version)

    def _failed(self, action: str, error: Exception) -> TrackingFailed:
        first_line = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        return TrackingFailed(action, where=self._shown_uri, got=first_line.replace(self._uri, self._shown_uri))


def _connect(tracking_uri: str, registry_uri: str | None) -> MlflowClient:
    with warnings.catch_warnings():
        # MLflow 3.17 declares relations with a loader that SQLAlchemy 2.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=registry_uri)


def _create_database(database: Path) -> None:
    """Make MLflow's tables beside the file and rename: a file of that name is always complete.

    MLflow's migrations are no transaction on SQLite. Killed in the middle, or run by two processes at once,
    they leave a file that no later start can open.
    """
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{database}.lock", "w") as lock:
        flock(lock, LOCK_EX)  # given back when the process ends, however it ends
        if not database.exists():
            unfinished = database.with_name(f"{database.name}.new")
            unfinished.unlink(missing_ok=True)
            Path(f"{unfinished}-journal").unlink(missing_ok=True)
            _connect(f"sqlite:///{unfinished}", f"sqlite:///{unfinished}")
            unfinished.rename(database)


def _of_content(content: str, run: Run, key: str) -> Run:
    if run.data.tags.get(CONTENT_TAG) != content:
        raise Conflict("run", key)
    return run


def _without_password(uri: str) -> str:
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
