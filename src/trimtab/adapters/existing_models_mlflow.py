"""Model versions of MLflow, as any tool has logged them."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

# See tracking_mlflow.py.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from trimtab.adapters.mlmodel_file import MlmodelFolder
from trimtab.kernel.errors import InvalidValue, NotFound, TrackingFailed, TrimtabError, listed
from trimtab.ports.existing_models import ExistingModel, Native

_MODEL = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+))")
_RUN = re.compile(r"runs:/(?P<run>[^/]+)/(?P<path>.+)")
_FORMS = "models:/name/version, models:/name@alias, runs:/run/path, or a folder with an MLmodel file"
_FLAVOURS = ("lightgbm", "xgboost", "sklearn", "onnx")


class MlflowModels:
    """Implements ExistingModels, by MLflow's own way to find and fetch."""

    def __init__(self, tracking_uri: str) -> None:
        """`tracking_uri`: empty leaves it to MLflow, that is to its own settings."""
        # Fetching from a registry goes through the process-wide address; this process does nothing else with it.
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        self._where = mlflow.get_tracking_uri()

    @contextmanager
    def fetched(self, uri: str, fields: Sequence[str]) -> Iterator[ExistingModel]:
        """A model in a folder; one that is fetched lies in a temporary one."""
        with tempfile.TemporaryDirectory(prefix="trimtab-existing-") as place:
            if Path(uri).is_dir():
                yield self._read(
                    Path(uri).absolute(), f"file:{Path(uri).absolute()}", Path(uri).absolute().name, fields
                )
                return
            uri, name = self._resolved(uri)
            try:
                with _quiet():
                    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=place))
            except Exception as error:  # each store of artefacts has errors of its own
                raise self._failed(uri, error) from error
            yield self._read(folder, uri, name, fields)

    def native(self, model: ExistingModel) -> Native | str:
        """By the flavour that MLflow has logged beside `python_function`."""
        folder = MlmodelFolder(model.folder, model.uri)
        flavour = next((one for one in _FLAVOURS if one in folder.flavours), "")
        if not flavour:
            return f"its flavours are {listed(folder.flavours)}"
        try:
            return Native(flavour, _loaded(flavour, folder))
        except TrimtabError:
            raise
        except Exception as error:  # a pickle, or a library that is not there, may raise what it likes
            return f"it cannot be loaded as a {flavour} model: {_first_line(error)}"

    def _resolved(self, uri: str) -> tuple[str, str]:
        """The address with a version in the place of an alias, and the model's name."""
        if found := _MODEL.fullmatch(uri):
            return f"models:/{found['name']}/{self._version(uri, found)}", found["name"]
        if found := _RUN.fullmatch(uri):
            return uri, found["path"].rpartition("/")[2]
        if re.fullmatch(r"models:/m-[0-9a-f]+", uri):
            return uri, uri.rpartition("/")[2]
        raise InvalidValue("the model", uri, allowed=_FORMS, do="name a model version, a run's model or a folder")

    def _version(self, uri: str, found: re.Match[str]) -> str:
        name = found["name"]
        try:
            with _quiet():
                client = MlflowClient()
                if found["alias"]:
                    return str(client.get_model_version_by_alias(name, found["alias"]).version)
                versions = [int(one.version) for one in client.search_model_versions(f"name = '{name}'")]
        except Exception as error:
            raise self._failed(uri, error) from error
        if found["version"] == "latest" and versions:
            return str(max(versions))
        if found["version"] in map(str, versions):
            return found["version"]
        do = f"name one of those that are in {self._shown()}"
        if versions:
            allowed = f"versions {listed(sorted(versions))}"
        elif names := _names(client):
            allowed = f"models {listed(names)}"
        else:
            allowed = f"no model is registered in {self._shown()}"
            do = "register one, or set MLFLOW_TRACKING_URI to where yours are"
        raise NotFound("model version", uri, allowed=allowed, do=do)

    def _read(self, folder: Path, uri: str, name: str, fields: Sequence[str]) -> ExistingModel:
        read = MlmodelFolder(folder, uri)
        inputs = read.inputs(fields)
        return ExistingModel(uri, name, folder, read.facts(), inputs, read.example(inputs))

    def _failed(self, uri: str, error: Exception) -> TrimtabError:
        if isinstance(error, MlflowException) and error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return NotFound("model", uri, do=f"name one of those that are in {self._shown()}")
        return TrackingFailed(f"fetching {uri}", where=self._shown(), got=_first_line(error))

    def _shown(self) -> str:
        """The address without a password."""
        return re.sub(r"//[^/@]*@", "//", self._where)


def _loaded(flavour: str, folder: MlmodelFolder) -> Any:
    """The library's own model; bytes where they can be had without running anything."""
    file = folder.plain_file(flavour)
    if file is not None:
        return file.read_bytes()
    with _quiet():
        return import_module(f"mlflow.{flavour}").load_model(str(folder.folder))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's warnings of its own parts: loaders that SQLAlchemy deprecates, types of chat agents."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _names(client: MlflowClient) -> list[str]:
    return [one.name for one in client.search_registered_models(max_results=50)]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
