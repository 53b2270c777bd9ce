"""LightGBM models in their own text format.

Plain: `Booster.predict` on one thread, 19 µs for a row; the scikit-learn wrapper takes 555 µs for the same row and
its threads make the tail worse (design §4). Fast: the C library alone, 5 µs for a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.c_library import NativeError
from trimtab.adapters.lightgbm_native import NativeBooster
from trimtab.adapters.model_library import corrupt, is_one_of, library, several_outputs
from trimtab.ports.predictor import NoFastPath

_END = b"\nend of trees\n"
_ALLOWED = "LightGBM's text format"


class LightgbmText:
    """Implements ModelFormat. The text holds trees and numbers, never code."""

    name = "lightgbm-text"
    file = "model.txt"
    libraries: tuple[str, ...] = ("lightgbm",)
    runs_code = False
    tolerance = 0.0

    def accepts(self, model: object) -> bool:
        """A Booster, or a scikit-learn wrapper that holds one."""
        return is_one_of(model, "lightgbm", "Booster", "LGBMModel")

    def recognises(self, data: bytes) -> bool:
        """By its first line."""
        return data.startswith((b"tree\n", b"tree\r\n"))

    def dump(self, model: Any) -> bytes:
        """The model's text with the parameters it was trained with.

        Raises:
            InvalidValue: a model of several classes.
        """
        booster = model if is_one_of(model, "lightgbm", "Booster") else model.booster_
        if (outputs := booster.num_model_per_iteration()) != 1:
            raise several_outputs("LightGBM", outputs)
        text: str = booster.model_to_string()
        return text.encode()

    def load(self, data: bytes) -> LightgbmPredictor:
        """Parse the text."""
        lightgbm = library("lightgbm", of=self.name, extra="lightgbm")
        try:
            return LightgbmPredictor(lightgbm.Booster(model_str=_whole(data).decode()))
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise corrupt("a LightGBM model", allowed=_ALLOWED, got=error) from error

    def fast(self, data: bytes) -> NativeBooster | NoFastPath:
        """Parse the text by the C library, without the Python package."""
        try:
            return NativeBooster(_whole(data))
        except ValueError as error:
            raise corrupt("a LightGBM model", allowed=_ALLOWED, got=error) from error
        except NativeError as error:  # if it is the bytes, the plain path will say so
            return NoFastPath(f"LightGBM's single-row API cannot be used: {error}")


class LightgbmPredictor:
    """Implements Predictor."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row, on one thread: a row's answer does not depend on its batch."""
        return np.asarray(self._booster.predict(matrix, num_threads=1), dtype=np.float64)


def _whole(data: bytes) -> bytes:
    if _END not in data:
        # LightGBM reads past the end of a text that breaks off, and takes the process with it.
        raise ValueError("the text breaks off before its end of trees")
    return data
