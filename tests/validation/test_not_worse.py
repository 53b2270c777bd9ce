"""Non-inferiority against scikit-learn, and how often it is wrong when nothing has changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from tests.validation.trials import aa_trial

from trimtab.kernel.verdict import Outcome
from trimtab.validation.gates import floor, not_worse
from trimtab.validation.trial import Trial


@pytest.mark.parametrize("seed", range(5))
def test_harm_is_the_difference_of_scikit_learns_values(seed: int) -> None:
    trial = aa_trial(seed)
    loss = not_worse("log_loss").judge(trial)
    assert loss.value == pytest.approx(
        log_loss(trial.label, trial.challenger) - log_loss(trial.label, trial.champion), abs=1e-12
    )
    auc = not_worse("roc_auc").judge(trial)
    assert auc.value == pytest.approx(
        roc_auc_score(trial.label, trial.champion) - roc_auc_score(trial.label, trial.challenger), abs=1e-12
    )


def test_harm_is_positive_when_the_challenger_is_worse() -> None:
    trial = aa_trial(1)
    worse = replace(trial, challenger=1 - trial.challenger)
    for metric in ("log_loss", "roc_auc"):
        verdict = not_worse(metric).judge(worse)
        assert (verdict.outcome, verdict.value > 0) == (Outcome.FAIL, True)
    assert not_worse("log_loss").judge(_swapped(worse)).outcome is Outcome.PASS


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_same_scores_are_not_worse_even_without_a_margin(metric: str) -> None:
    trial = aa_trial(2)
    verdict = not_worse(metric, margin=0.0).judge(replace(trial, champion=trial.challenger))
    assert (verdict.outcome, verdict.value, verdict.low, verdict.high) == (Outcome.PASS, 0.0, 0.0, 0.0)


def test_no_change_passes_and_fails_equally_seldom_without_a_margin() -> None:
    """Each end is nominally left by one in forty; with 28 days it is one in twenty, with 60 one in thirty."""
    outcomes = [not_worse("log_loss", margin=0.0).judge(aa_trial(1000 + seed)).outcome for seed in range(60)]
    passed, failed = outcomes.count(Outcome.PASS), outcomes.count(Outcome.FAIL)
    assert 1 <= passed <= 10
    assert 1 <= failed <= 10


def test_days_are_the_unit_of_evidence() -> None:
    """The interval is as wide as fresh months differ; with rows as blocks it is far too narrow."""
    harms = [
        log_loss(one.label, one.challenger) - log_loss(one.label, one.champion) for one in map(aa_trial, range(150))
    ]
    spread = 2 * 1.96 * float(np.std(harms))
    trials = [aa_trial(seed) for seed in range(6)]
    rows = [replace(one, block=np.arange(len(one.label))) for one in trials]
    assert _mean_width(trials) == pytest.approx(spread, rel=0.2)
    assert _mean_width(rows) < 0.7 * spread


def test_no_change_passes_with_a_margin_that_a_month_can_show() -> None:
    spread = np.std([not_worse("log_loss").judge(aa_trial(seed)).value for seed in range(20)])
    gate = not_worse("log_loss", margin=float(4 * spread))
    assert [gate.judge(aa_trial(50 + seed)).outcome for seed in range(10)].count(Outcome.PASS) >= 9


def test_the_comparison_is_paired() -> None:
    """What both releases do not know of a day must not widen the interval of their difference."""
    trial = aa_trial(3)
    nearly = replace(trial, champion=np.clip(trial.challenger + 1e-3, 0, 1))
    paired = not_worse("log_loss").judge(nearly)
    alone = floor("log_loss", at_least=0.5).judge(nearly)
    assert paired.high - paired.low < (alone.high - alone.low) / 20


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_margin_counts_from_both_ends(metric: str) -> None:
    trial = aa_trial(6)
    if not_worse(metric).judge(trial).low < 0:
        trial = _swapped(trial)
    trial = replace(trial, challenger=trial.challenger * 0.5 + 0.2)
    found = not_worse(metric, margin=0.0).judge(trial)
    for margin, outcome in (
        (found.high, Outcome.PASS),
        (max(0.0, (found.low + found.high) / 2), Outcome.INCONCLUSIVE),
    ):
        assert not_worse(metric, margin=margin).judge(trial).outcome is outcome


def test_the_reason_names_the_champion_the_unit_and_the_margin() -> None:
    reason = not_worse("log_loss", margin=0.002).judge(aa_trial(7)).reason
    assert "against release 0123456789ab" in reason
    assert "nats" in reason
    assert "margin 0.002" in reason


def test_a_champion_without_a_score_decides_nothing() -> None:
    trial = aa_trial(8)
    score = trial.champion.copy()
    score[:5] = np.nan
    verdict = not_worse("log_loss").judge(replace(trial, champion=score))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "5 of 504 rows have no score of the champion" in verdict.reason


def test_a_negative_margin_is_refused() -> None:
    (problem,) = not_worse("log_loss", margin=-0.1).problems([])
    assert (problem.got, problem.allowed) == ("-0.1", "0 or more")


def _mean_width(trials: list[Trial]) -> float:
    verdicts = [not_worse("log_loss").judge(one) for one in trials]
    return float(np.mean([one.high - one.low for one in verdicts]))


def _swapped(trial: Trial) -> Trial:
    return replace(trial, challenger=trial.champion, champion=trial.challenger)
