"""scikit-learn's trees: whether stored ones can be walked safely, and forests walked without the library's errands.

`predict_proba` of a forest of 100 trees takes 5.8 ms for a row, nearly all of it validation and threads. A few rows
are walked here through all trees at once, level by level; many rows by each tree's own C code. The sum over the
trees is taken in their order, as the library takes it: the answers are equal bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.adapters.model_library import is_one_of

_WALKED = 500  # rows × levels: beyond, each tree's own code is quicker
_LOOK = 8  # levels, after which the walk looks whether it has come to its end
_FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")
_TREE, _HISTOGRAM = "sklearn.tree._tree", "sklearn.ensemble._hist_gradient_boosting.predictor"


def is_forest(model: object) -> bool:
    """Whether `Forest` can answer for it."""
    return is_one_of(model, "sklearn.ensemble", *_FORESTS)


def unsafe_tree(model: object) -> str:
    """What is wrong with a tree that the library would walk without looking; "" if nothing is.

    The library's C code follows the numbers of nodes and columns that a file gives, wherever they lead.
    """
    for tree in _trees(model):
        if is_one_of(tree, _TREE, "Tree"):
            nodes, left, right = tree.node_count, tree.children_left, tree.children_right
            inner = left != -1
            features, columns = tree.feature, tree.n_features
        else:
            table = tree.nodes
            nodes, left, right = len(table), table["left"].astype(np.int64), table["right"].astype(np.int64)
            inner = table["is_leaf"] == 0
            features, columns = table["feature_idx"].astype(np.int64), np.iinfo(np.int32).max
            sets = np.where(inner & (table["is_categorical"] != 0), table["bitset_idx"].astype(np.int64), -1)
            if (sets >= min(len(tree.binned_left_cat_bitsets), len(tree.raw_left_cat_bitsets))).any():
                return "a node names a set of categories that does not exist"
        own = np.arange(nodes)
        for children in (left, right):
            # A child behind its parent: no walk goes round in circles.
            if (inner & ((children <= own) | (children >= nodes))).any():
                return "a node names a child that does not exist"
        if not nodes or (inner & ((features < 0) | (features >= columns))).any():
            return "a node names a column that does not exist"
    return ""


def _trees(model: object) -> Iterator[Any]:
    waiting: list[Any] = [model]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if is_one_of(one, _TREE, "Tree") or is_one_of(one, _HISTOGRAM, "TreePredictor"):
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple | set):
            waiting += one
        elif isinstance(one, np.ndarray):
            waiting += one.ravel().tolist() if one.dtype == object else []
        elif hasattr(one, "__dict__") and not isinstance(one, type):
            waiting += vars(one).values()


class Forest:
    """The mean of trees. Rows must be finite in 32 bits."""

    def __init__(self, model: Any, place: int) -> None:
        """Prepare.

        Args:
            model: a fitted forest of one output.
            place: of the value to answer with, within a leaf's values: the class, or 0.
        """
        self._trees = [one.tree_ for one in model.estimators_]
        self._place = place
        starts = np.cumsum([0, *(tree.node_count for tree in self._trees)])
        self._roots = starts[:-1].astype(np.intp)
        self._feature = _joined([np.maximum(tree.feature, 0) for tree in self._trees], np.intp)
        self._threshold = _joined([_thresholds(tree) for tree in self._trees], np.float64)
        self._values = _joined([tree.value[:, 0, place] for tree in self._trees], np.float64)
        self._children = np.empty(2 * int(starts[-1]), dtype=np.intp)  # left, right; a leaf is its own child
        for start, tree in zip(starts[:-1].tolist(), self._trees, strict=True):
            own, leaf = np.arange(tree.node_count), tree.children_left == -1
            part = self._children[2 * start : 2 * (start + tree.node_count)]
            part[0::2] = start + np.where(leaf, own, tree.children_left)
            part[1::2] = start + np.where(leaf, own, tree.children_right)
        self._leaf = _joined([tree.children_left == -1 for tree in self._trees], np.bool_)
        self._depth = max(tree.max_depth for tree in self._trees)

    def __call__(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores by row."""
        narrow = np.ascontiguousarray(matrix, dtype=np.float32)  # as the library does; its thresholds have 64 bits
        if len(narrow) * self._depth <= _WALKED:
            return self._walked(narrow)
        total = np.zeros(len(narrow))
        for tree in self._trees:
            total += tree.predict(narrow)[:, self._place]
        total /= len(self._trees)
        return total

    def _walked(self, narrow: NDArray[np.float32]) -> NDArray[np.float64]:
        rows, columns = narrow.shape
        cells = narrow.astype(np.float64).ravel()
        first = np.repeat(np.arange(0, rows * columns, columns), len(self._trees))  # cell of each walker's row
        place = np.tile(self._roots, rows)
        for level in range(self._depth):
            cell = self._feature.take(place)
            cell += first
            right = cells.take(cell) > self._threshold.take(place)
            place = self._children.take(2 * place + right)
            if level % _LOOK == _LOOK - 1 and self._leaf.take(place).all():
                break
        scores = [_sum(one) for one in self._values.take(place).reshape(rows, -1).tolist()]
        return np.array(scores) / len(self._trees)


def _sum(values: list[float]) -> float:
    """In their order, as the library adds them up; the built-in sum is more exact, and so not the same."""
    total = 0.0
    for value in values:
        total += value
    return total


def _thresholds(tree: Any) -> NDArray[np.float64]:
    return np.where(tree.children_left == -1, np.inf, tree.threshold)


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.ascontiguousarray(np.concatenate(parts), dtype=kind)
