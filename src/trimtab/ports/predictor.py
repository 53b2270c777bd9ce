"""A loaded model, and the formats it is stored in."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Predictor(Protocol):
    """A model ready to answer. A row's answer does not depend on the rows beside it."""

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores, shape (rows,), of a matrix of shape (rows, features); NaN is missing."""
        ...


class ModelFormat(Protocol):
    """One way of storing one family of models."""

    name: str  # as written into the release, e.g. "lightgbm-text"

    def accepts(self, model: object) -> bool:
        """Whether this format can store the model."""
        ...

    def dump(self, model: Any) -> bytes:
        """The model as bytes; the same model gives the same bytes."""
        ...

    def load(self, data: bytes) -> Predictor:
        """A predictor from bytes; never runs code from them."""
        ...
