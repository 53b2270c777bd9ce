"""XGBoost models in their own binary JSON (UBJSON), on one thread.

Plain: `Booster.inplace_predict`, 230 µs for a row. Fast: the same function of the C library, 100 µs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.c_library import NativeError
from trimtab.adapters.model_library import corrupt, is_one_of, library, several_outputs
from trimtab.adapters.xgboost_native import NativeBooster
from trimtab.kernel.errors import Corrupt
from trimtab.ports.predictor import NoFastPath

_ONE_THREAD = {"nthread": 1}


class XgboostUbj:
    """Implements ModelFormat. The bytes hold trees and numbers, never code; JSON is read too."""

    name = "xgboost-ubj"
    file = "model.ubj"
    libraries: tuple[str, ...] = ("xgboost", "xgboost-cpu")  # one package under two names
    runs_code = False
    tolerance = 0.0

    def accepts(self, model: object) -> bool:
        """A Booster, or a scikit-learn wrapper that holds one."""
        return is_one_of(model, "xgboost", "Booster", "XGBModel")

    def recognises(self, data: bytes) -> bool:
        """By the name of its first object."""
        return data.startswith(b"{") and b"learner" in data[:64]

    def dump(self, model: Any) -> bytes:
        """The trees that the model answers with: after early stopping, those up to the best one.

        Raises:
            InvalidValue: a model of several classes or targets.
        """
        booster = model if is_one_of(model, "xgboost", "Booster") else model.get_booster()
        if booster is not model and (best := _best(model)) is not None:
            booster = booster[: best + 1]
        told = booster.inplace_predict(np.zeros((1, booster.num_features())), validate_features=False)
        if told.ndim != 1:
            raise several_outputs("XGBoost", told.shape[1])
        return bytes(booster.save_raw("ubj"))

    def load(self, data: bytes) -> XgboostPredictor:
        """Parse by the Python package."""
        xgboost = library("xgboost", of=self.name, extra="xgboost")
        self._check(data)
        try:
            booster = xgboost.Booster(_ONE_THREAD)
            booster.load_model(bytearray(data))
        except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
            raise self._corrupt(error) from error
        return XgboostPredictor(booster)

    def fast(self, data: bytes) -> NativeBooster | NoFastPath:
        """Parse by the C library alone."""
        self._check(data)
        try:
            return NativeBooster(data)
        except NativeError as error:  # if it is the bytes, the plain path will say so
            return NoFastPath(f"XGBoost's C library cannot be used: {error}")

    def _check(self, data: bytes) -> None:
        if not self.recognises(data):
            raise self._corrupt("no learner at its beginning")

    def _corrupt(self, got: object) -> Corrupt:
        return corrupt("an XGBoost model", allowed="XGBoost's UBJSON or JSON", got=got)


class XgboostPredictor:
    """Implements Predictor."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        self._columns = booster.num_features()

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row: each is a sum over the trees, whatever rows are beside it."""
        if matrix.shape[1] != self._columns:
            raise ValueError(f"{matrix.shape[1]} columns; the model has {self._columns}")
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self._booster.inplace_predict(matrix, validate_features=False), dtype=np.float64)


def _best(model: Any) -> int | None:
    """The iteration at which early stopping saw the best score; None without early stopping."""
    try:
        return int(model.best_iteration)
    except AttributeError:
        return None
