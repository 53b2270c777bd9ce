"""Trials with the structure of production: rows of one day share what the model does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trimtab.validation.trial import Trial

CARRIERS = ("AA", "B6", "UA")
TRUTH_SD = 1.5  # of what both releases see, in log-odds
WEATHER_SD = 1.2  # of what rows of one day share and no release sees
DAY_SD = 0.8  # of what a release gets wrong for a whole day


def aa_trial(seed: int, *, days: int = 28, rows_a_day: int = 18) -> Trial:
    """Two releases that are equally good, each wrong in its own way about whole days and about single rows."""
    generator = np.random.default_rng(seed)
    rows = days * rows_a_day
    day = np.repeat(np.arange(days), rows_a_day)
    truth = generator.normal(scale=TRUTH_SD, size=rows)
    weather = generator.normal(scale=WEATHER_SD, size=days)[day]

    def release() -> NDArray[np.float64]:
        seen = truth + generator.normal(scale=DAY_SD, size=days)[day] + generator.normal(scale=0.3, size=rows)
        return probability(seen)

    label = (generator.random(rows) < probability(truth + weather)).astype(float)
    columns = {"carrier": list(np.tile(CARRIERS, rows // len(CARRIERS)))}
    return Trial(label, release(), release(), "release 0123456789ab", day, columns)


def coin_trial(seed: int, challenger: str) -> Trial:
    """A challenger that is good, or bad in the same measure, against a champion that knows nothing."""
    trial = aa_trial(seed)
    score = trial.challenger if challenger == "good" else 1 - trial.challenger
    return replace(trial, challenger=score, champion=np.full(len(score), 0.5))


def permuted(trial: Trial, seed: int) -> Trial:
    """The same rows in another order."""
    order = np.random.default_rng(seed).permutation(len(trial.label))
    return Trial(
        trial.label[order],
        trial.challenger[order],
        trial.champion[order],
        trial.champion_name,
        trial.block[order],
        {name: [values[row] for row in order] for name, values in trial.columns.items()},
    )


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function."""
    return 1 / (1 + np.exp(-log_odds))
