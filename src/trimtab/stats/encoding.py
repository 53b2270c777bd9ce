"""Feature values to the model's matrix: numbers as they are, categories as codes, what is missing as NaN."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.canonical import Json
from trimtab.kernel.feature_schema import Feature


class Encoder:
    """Encodes rows of values by a fixed schema. A category that training never saw is missing, not an error.

    >>> encoder = Encoder([Feature("carrier", ("AA", "UA")), Feature("temp_f")])
    >>> encoder.matrix([["UA", 50], ["ZZ", None]]).tolist()
    [[1.0, 50.0], [nan, nan]]
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._codes: list[dict[Any, float] | None] = [
            None if one.categories is None else {name: float(code) for code, name in enumerate(one.categories)}
            for one in features
        ]
        self.takes_numbers = all(codes is None for codes in self._codes)  # as they are: none is a category

    def matrix(self, rows: Sequence[Sequence[Json]]) -> NDArray[np.float64]:
        """Shape (rows, features)."""
        if self.takes_numbers:
            return self._matrix_of_numbers(rows)
        nan = float("nan")
        out = np.empty((len(rows), len(self._codes)))
        for number, row in enumerate(rows):
            cells: list[Any] = [
                (nan if value is None else value) if codes is None else codes.get(value, nan)
                for value, codes in zip(row, self._codes, strict=True)
            ]
            out[number] = cells
        return out

    def _matrix_of_numbers(self, rows: Sequence[Sequence[Json]]) -> NDArray[np.float64]:
        width = len(self._codes)
        if len(rows) > 1 and set(map(len, rows)) == {width}:
            cells: Any = chain.from_iterable(rows)
            with suppress(TypeError):  # None is no number here: then in twice the time
                return np.fromiter(cells, np.float64, len(rows) * width).reshape(len(rows), width)
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)  # None becomes NaN
