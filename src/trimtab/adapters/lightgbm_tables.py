"""LightGBM's trees as tables, for batches: 100 rows in less than half of the C library's time, bit for bit.

The library walks row by row, and the processor guesses each turn of each walk anew: 13 µs for a row and 200 trees
where the same row again takes 5. Of models that the tables do not cover it goes on answering itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.leaf_tables import MOST_LEAVES, LeafTables, Tree

_MOST_BYTES = 32 << 20  # beyond, the tables miss the processor's caches, and the walk is as quick
_MOST_COLUMNS = 64  # each is a look-up for all trees: at 80 to 160 the walk is as quick
_MANY = 32  # rows, and one for each column: from here on the tables are quicker, whatever the model
# Where a column's look-up is for many trees, they are from fewer rows on: 8 rows of 200 trees and 20 columns take
# 8 µs each where the walk takes 14 (`benchmarks.serving.tables`), and a worker answers a twentieth more.
_FEW, _FEW_COLUMNS, _TREES_A_COLUMN = 6, 40, 5
_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of a decision_type; the next two are how values are missing
_NONE, _NAN = 0, 2
Number = TypeVar("Number", np.int64, np.float64)
_PLAIN = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")


class _Uncovered(Exception):
    """A model with something that the tables do not know."""


class BatchTables:
    """What a model says to many rows."""

    def __init__(self, sums: LeafTables, columns: int, trees: int, sigmoid: float | None) -> None:
        self._sums = sums
        few = columns <= _FEW_COLUMNS and trees >= _TREES_A_COLUMN * columns
        self._least_rows = _FEW if few else max(_MANY, columns)
        self._sigmoid = sigmoid  # None: the sums are the scores

    def pays(self, rows: int) -> bool:
        """Whether so many are quicker here."""
        return rows >= self._least_rows

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row."""
        sums = self._sums.sums(matrix)
        if self._sigmoid is None:
            return sums
        scaled = (sums * -self._sigmoid).tolist()
        try:
            # By the C library's exp, as LightGBM: numpy's own differs in the last bit.
            return np.array([1.0 / (1.0 + exp(one)) for one in scaled])
        except OverflowError:
            return np.array([1.0 / (1.0 + _exp(one)) for one in scaled])


def batch_tables(text: bytes) -> BatchTables | None:
    """Tables of a model's text, which the C library has taken; None if they do not cover it, or would not pay."""
    head, *parts = text.decode().split("\nTree=")
    try:
        sigmoid = _sigmoid(head)
        trees = [_tree(_fields(part.partition("\n\n")[0])) for part in parts]
        columns = len({int(column) for one in trees for column in one.feature})
        if not trees or columns > _MOST_COLUMNS:
            return None
        sums = LeafTables(trees)
    except (_Uncovered, KeyError, ValueError):
        return None
    return BatchTables(sums, columns, len(trees), sigmoid) if sums.size_bytes <= _MOST_BYTES else None


def _exp(power: float) -> float:
    """As C: infinity where Python raises."""
    try:
        return exp(power)
    except OverflowError:
        return inf


def _fields(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}


def _sigmoid(head: str) -> float | None:
    fields = _fields(head)
    if fields["num_tree_per_iteration"] != "1" or "average_output" in fields:
        raise _Uncovered
    objective, *settings = fields["objective"].split(" ")
    if objective in _PLAIN and not settings:
        return None
    if objective == "binary" and len(settings) == 1 and settings[0].startswith("sigmoid:"):
        return float(settings[0].removeprefix("sigmoid:"))
    raise _Uncovered


def _tree(fields: Mapping[str, str]) -> Tree:
    leaves = int(fields["num_leaves"])
    if leaves > MOST_LEAVES or fields["num_cat"] != "0" or fields.get("is_linear", "0") != "0":
        raise _Uncovered

    def numbers(name: str, kind: type[Number], count: int) -> NDArray[Number]:
        found: NDArray[Number] = np.array(fields[name].split(" ") if fields[name] else [], dtype=kind)
        if len(found) != count:
            raise ValueError(f"{len(found)} numbers as {name}")
        return found

    decision = numbers("decision_type", np.int64, leaves - 1)
    missing = decision >> 2 & 3
    if (decision & _CATEGORICAL).any() or not np.isin(missing, (_NONE, _NAN)).all():
        raise _Uncovered
    threshold = numbers("threshold", np.float64, leaves - 1)
    # Where training met no missing values, one counts as zero.
    nan_left: NDArray[np.bool_] = np.where(missing == _NAN, (decision & _DEFAULT_LEFT) != 0, threshold >= 0)
    return Tree(
        numbers("split_feature", np.int64, leaves - 1),
        threshold,
        numbers("left_child", np.int64, leaves - 1),
        numbers("right_child", np.int64, leaves - 1),
        nan_left,
        numbers("leaf_value", np.float64, leaves),
    )
