"""The block bootstrap: deterministic, calibrated on blocks, and honest where it knows nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from trimtab.stats.block_bootstrap import Interval, block_bootstrap
from trimtab.stats.roc_auc import roc_auc


def mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def days(seed: int, count: int = 40, rows: int = 25) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows that share the effect of their day (standard deviation 1) and have little of their own; true mean 0."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(count), rows)
    return rng.normal(size=count)[day] + 0.3 * rng.normal(size=len(day)), day


def test_the_same_seed_gives_the_same_interval() -> None:
    values, day = days(0)
    one = block_bootstrap(mean, (values,), day, seed=7)
    assert one == block_bootstrap(mean, (values,), day, seed=7)
    assert one != block_bootstrap(mean, (values,), day, seed=8)


def test_names_of_blocks_and_order_within_them_do_not_matter() -> None:
    values, day = days(1)
    renamed = block_bootstrap(mean, (values,), day * 1_000 - 7, seed=3)
    assert renamed == block_bootstrap(mean, (values,), day, seed=3)


def test_the_value_is_that_of_the_data_and_blocks_are_counted() -> None:
    values, day = days(2)
    found = block_bootstrap(mean, (values,), day)
    assert (found.value, found.blocks, found.confidence) == (mean(values), 40, 0.95)
    assert found.low < found.value < found.high


def test_coverage_is_near_what_is_promised_where_rows_alone_would_be_far_off() -> None:
    by_day, by_row = [], []
    for seed in range(200):
        values, day = days(seed)
        found = block_bootstrap(mean, (values,), day, confidence=0.9, draws=100, seed=seed)
        by_day.append(found.low <= 0 <= found.high)
        if seed < 40:
            row = np.arange(len(values))
            alone = block_bootstrap(mean, (values,), row, confidence=0.9, draws=50, seed=seed)
            by_row.append(alone.low <= 0 <= alone.high)
    # Four standard errors of 200 trials on either side of 0.9 and of the method's own bias at 40 blocks.
    assert 0.79 <= np.mean(by_day) <= 0.98
    assert np.mean(by_row) < 0.6


def test_all_arrays_are_resampled_alike() -> None:
    values, day = days(3)
    twice = block_bootstrap(lambda a, b: float(np.abs(2 * a - b).max()), (values, 2 * values), day)
    assert (twice.low, twice.high) == (0, 0)


@pytest.mark.parametrize("rows", [1, 50])
def test_one_block_knows_nothing_of_the_spread(rows: int) -> None:
    found = block_bootstrap(mean, (np.ones(rows),), np.zeros(rows, np.int64))
    assert found == Interval(1.0, -math.inf, math.inf, 0.95, 1)


def test_a_metric_that_is_never_defined_has_no_bounds() -> None:
    found = block_bootstrap(roc_auc, (np.ones(20), np.arange(20.0)), np.arange(20))
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_resamples_that_lack_a_class_are_left_out() -> None:
    label = np.array([1.0, 0.0, 0.0, 0.0])
    found = block_bootstrap(roc_auc, (label, np.array([0.9, 0.1, 0.95, 0.2])), np.arange(4))
    assert 0 <= found.low <= found.high <= 1
