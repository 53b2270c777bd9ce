"""The gain against scikit-learn, and what it takes to pass, to fail and to stay open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from tests.validation.trials import aa_trial, coin_trial

from trimtab.kernel.verdict import Outcome
from trimtab.validation.gates import gain, not_worse


@pytest.mark.parametrize("seed", range(3))
def test_gain_is_the_difference_of_scikit_learns_values(seed: int) -> None:
    trial = aa_trial(seed)
    loss = log_loss(trial.label, trial.champion) - log_loss(trial.label, trial.challenger)
    assert gain("log_loss").judge(trial).value == pytest.approx(loss, abs=1e-12)
    auc = roc_auc_score(trial.label, trial.challenger) - roc_auc_score(trial.label, trial.champion)
    assert gain("roc_auc").judge(trial).value == pytest.approx(auc, abs=1e-12)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_it_mirrors_what_not_worse_measures(metric: str) -> None:
    trial = aa_trial(1)
    one, other = gain(metric).judge(trial), not_worse(metric).judge(trial)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_bound_decides(metric: str) -> None:
    """Failed up to the value, open up to the lower end of the interval, passed below it."""
    trial = coin_trial(2, "good")
    found = gain(metric).judge(trial)
    assert 0 < found.low < found.value
    outcomes = {
        at_least: gain(metric, at_least=at_least).judge(trial).outcome
        for at_least in (found.value + 1e-9, found.value, found.value - 1e-9, found.low, found.low - 1e-9)
    }
    fail, unclear, passed = Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS
    assert list(outcomes.values()) == [fail, fail, unclear, unclear, passed]


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_same_scores_are_no_gain(metric: str) -> None:
    trial = aa_trial(2)
    verdict = gain(metric).judge(replace(trial, champion=trial.challenger))
    assert (verdict.outcome, verdict.value) == (Outcome.FAIL, 0.0)
    assert "there is no such gain" in verdict.reason


def test_no_change_is_refused_half_of_the_time_and_seldom_passed() -> None:
    """Of 60 trials of equal releases half fail, and 6 pass."""
    outcomes = [gain("log_loss").judge(aa_trial(1000 + seed)).outcome for seed in range(60)]
    assert 15 <= outcomes.count(Outcome.FAIL) <= 45
    assert outcomes.count(Outcome.PASS) <= 8


def test_the_reason_names_the_champion_and_the_bound() -> None:
    reason = gain("log_loss", at_least=0.01).judge(aa_trial(7)).reason
    assert "gain in log_loss over release 0123456789ab" in reason
    assert "more than 0.01 wanted" in reason


def test_a_champion_without_a_score_decides_nothing() -> None:
    trial = aa_trial(8)
    score = trial.champion.copy()
    score[:5] = np.nan
    verdict = gain("log_loss").judge(replace(trial, champion=score))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "5 of 504 rows have no score of the champion" in verdict.reason
