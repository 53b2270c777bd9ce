"""A loaded model, and the formats it is stored in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.canonical import Json


class Predictor(Protocol):
    """A model ready to answer. A row's answer does not depend on the rows beside it."""

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores, shape (rows,), of a matrix of shape (rows, features); NaN is missing."""
        ...


@runtime_checkable
class RowPredictor(Predictor, Protocol):
    """A predictor that takes values as they are: text, too, which a matrix cannot hold."""

    def predict_rows(self, rows: Sequence[Sequence[Json]]) -> list[float]:
        """Scores of rows; null is missing."""
        ...


@dataclass(frozen=True)
class NoFastPath:
    """A format, or this one model, is answered by its library's own call and nothing quicker."""

    because: str


class ModelFormat(Protocol):
    """One way of storing one family of models."""

    name: str  # as written into the release, e.g. "lightgbm-text"
    file: str  # the name that other tools give a file of it, e.g. "model.txt"
    libraries: tuple[str, ...]  # distributions whose versions decide the answers
    runs_code: bool  # loading the bytes runs what is written in them: only for systems that allow it by name
    tolerance: float  # how far the fast path may be from the plain one and still be its equal; 0.0: bit by bit

    def accepts(self, model: object) -> bool:
        """Whether this format can store the model. Never imports the family's library."""
        ...

    def recognises(self, data: bytes) -> bool:
        """Whether the bytes begin as this format's do. They are not parsed."""
        ...

    def dump(self, model: Any) -> bytes:
        """The model as bytes; the same model gives the same bytes."""
        ...

    def load(self, data: bytes) -> Predictor:
        """The plain predictor: what the library itself says. Runs code from the bytes only if `runs_code`.

        Raises:
            Corrupt: the bytes are not of this format, or are damaged.
            ProjectInvalid: the family's library is not installed.
        """
        ...

    def fast(self, data: bytes) -> Predictor | NoFastPath:
        """A quicker predictor of the same model; to be used only once it has been proved equal to the plain one.

        Raises:
            Corrupt, ProjectInvalid: as `load` does.
        """
        ...
