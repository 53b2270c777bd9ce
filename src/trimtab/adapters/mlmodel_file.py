"""The folder of an MLflow model, read as files: MLflow's own reader needs pandas to tell what the inputs are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import InvalidValue, listed
from trimtab.ports.existing_models import ModelInput

FILE = "MLmodel"
_TYPES = {
    "boolean": ("Boolean", False),
    "integer": ("Int64", False),
    "long": ("Int64", False),
    "float": ("Float64", True),
    "double": ("Float64", False),
    "string": ("String", False),
}
_OF_KINDS = {"f": "Float64", "i": "Int64", "u": "Int64", "b": "Boolean"}  # of NumPy
_EXAMPLE_ROWS = 2_000


class MlmodelFolder:
    """What the metadata in a folder say."""

    def __init__(self, folder: Path, uri: str) -> None:
        """Read the MLmodel file.

        Raises:
            InvalidValue: there is none, or it cannot be read.
        """
        self.folder, self._uri = folder, uri
        try:
            said = yaml.safe_load((folder / FILE).read_text()) if (folder / FILE).is_file() else None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise self._no_model(str(error).splitlines()[0]) from error
        if not isinstance(said, dict) or not isinstance(said.get("flavors"), dict):
            raise self._no_model(listed(sorted(one.name for one in folder.iterdir())))
        self._said: dict[str, Any] = said
        self.flavours: Mapping[str, Mapping[str, Any]] = said["flavors"]

    def facts(self) -> dict[str, Json]:
        """Where the model is from."""
        names = {"run": "run_id", "model": "model_uuid", "mlflow": "mlflow_version", "made_at": "utc_time_created"}
        told: dict[str, Json] = {name: str(self._said.get(key) or "") for name, key in names.items()}
        flavours: list[Json] = [*sorted(self.flavours)]
        return {"uri": self._uri, "flavours": flavours, **told}

    def inputs(self, fields: Sequence[str]) -> tuple[ModelInput, ...]:
        """The signature's inputs as request fields.

        Args:
            fields: their names, where the model does not name them.

        Raises:
            InvalidValue: a signature that a request cannot carry.
        """
        signature = self._said.get("signature") or {}
        columns = json.loads(signature.get("inputs") or "[]")
        if not columns:
            return tuple(ModelInput(name, "Float64") for name in fields)
        if columns[0]["type"] == "tensor":
            return self._of_tensor(columns, fields)
        found = []
        for place, one in enumerate(columns):
            if one["type"] not in _TYPES:
                raise self._unfit(f"'{one.get('name', place)}' of type {one['type']}")
            kind, narrow = _TYPES[one["type"]]
            found.append(ModelInput(one.get("name") or f"x{place}", kind, narrow))
        return tuple(found)

    def example(self, inputs: Sequence[ModelInput]) -> tuple[tuple[Json, ...], ...]:
        """The rows of the input example; none if there is none, or it is no table of the inputs."""
        info = self._said.get("saved_input_example_info") or {}
        try:
            told = json.loads((self.folder / str(info["artifact_path"])).read_text())
            rows = told
            if isinstance(told, dict) and "columns" in told:
                places = [told["columns"].index(one.name) for one in inputs]
                rows = [[row[place] for place in places] for row in told["data"]]
            elif isinstance(told, dict):
                rows = told.get("inputs", told.get("data"))
            fit = all(len(row) == len(inputs) for row in rows)
            return tuple(tuple(row) for row in rows[:_EXAMPLE_ROWS]) if fit else ()
        except (OSError, ValueError, KeyError, TypeError):  # it is a help; nothing depends on it
            return ()

    def plain_file(self, flavour: str) -> Path | None:
        """The model's file, where it is in its library's own safe format; None if it is a pickle."""
        said = self.flavours[flavour]
        match flavour:
            case "lightgbm" | "xgboost" if str(said.get("model_class", "")).endswith("Booster"):
                name = said.get("data")
            case "sklearn" if said.get("serialization_format") == "skops":
                name = said.get("pickled_model")
            case "onnx":
                name = said.get("data")
            case _:
                return None
        path = self.folder / str(name)
        return path if path.is_file() else None

    def _of_tensor(self, columns: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> tuple[ModelInput, ...]:
        spec = columns[0]["tensor-spec"]
        kind, shape = np.dtype(spec["dtype"]), spec["shape"]
        if len(columns) != 1 or len(shape) != 2 or shape[1] < 1 or kind.kind not in _OF_KINDS:
            raise self._unfit(f"tensors {json.dumps(columns)}"[:200])
        names = list(fields) or [f"x{place}" for place in range(shape[1])]
        if len(names) != shape[1]:
            allowed = f"{shape[1]} names, one a column of the model's tensor"
            raise InvalidValue("--fields", listed(names), allowed=allowed)
        narrow = kind.kind == "f" and kind.itemsize < 8
        return tuple(ModelInput(one, _OF_KINDS[kind.kind], narrow) for one in names)

    def _no_model(self, got: str) -> InvalidValue:
        return InvalidValue(
            "the model's folder",
            got,
            allowed="a folder with an MLmodel file, as MLflow's log_model and save_model write it",
            where=self._uri,
            do="serve what Trimtab has trained itself by: trimtab release, trimtab deploy, trimtab up",
        )

    def _unfit(self, got: str) -> InvalidValue:
        return InvalidValue(
            "the model's signature",
            got,
            allowed=f"inputs of the types {listed(_TYPES)}",
            where=self._uri,
            do="log it with a signature of such columns, and let the model convert them",
        )
