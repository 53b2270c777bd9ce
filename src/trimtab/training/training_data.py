"""What a training function gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.kernel.feature_schema import Feature


@dataclass(frozen=True)
class TrainingData:
    """A matrix, the truth, and what the columns mean.

    `x` has shape (rows, features); categories are codes, what is missing is NaN. `y` has shape (rows,). Rows are in
    the order of their questions. `seed` is the same for the same data, so that training can be repeated exactly.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    features: tuple[Feature, ...]
    seed: int

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return [one.name for one in self.features]

    @property
    def categorical(self) -> list[int]:
        """Places of the columns that hold codes."""
        return [place for place, one in enumerate(self.features) if one.categories is not None]


def learn_features(rows: pl.DataFrame, names: list[str]) -> tuple[Feature, ...]:
    """Kinds and categories of the columns: text columns become categories in alphabetical order."""
    learnt = []
    for name in names:
        column = rows[name]
        text = column.dtype == pl.String
        categories = tuple(column.drop_nulls().unique().sort().to_list()) if text else None
        learnt.append(Feature(name, categories))
    return tuple(learnt)


def encode(rows: pl.DataFrame, features: tuple[Feature, ...]) -> NDArray[np.float64]:
    """The matrix of many rows, exactly as `stats.encoding.Encoder` makes it of a few."""
    columns = []
    for one in features:
        column = rows[one.name]
        if one.categories is not None:
            codes = {name: float(code) for code, name in enumerate(one.categories)}
            column = column.replace_strict(codes, default=None, return_dtype=pl.Float64)
        columns.append(column.cast(pl.Float64).to_numpy())
    return np.column_stack(columns) if columns else np.empty((rows.height, 0))
