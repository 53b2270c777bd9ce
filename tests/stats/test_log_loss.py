"""Log loss against scikit-learn, and what certainty costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats.log_loss import log_loss, log_loss_rows

pairs = st.lists(st.tuples(st.booleans(), st.floats(1e-9, 1 - 1e-9)), min_size=1, max_size=40)


@settings(max_examples=120, deadline=None)
@given(pairs=pairs)
def test_equals_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    label = np.array([float(one) for one, _ in pairs])
    score = np.array([one for _, one in pairs])
    expected = sklearn.metrics.log_loss(label, score, labels=[0.0, 1.0])
    assert log_loss(label, score) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert log_loss_rows(label, score).mean() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("label", "score"), [(1.0, 0.0), (0.0, 1.0)])
def test_certain_and_wrong_is_dear_but_finite(label: float, score: float) -> None:
    assert log_loss(np.array([label]), np.array([score])) == pytest.approx(-math.log(1e-15), rel=1e-3)


@pytest.mark.parametrize(("label", "score"), [(1.0, 1.0), (0.0, 0.0)])
def test_certain_and_right_is_free(label: float, score: float) -> None:
    assert log_loss(np.array([label]), np.array([score])) == pytest.approx(0, abs=1e-14)


def test_no_rows_no_loss() -> None:
    assert math.isnan(log_loss(np.array([]), np.array([])))
