"""What a column looks like in a few numbers: plain data, the same for the same rows in any order."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.kernel.canonical import Json

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
MOST_VALUES = 20  # a column with no more has all of them listed, another one its most frequent that occur twice
_LONGEST = 80  # characters of a value that is listed
_DIGITS = 12  # significant ones of mean and standard deviation: the last bits depend on the machine
_UNCOUNTED = (pl.Binary, pl.List, pl.Struct, pl.Array, pl.Object)

Column = dict[str, Json]
Profile = dict[str, Json]


def profile(frame: pl.DataFrame) -> Profile:
    """Rows, and of each column: type, nulls, distinct values, range, mean, quantiles, most frequent values.

    Counts and quantiles are exact: a quantile is a value of the column (nearest rank). Numbers that are not finite
    are counted and left out of everything else. Values of binary and nested columns are not looked at.

    >>> found = column_of(profile(pl.DataFrame({"a": [1, 2, None]})), "a")
    >>> found["nulls"], found["distinct"], found["min"], found["mean"]
    (1, 2, 1, 1.5)
    """
    return {"rows": frame.height, "columns": {name: _column(frame[name]) for name in frame.columns}}


def columns_of(found: Mapping[str, Json]) -> dict[str, Column]:
    """The columns of a profile, by name."""
    columns: Any = found["columns"]
    return dict(columns)


def column_of(found: Mapping[str, Json], name: str) -> Column:
    """One column of a profile."""
    return columns_of(found)[name]


def number(column: Mapping[str, Json], name: str) -> float | None:
    """A number of a column's profile; None where it has none, as the mean of words."""
    value = column.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def quantiles(column: Mapping[str, Json]) -> list[float]:
    """The quantiles at LEVELS of a column of numbers; nothing for others, and for one without values."""
    values = column.get("quantiles")
    if not isinstance(values, list):
        return []
    found = [float(one) for one in values if isinstance(one, int | float)]
    return found if len(found) == len(LEVELS) else []


def values_of(column: Mapping[str, Json]) -> dict[Any, int]:
    """The listed values with their counts."""
    top: Any = column.get("top", [])
    return dict(top)


def lists_all(column: Mapping[str, Json]) -> bool:
    """Whether every value of the column is listed."""
    return "top" in column and len(values_of(column)) == column["distinct"]


def _column(cells: pl.Series) -> Column:
    found: Column = {"type": str(cells.dtype), "nulls": cells.null_count()}
    if isinstance(cells.dtype, _UNCOUNTED):
        return found
    values = cells.drop_nulls() if found["nulls"] else cells
    if isinstance(cells.dtype, pl.String | pl.Categorical | pl.Enum):
        return {**found, **_words(values.cast(pl.String))}
    if isinstance(cells.dtype, pl.Decimal):
        values = values.cast(pl.Float64)
    line = values.to_physical().to_numpy()
    if values.dtype.is_float():
        finite = line[np.isfinite(line)]
        if len(finite) < len(line):
            found["not_finite"] = len(line) - len(finite)
        line = finite + finite.dtype.type(0)  # minus zero is zero
    return {**found, **_ordered(np.sort(line), values.dtype)}


def _words(values: pl.Series) -> Column:
    """Of text: Polars counts what numpy would have to sort as objects."""
    counted = values.rename("value").value_counts(name="count")
    distinct = counted.height
    if distinct > MOST_VALUES:
        counted = counted.filter(pl.col("count") > 1)
    top = heapq.nsmallest(MOST_VALUES, counted.iter_rows(), key=lambda one: (-one[1], one[0]))
    found: Column = {"distinct": distinct, "top": [[_plain(value), count] for value, count in top]}
    if distinct:
        found |= {"values": values.len(), "min": _plain(values.min()), "max": _plain(values.max())}
    return found


def _ordered(line: NDArray[Any], kind: pl.DataType) -> Column:
    """Of values on a line, in numpy: a query of Polars for each number takes longer, where columns are short."""
    edges = np.concatenate([[0], np.flatnonzero(line[1:] != line[:-1]) + 1])[: len(line)]
    counts = np.diff(edges, append=len(line))
    often = np.arange(len(edges)) if len(edges) <= MOST_VALUES else np.flatnonzero(counts > 1)
    top = often[np.argsort(-counts[often], kind="stable")][:MOST_VALUES]
    ranks = np.ceil(np.array(LEVELS) * len(line)).astype(np.int64) - 1
    places = np.concatenate([edges[top], *([[0, -1], ranks.clip(0)] if len(line) else ())]).astype(np.int64)
    told = line[places]
    shown = told.tolist() if kind.is_numeric() or kind == pl.Boolean else pl.Series(told).cast(kind).to_list()
    values = [_plain(one) for one in shown]
    frequent: list[Json] = [[value, count] for value, count in zip(values, counts[top].tolist(), strict=False)]
    found: Column = {"distinct": len(edges), "top": frequent}
    if not len(line) or kind == pl.Boolean:
        return found
    low, high, *levels = values[len(top) :]
    found |= {"values": len(line), "min": low, "max": high, "quantiles": levels}
    if kind.is_numeric():
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers at the end of their range: no mean, no std
            found["mean"] = _rounded(float(line.mean(dtype=np.float64)))
            found["std"] = _rounded(float(line.std(ddof=1, dtype=np.float64))) if len(line) > 1 else None
    return found


def _plain(value: object) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if value is not None and math.isfinite(value) else None
