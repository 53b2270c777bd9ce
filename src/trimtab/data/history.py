"""What the versions of a source have held so far, column by column: a few numbers that each version carries on."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from trimtab.data.profile import LEVELS, MOST_VALUES, Column, lists_all, number, quantiles, values_of
from trimtab.kernel.canonical import Json

_INNER = [number for number, level in enumerate(LEVELS) if 0.1 <= level <= 0.9]  # one wild value in ten moves none
_FEWEST_ROWS = 3  # with a value: fewer have no quantiles to speak of
_ALIKE_TIMES = 4  # deliveries whose sizes differ by more are not compared: an hour is no sample of a year


@dataclass(frozen=True)
class Seen:
    """A column's past. `last` are inner quantiles of the newest delivery that had enough rows."""

    rows: int = 0  # with a value
    mean: float = 0.0
    squares: float = 0.0  # sum of squared distances from the mean
    low: float = math.inf
    high: float = -math.inf
    last: tuple[float, ...] = ()
    last_rows: int = 0
    moves: int = 0  # deliveries that were compared with the one before
    furthest: float = 0.0  # the largest of their mean distances
    values: tuple[Any, ...] | None = ()  # all values that there were; None if they are many

    @property
    def spread(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.squares / self.rows) if self.rows else 0.0

    def body(self) -> dict[str, Json]:
        """As stored."""
        lists = {"last": list(self.last), "values": None if self.values is None else list(self.values)}
        ends = {name: getattr(self, name) if math.isfinite(getattr(self, name)) else None for name in _ENDS}
        return {**asdict(self), **ends, **lists}

    def after(self, column: Column) -> Seen:
        """The past once a delivery, of which `column` is the profile, belongs to it."""
        mean = number(column, "mean")
        if mean is None:
            return replace(self, values=self._values(column))
        rows = self.rows + _with_value(column)
        delta, std = mean - self.mean, number(column, "std") or 0.0
        share = _with_value(column) / rows
        inner, enough = inner_quantiles(column), _with_value(column) >= _FEWEST_ROWS
        compared = self.comparable(column)
        return Seen(
            rows=rows,
            mean=_bounded(self.mean + delta * share),
            squares=_bounded(
                self.squares + std * std * max(0, _with_value(column) - 1) + delta * delta * self.rows * share
            ),
            low=min(self.low, number(column, "min") or 0.0),
            high=max(self.high, number(column, "max") or 0.0),
            last=inner if enough else self.last,
            last_rows=_with_value(column) if enough else self.last_rows,
            moves=self.moves + compared,
            furthest=max(self.furthest, _bounded(distance(inner, self.last))) if compared else self.furthest,
            values=self._values(column),
        )

    def comparable(self, column: Column) -> bool:
        """Whether the newest delivery and this one are of like size, and large enough."""
        rows = _with_value(column)
        alike = rows <= _ALIKE_TIMES * self.last_rows and self.last_rows <= _ALIKE_TIMES * rows
        return bool(self.last) and rows >= _FEWEST_ROWS and alike and bool(inner_quantiles(column))

    def _values(self, column: Column) -> tuple[Any, ...] | None:
        if self.values is None or not ("top" in column and lists_all(column)):
            return None
        values = sorted({*self.values, *values_of(column)}, key=repr)
        return tuple(values) if len(values) <= MOST_VALUES else None


_ENDS = ("low", "high")


def seen_from(body: Mapping[str, Json]) -> Seen:
    """Read back what `Seen.body` wrote."""
    given: dict[str, Any] = dict(body)
    given["last"] = tuple(given["last"])
    given["values"] = None if given["values"] is None else tuple(given["values"])
    ends = {"low": math.inf, "high": -math.inf}
    return Seen(**{**given, **{name: end for name, end in ends.items() if given[name] is None}})


def inner_quantiles(column: Column) -> tuple[float, ...]:
    """From 10 to 90 %, of a column of numbers."""
    found = quantiles(column)
    return tuple(found[one] for one in _INNER) if found else ()


def distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Mean distance of quantiles, in the column's own unit."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def _bounded(value: float) -> float:
    """JSON has no infinity."""
    most = sys.float_info.max
    return min(most, max(-most, value))


def _with_value(column: Column) -> int:
    """Rows behind mean and quantiles."""
    rows = column.get("values", 0)
    return rows if isinstance(rows, int) else 0
