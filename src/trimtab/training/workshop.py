"""Where durable steps find the live objects of a system: steps themselves may only be handed plain data."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import UnknownName
from trimtab.training.spec import TrainingSpec
from trimtab.training.training_data import TrainingData


class Workshop(Protocol):
    """What training needs of the rest of the house."""

    feature_names: list[str]

    def training_set(self, spec: TrainingSpec) -> pl.DataFrame:
        """One row a question whose label was known: `_key`, `_at`, `_label`, the request's fields, the features."""
        ...

    def fit(self, data: TrainingData) -> bytes:
        """The user's training function; the model in its stored form."""
        ...

    def predict(self, model: bytes, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of a stored model, shape (rows,)."""
        ...

    def prove(self, model: bytes, matrix: NDArray[np.float64]) -> dict[str, Json]:
        """Whether a stored model's fast path says the same as its plain one to real rows, with the numbers."""
        ...

    def champion_scores(self, release: str, questions: pl.DataFrame) -> NDArray[np.float64]:
        """What a release would have said to the questions, with its own features."""
        ...


class Workshops:
    """The workshops of this process, by system."""

    def __init__(self) -> None:
        self._by_system: dict[str, Workshop] = {}

    def open(self, system: str, workshop: Workshop) -> None:
        """Make a workshop available to steps."""
        self._by_system[system] = workshop

    def of(self, system: str) -> Workshop:
        """The workshop of a system.

        Raises:
            UnknownName: none was opened.
        """
        if system not in self._by_system:
            raise UnknownName("system", system, self._by_system, do="open its project in this process first")
        return self._by_system[system]


workshops = Workshops()
