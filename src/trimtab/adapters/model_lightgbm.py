"""LightGBM models in their own text format, answered by the Booster on one thread.

`Booster.predict` on one thread takes 19 µs for a row; the scikit-learn wrapper takes 555 µs for the same row and
its threads make the tail worse (design §4).
"""

from __future__ import annotations

import lightgbm
import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.errors import Corrupt

_END = "\nend of trees\n"


class LightgbmText:
    """Implements ModelFormat. The text holds trees and numbers, never code."""

    name = "lightgbm-text"

    def accepts(self, model: object) -> bool:
        """A Booster, or a scikit-learn wrapper that holds one."""
        return isinstance(model, lightgbm.Booster | lightgbm.LGBMModel)

    def dump(self, model: lightgbm.Booster | lightgbm.LGBMModel) -> bytes:
        """The model's text with the parameters it was trained with."""
        booster = model if isinstance(model, lightgbm.Booster) else model.booster_
        text: str = booster.model_to_string()
        return text.encode()

    def load(self, data: bytes) -> LightgbmPredictor:
        """Parse the text."""
        try:
            text = data.decode()
            if _END not in text:
                # LightGBM reads past the end of a text that breaks off, and takes the process with it.
                raise ValueError("the text breaks off before its end of trees")
            return LightgbmPredictor(lightgbm.Booster(model_str=text))
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise Corrupt(
                "a LightGBM model",
                where="model blob",
                allowed="LightGBM's text format",
                got=str(error),
                do="train and release again; the blob was not written by this format",
            ) from error


class LightgbmPredictor:
    """Implements Predictor."""

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row, on one thread: a row's answer does not depend on its batch."""
        return np.asarray(self._booster.predict(matrix, num_threads=1), dtype=np.float64)
