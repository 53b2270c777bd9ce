"""Oracle: a walk through each tree, node by node."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trimtab.stats.leaf_tables import MOST_LEAVES, LeafTables, Tree

COLUMNS = 3
SOME = [-1.5, 0.0, 0.25, 1.0, 1e300, math.inf, -math.inf]


def walked(trees: list[Tree], matrix: NDArray[np.float64]) -> list[float]:
    sums = []
    for row in matrix:
        total = 0.0
        for tree in trees:
            node = 0 if len(tree.feature) else ~0
            while node >= 0:
                value = row[tree.feature[node]]
                left = tree.nan_left[node] if math.isnan(value) else value <= tree.threshold[node]
                node = int(tree.left[node] if left else tree.right[node])
            total += tree.values[~node]
        sums.append(total)
    return sums


def grown(chance: np.random.Generator, leaves: int) -> Tree:
    """Leaf by leaf, each time another one is split, as LightGBM does it."""
    left, right = np.zeros(leaves - 1, np.int64), np.zeros(leaves - 1, np.int64)
    parents: list[tuple[NDArray[np.int64], int]] = [(left, 0)]  # of each leaf, the place that names it
    for node in range(leaves - 1):
        split = int(chance.integers(node + 1))
        side, place = parents[split]
        if node:
            side[place] = node
        left[node], right[node] = ~split, ~(node + 1)
        parents[split] = (left, node)
        parents.append((right, node))
    return Tree(
        chance.integers(0, COLUMNS, leaves - 1),
        chance.choice([*SOME[:-1], *chance.normal(size=4)], leaves - 1),
        left,
        right,
        chance.random(leaves - 1) < 0.5,
        chance.normal(size=leaves),
    )


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    leaves=st.lists(st.integers(1, MOST_LEAVES), min_size=1, max_size=12),
    rows=st.lists(
        st.lists(st.sampled_from([*SOME, math.nan]) | st.floats(-3, 3), min_size=COLUMNS, max_size=COLUMNS),
        min_size=1,
        max_size=40,
    ),
)
def test_sums_are_those_of_a_walk(seed: int, leaves: list[int], rows: list[list[float]]) -> None:
    chance = np.random.default_rng(seed)
    trees = [grown(chance, count) for count in leaves]
    matrix = np.array(rows)
    assert LeafTables(trees).sums(matrix).tolist() == walked(trees, matrix)


def test_a_row_does_not_depend_on_those_beside_it() -> None:
    chance = np.random.default_rng(1)
    tables = LeafTables([grown(chance, 31) for _ in range(40)])
    matrix = chance.normal(size=(700, COLUMNS))
    together = tables.sums(matrix)
    assert [float(tables.sums(matrix[number : number + 1])[0]) for number in range(700)] == together.tolist()
    assert tables.sums(matrix[:0]).tolist() == []
    assert tables.size_bytes > 0


def test_too_many_leaves_are_refused() -> None:
    with pytest.raises(ValueError, match=f"65 leaves; at most {MOST_LEAVES}"):
        LeafTables([grown(np.random.default_rng(2), MOST_LEAVES + 1)])


@pytest.mark.parametrize("child", [0, ~0])
def test_what_is_no_tree_is_refused(child: int) -> None:
    tree = grown(np.random.default_rng(3), 3)
    tree.right[1] = child  # round in a circle, or a leaf with two parents
    with pytest.raises(ValueError, match=re.escape("not a tree")):
        LeafTables([tree])
