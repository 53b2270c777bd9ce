"""The floor against scikit-learn, and what its bound means for a loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from tests.validation.trials import aa_trial

from trimtab.kernel.verdict import Outcome
from trimtab.validation.gates import floor


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_that_of_scikit_learn(seed: int) -> None:
    trial = aa_trial(seed)
    rounded = replace(trial, challenger=trial.challenger.round(1).clip(0.05, 0.95))  # with many ties
    for one in (trial, rounded):
        auc = floor("roc_auc", at_least=0.5).judge(one)
        assert auc.value == pytest.approx(roc_auc_score(one.label, one.challenger), abs=1e-12)
        loss = floor("log_loss", at_least=0.5).judge(one)
        assert loss.value == pytest.approx(log_loss(one.label, one.challenger), abs=1e-12)


def test_the_interval_is_as_wide_as_the_days_differ() -> None:
    """Against the spread of the metric over fresh months, which nobody has in practice."""
    losses = [log_loss(one.label, one.challenger) for one in (aa_trial(seed) for seed in range(150))]
    widths = [floor("log_loss", at_least=0.5).judge(aa_trial(seed)) for seed in range(20)]
    width = float(np.mean([one.high - one.low for one in widths]))
    assert width == pytest.approx(2 * 1.96 * float(np.std(losses)), rel=0.2)


@pytest.mark.parametrize(
    ("metric", "far_below", "far_above"), [("roc_auc", 0.55, 0.95), ("log_loss", 2.0, 0.2)], ids=["gain", "loss"]
)
def test_far_below_passes_far_above_fails_and_between_is_open(
    metric: str, far_below: float, far_above: float
) -> None:
    """For a loss 'above' is a smaller number."""
    trial = aa_trial(3)
    assert floor(metric, at_least=far_below).judge(trial).outcome is Outcome.PASS
    assert floor(metric, at_least=far_above).judge(trial).outcome is Outcome.FAIL
    value = floor(metric, at_least=far_below).judge(trial).value
    assert floor(metric, at_least=value).judge(trial).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("metric", "meant"), [("roc_auc", "at least 0.5 wanted"), ("log_loss", "at most 0.5 wanted")]
)
def test_the_reason_says_which_side_is_good(metric: str, meant: str) -> None:
    reason = floor(metric, at_least=0.5).judge(aa_trial(4)).reason
    assert meant in reason
    assert "over 28 days" in reason


def test_the_edges_of_the_interval_count() -> None:
    """Pass if the worse end reaches the bound exactly; fail only if the better end is beyond it."""
    trial = aa_trial(5)
    for metric, sign in (("roc_auc", 1), ("log_loss", -1)):
        found = floor(metric, at_least=0.5).judge(trial)
        worse, better = (found.low, found.high) if sign > 0 else (found.high, found.low)
        outcomes = {
            bound: floor(metric, at_least=bound).judge(trial).outcome
            for bound in (worse, worse + sign * 1e-9, better, better + sign * 1e-9)
        }
        assert list(outcomes.values()) == [
            Outcome.PASS,
            Outcome.INCONCLUSIVE,
            Outcome.INCONCLUSIVE,
            Outcome.FAIL,
        ]


def test_the_champion_is_not_looked_at() -> None:
    trial = aa_trial(6)
    blind = replace(trial, champion=np.full(len(trial.label), np.nan), champion_name="nobody")
    gate = floor("roc_auc", at_least=0.6)
    assert gate.judge(blind) == gate.judge(trial)
