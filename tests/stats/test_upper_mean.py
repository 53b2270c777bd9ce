"""The one-sided bound of one planned look, against SciPy, and how often it is too low."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trimtab.stats.upper_mean import upper_mean


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-10, 10), min_size=3, max_size=30), st.floats(0.5, 0.99))
def test_equals_scipys_student_bound(x: list[float], confidence: float) -> None:
    spread = float(np.std(x, ddof=1)) / math.sqrt(len(x))
    expected = np.mean(x) + stats.t.ppf(confidence, len(x) - 1) * spread
    assert upper_mean(x, confidence=confidence) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("x", [[], [0.0], [0.1, 0.2]])
def test_fewer_than_three_bound_nothing(x: list[float]) -> None:
    assert upper_mean(x) == math.inf


@pytest.mark.parametrize("count", [3, 14])
def test_the_mean_is_above_it_one_time_in_twenty(count: int) -> None:
    generator = np.random.default_rng(4)
    above = [upper_mean(generator.normal(size=count)) < 0 for _ in range(2000)]  # type: ignore[arg-type]
    assert abs(np.mean(above) - 0.05) <= 4 * math.sqrt(0.05 * 0.95 / 2000)
