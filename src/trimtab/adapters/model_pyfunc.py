"""MLflow models of any flavour: the model's folder in one archive, answered by `mlflow.pyfunc`.

For systems that allow it by name: most flavours hold a pickle, and all of them run code of MLflow's that looks into
the folder. MLflow is imported only by a process that loads such a model.
"""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.folder_archive import begins_with, pack, unpack
from trimtab.adapters.model_library import corrupt, library, several_outputs
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Corrupt, InvalidValue
from trimtab.ports.predictor import NoFastPath

FIRST = "MLmodel"
_OF_THE_REGISTRY = ("registered_model_meta",)  # says under which name it was fetched
_ALLOWED = "an archive of an MLflow model's folder"


class MlflowFolder:
    """Implements ModelFormat."""

    name = "mlflow-pyfunc"
    file = "model.tar"
    libraries: tuple[str, ...] = ("mlflow-skinny", "mlflow")
    runs_code = True
    tolerance = 0.0

    def accepts(self, model: object) -> bool:
        """The path of a folder that MLflow has saved a model to."""
        return isinstance(model, Path) and (model / FIRST).is_file()

    def recognises(self, data: bytes) -> bool:
        """By the first file of the archive."""
        return begins_with(data, FIRST)

    def dump(self, model: Path) -> bytes:
        """The folder's files.

        Raises:
            InvalidValue: something in it is no plain file.
        """
        return pack(model, FIRST, leave_out=_OF_THE_REGISTRY)

    def load(self, data: bytes) -> PyfuncPredictor:
        """Unpacks the folder while the predictor lives, and has MLflow load it: that runs the model's code."""
        if not self.recognises(data):
            raise _corrupt("other bytes at its beginning")
        pyfunc = _mlflow_pyfunc()
        folder = tempfile.mkdtemp(prefix="trimtab-model-")
        try:
            unpack(data, Path(folder))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = pyfunc.load_model(folder)
            predictor = PyfuncPredictor(model)
        except ValueError as error:
            raise _corrupt(error) from error
        except Exception as error:  # a model may raise what it likes while it is loaded
            do = "install what the model needs (requirements.txt in its folder), then try again"
            raise corrupt("an MLflow model", allowed="a model that loads here", got=error, do=do) from error
        # Models read artefacts when they first need them: the folder stays as long as its predictor.
        finalize(predictor, rmtree, folder, ignore_errors=True)
        return predictor

    def fast(self, data: bytes) -> NoFastPath:
        """None."""
        del data
        return NoFastPath("MLflow's pyfunc is asked as it is")


class PyfuncPredictor:
    """Implements Predictor and RowPredictor. Rows are asked one by one, as data frames of the model's signature."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._pandas = library("pandas", of=MlflowFolder.name, extra="pyfunc")
        schema = model.metadata.get_input_schema()
        named = schema is not None and not schema.is_tensor_spec() and all(schema.input_names())
        self._columns = [(one.name, _kind(one)) for one in schema.inputs] if named else None
        self._tensor = np.dtype(schema.inputs[0].type) if schema is not None and schema.is_tensor_spec() else None

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row, of numbers."""
        rows = [[None if math.isnan(cell) else cell for cell in row] for row in matrix.tolist()]
        return np.array(self.predict_rows(rows), dtype=np.float64)

    def predict_rows(self, rows: Sequence[Sequence[Json]]) -> list[float]:
        """Scores by row, of values as they are.

        Raises:
            InvalidValue: the model says no number to a row, or several.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [_number(self._model.predict(self._frame(row))) for row in rows]

    def _frame(self, row: Sequence[Json]) -> Any:
        if self._columns is None:
            kind = np.float64 if self._tensor is None else self._tensor
            return np.array([[math.nan if cell is None else cell for cell in row]], dtype=kind)
        if len(row) != len(self._columns):
            raise ValueError(f"{len(row)} columns; the model has {len(self._columns)}")
        cells = {
            name: self._pandas.Series([cell], dtype=kind if cell is not None or kind == "float64" else "object")
            for (name, kind), cell in zip(self._columns, row, strict=True)
        }
        return self._pandas.DataFrame(cells)


_KINDS = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "object",
}


def _kind(column: Any) -> str:
    """pandas' type of a column of a signature."""
    name = str(getattr(column.type, "name", column.type)).lower()
    return _KINDS.get(name, "object")


def _number(told: Any) -> float:
    """The one number that a pyfunc has said to one row: its answers come as lists, arrays, series or frames."""
    if hasattr(told, "to_numpy"):
        told = told.to_numpy()
    if isinstance(told, dict):
        told = list(told.values())
    cells = np.asarray(told).reshape(-1)
    if cells.size == 2 and np.asarray(told).ndim == 2:
        cells = cells[1:]  # two classes: the probability of yes
    if cells.size != 1:
        raise several_outputs("MLflow", cells.size)
    try:
        return float(cells[0])
    except (TypeError, ValueError):
        allowed = "a number"
        do = "serve a model that says a score: log a classifier with pyfunc_predict_fn='predict_proba'"
        raise InvalidValue("what an MLflow model says", str(cells[0])[:80], allowed=allowed, do=do) from None


def _mlflow_pyfunc() -> Any:
    # MLflow reads these when it is imported, see tracking_mlflow.py.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    library("pandas", of=MlflowFolder.name, extra="pyfunc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types of chat agents, at each import
        return library("mlflow.pyfunc", of=MlflowFolder.name, extra="pyfunc")


def _corrupt(got: object) -> Corrupt:
    return corrupt("an MLflow model", allowed=_ALLOWED, got=got)
