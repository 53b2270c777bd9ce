"""Scores of many rows by an ensemble of small trees, without walking any.

QuickScorer (Lucchese et al., SIGIR 2015): number the leaves of a tree from left to right. A node that sends a row
right rules out the leaves of its left branch; the row ends in the first leaf that no node rules out. Which leaves
the nodes of one feature rule out depends only on how many of their thresholds the row's value exceeds: that is
looked up, for all trees at once, and the answers of all features are ANDed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
_ROWS = 256  # at once: what is computed stays in the processor's cache
_FEW = 24  # rows: up to here a call of numpy for each column costs more than what it computes


@dataclass(frozen=True)
class Tree:
    """Inner nodes from 0, the root first; a child below 0 is the leaf ~child. A value ≤ threshold goes left."""

    feature: NDArray[np.int64]  # by node: the column it looks at
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    nan_left: NDArray[np.bool_]  # whether a row without a value goes left
    values: NDArray[np.float64]  # by leaf

    def leaves(self) -> tuple[list[int], dict[int, tuple[int, int]]]:
        """The leaves from left to right; and by node, from which of them to which its left branch reaches.

        Raises:
            ValueError: it is no tree: a node has two parents, or a leaf has none.
        """
        order: list[int] = []
        branch: dict[int, tuple[int, int]] = {}
        waiting: list[tuple[int, int]] = [(0 if len(self.feature) else ~0, -1)]
        while waiting:
            node, begun = waiting.pop()
            if begun >= 0:
                branch[node] = (begun, len(order))
            elif node < 0:
                order.append(~node)
                if len(order) > len(self.values):
                    break
            else:
                waiting += [(int(self.right[node]), -1), (node, len(order)), (int(self.left[node]), -1)]
        if sorted(order) != list(range(len(self.values))):
            raise ValueError("not a tree")
        return order, branch


@dataclass(frozen=True)
class _Column:
    """The nodes of all trees that look at one column."""

    column: int
    bounds: NDArray[np.float64]  # their thresholds, growing, then infinity and NaN
    left: NDArray[Any]  # [how many bounds are exceeded, tree]: a bit for each leaf that is not ruled out


class LeafTables:
    """Sums of leaf values, tree by tree in their order: bit by bit what a walk through the trees adds up.

    >>> stump = Tree(*(np.array([one]) for one in (0, 0.5, ~0, ~1, False)), values=np.array([1.0, 2.0]))
    >>> LeafTables([stump, stump]).sums(np.array([[0.5], [0.6], [np.nan]])).tolist()
    [2.0, 4.0, 4.0]
    """

    def __init__(self, trees: Sequence[Tree]) -> None:
        """Prepare: one table a column, of (thresholds + 2) × trees × 4 or 8 bytes.

        Raises:
            ValueError: a tree has more than MOST_LEAVES leaves.
        """
        most = max((len(one.values) for one in trees), default=1)
        if most > MOST_LEAVES:
            raise ValueError(f"{most} leaves; at most {MOST_LEAVES}")
        bits: Any = np.uint32 if most <= 32 else np.uint64
        self._float: Any = np.float32 if most <= 32 else np.float64
        self._mantissa, self._bias = (23, 127) if most <= 32 else (52, 1023)
        self._bits = bits
        self._trees = len(trees)
        self._values = np.zeros((self._trees, most))
        nodes: list[tuple[int, float, int, bool, int]] = []  # column, threshold, tree, nan_left, leaves left over
        everything = (1 << most) - 1
        for number, tree in enumerate(trees):
            order, branch = tree.leaves()
            self._values[number, : len(order)] = tree.values[order]
            for node, (first, end) in branch.items():
                kept = everything & ~((1 << end) - (1 << first))
                where = int(tree.feature[node]), float(tree.threshold[node])
                nodes.append((*where, number, bool(tree.nan_left[node]), kept))
        self._first_leaf = (np.arange(self._trees, dtype=bits) * bits(most))[:, None]
        by_column: dict[int, list[tuple[int, float, int, bool, int]]] = {}
        for one in nodes:
            by_column.setdefault(one[0], []).append(one)
        self._columns = [self._column(column, by_column[column]) for column in sorted(by_column)]
        self._join()

    @property
    def size_bytes(self) -> int:
        """Of all tables."""
        return sum(one.left.nbytes for one in self._columns)

    def sums(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the leaf values of each row; shape (rows,) of a matrix of shape (rows, columns)."""
        if 0 < len(matrix) <= _FEW and self._columns:
            return self._added(self._left_of_few(matrix))
        parts = [self._added(self._left(matrix[start : start + _ROWS])) for start in range(0, len(matrix), _ROWS)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _column(self, column: int, nodes: Sequence[tuple[int, float, int, bool, int]]) -> _Column:
        _, thresholds, trees, nan_left, kept = (np.array(one) for one in zip(*nodes, strict=True))
        bounds = np.append(np.unique(np.append(thresholds, np.inf)), np.nan)
        left = np.full((len(bounds), self._trees), ~self._bits(0), dtype=self._bits)
        masks = kept.astype(self._bits)
        np.bitwise_and.at(left, (bounds[:-1].searchsorted(thresholds) + 1, trees), masks)
        # The row after the last threshold is the one of NaN; a threshold of infinity is never exceeded.
        left[-1] = ~self._bits(0)
        np.bitwise_and.accumulate(left[:-1], axis=0, out=left[:-1])
        right = ~nan_left.astype(bool)
        np.bitwise_and.at(left, (np.full(int(right.sum()), -1), trees[right]), masks[right])
        return _Column(column, bounds, left)

    def _join(self) -> None:
        """One table and one row of bounds for all columns; what stands in `_columns` becomes parts of them.

        A bound is the complex number column + bound·i. Those are ordered by column first, and with NaN behind all
        others, by column again.
        """
        tables = [one.left for one in self._columns]
        self._all = np.concatenate(tables) if tables else np.empty((0, self._trees), self._bits)
        ends = np.cumsum([len(one) for one in tables], dtype=np.int64)
        numbers = np.arange(len(tables))
        self._bounds = np.empty(len(self._all), complex)
        self._bounds.real = np.append(np.repeat(numbers, [len(one) - 1 for one in tables]), numbers)
        self._bounds.imag = np.concatenate(
            [*(one.bounds[:-1] for one in self._columns), np.full(len(tables), np.nan)]
        )
        last = ends - 1  # of each column the row of NaN
        self._places = np.append(np.delete(np.arange(len(self._all)), last), last)
        self._looked_at = [one.column for one in self._columns]
        starts = ends - [len(one) for one in tables]
        self._columns = [
            _Column(one.column, one.bounds, self._all[start:end])
            for one, start, end in zip(self._columns, starts, ends, strict=True)
        ]

    def _left_of_few(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """What `_left` gives, of all columns in one call each."""
        asked = np.empty((len(matrix), len(self._looked_at)), complex)
        asked.real = np.arange(len(self._looked_at))
        asked.imag = matrix[:, self._looked_at]
        found = self._all.take(self._places.take(self._bounds.searchsorted(asked)), axis=0)
        left: NDArray[Any] = np.bitwise_and.reduce(found, axis=1)
        return left

    def _left(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """By row and tree, a bit for each leaf that is not ruled out."""
        columns = np.ascontiguousarray(matrix.T)
        left = np.full((len(matrix), self._trees), ~self._bits(0), dtype=self._bits)
        found = np.empty_like(left)
        for one in self._columns:
            # "clip" has numpy write into `found` without a copy in between; all places are within the table.
            one.left.take(one.bounds.searchsorted(columns[one.column]), axis=0, out=found, mode="clip")
            left &= found
        return left

    def _added(self, left: NDArray[Any]) -> NDArray[np.float64]:
        by_tree = np.ascontiguousarray(left.T)
        first = by_tree & (~by_tree + self._bits(1))
        # A power of two as a floating point number: its exponent is the number of the bit.
        leaf = (first.astype(self._float).view(self._bits) >> self._bits(self._mantissa)) - self._bits(self._bias)
        leaf += self._first_leaf
        values = self._values.take(leaf)
        # A sum would add up pairs of a single row's values; this adds one tree after the other.
        return np.array(np.add.accumulate(values, axis=0, out=values)[-1])
