"""Metrics by name: the function, and which direction is good."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from trimtab.stats.metrics import METRICS

ORACLES = {"roc_auc": roc_auc_score, "log_loss": log_loss}


def test_every_metric_has_an_oracle() -> None:
    assert set(METRICS) == set(ORACLES)
    assert all(name == metric.name and metric.unit for name, metric in METRICS.items())


@pytest.mark.parametrize("name", METRICS)
def test_the_name_means_what_scikit_learn_means(name: str) -> None:
    generator = np.random.default_rng(3)
    label = (generator.random(500) < 0.3).astype(float)
    score = generator.uniform(0.01, 0.99, 500).round(2)
    assert METRICS[name].function(label, score) == pytest.approx(ORACLES[name](label, score), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_the_good_direction_is_that_of_better_scores(name: str) -> None:
    label = np.array([0.0, 0, 1, 1, 0, 1])
    metric = METRICS[name]
    better, worse = (metric.function(label, 0.5 + sign * (label - 0.5) * 0.6) for sign in (1, -1))
    assert (better > worse) == metric.higher_is_better


@pytest.mark.parametrize("name", METRICS)
def test_a_score_that_is_no_number_has_no_value(name: str) -> None:
    assert np.isnan(METRICS[name].function(np.array([0.0, 1, 0, 1]), np.array([0.1, 0.9, np.nan, 0.3])))
