"""What a column looks like in a few numbers: plain data, the same for the same rows in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

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
    values = cells.drop_nulls()
    if isinstance(cells.dtype, pl.Decimal):
        values = values.cast(pl.Float64)
    elif isinstance(cells.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    if values.dtype.is_float():
        finite = values.is_finite()
        if not finite.all():
            found["not_finite"] = values.len() - int(finite.sum())
            values = values.filter(finite)
        values = values + 0.0  # minus zero is zero
    return {**found, **_counted(values), **_ranged(values)}


def _counted(values: pl.Series) -> Column:
    counted = values.rename("value").value_counts(name="count")
    distinct = counted.height
    if distinct > MOST_VALUES:
        counted = counted.filter(pl.col("count") > 1)
    top = counted.sort("count", "value", descending=[True, False]).head(MOST_VALUES)
    return {"distinct": distinct, "top": [[_plain(value), count] for value, count in top.iter_rows()]}


def _ranged(values: pl.Series) -> Column:
    if not values.len() or values.dtype == pl.Boolean:
        return {}
    ordered = values.sort()
    last = ordered.len() - 1
    found: Column = {"values": ordered.len(), "min": _plain(ordered[0]), "max": _plain(ordered[last])}
    if values.dtype == pl.String:
        return found
    ranks = [min(last, max(0, math.ceil(level * ordered.len()) - 1)) for level in LEVELS]
    found["quantiles"] = [_plain(one) for one in ordered.gather(ranks).to_list()]
    if values.dtype.is_numeric():
        mean: Any = ordered.mean()
        std: Any = ordered.std()
        found |= {"mean": _rounded(mean), "std": _rounded(std)}
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
