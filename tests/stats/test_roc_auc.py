"""AUC against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from trimtab.stats.roc_auc import roc_auc

pairs = st.lists(st.tuples(st.booleans(), st.integers(0, 5) | st.floats(-10, 10)), min_size=2, max_size=40)


@settings(max_examples=120, deadline=None)
@given(pairs=pairs)
def test_equals_scikit_learn_with_and_without_ties(pairs: list[tuple[bool, float]]) -> None:
    label = np.array([float(one) for one, _ in pairs])
    score = np.array([float(one) for _, one in pairs])
    assume(0 < label.sum() < len(label))
    assert roc_auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


def test_equals_scikit_learn_on_many_rows() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=20_000).round(2)
    label = (rng.random(20_000) < 1 / (1 + np.exp(-score))).astype(float)
    assert roc_auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@pytest.mark.parametrize("label", [[], [1.0, 1.0], [0.0, 0.0]])
def test_an_absent_class_is_nan(label: list[float]) -> None:
    assert math.isnan(roc_auc(np.array(label), np.zeros(len(label))))
