"""How often the rollout rule decides wrongly: whole rollouts, simulated look by look, against what is promised.

Daily differences are Gaussian, one day a look, fourteen days to the horizon, margin 0.005 nats, confidence 0.95.
The promise: a challenger whose true harm is the margin is promoted in at most 7.5 % of rollouts (2.5 % before the
horizon, by an end of the anytime-valid interval; 5 % at it, by the one-sided bound), and one that changes nothing
is called worse in at most 5 % (2.5 % by theory: one end of the interval).
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from tests.deployment.rollouts import BEGAN_US, SYSTEM, A, B, begun, seen

from trimtab.deployment.actions import Stay, StepRollout
from trimtab.deployment.decide_rollout import decide_rollout
from trimtab.kernel.route import Canary, Route
from trimtab.stats.mixture_t import anytime_mean
from trimtab.stats.upper_mean import upper_mean

RUNS = 600
HORIZON_DAYS = 14
MARGIN = begun().margin


def ended(daily: list[float]) -> tuple[str, int]:
    """What became of a rollout, and on which day."""
    rollout = begun()
    route, since_us = Route(SYSTEM, A.digest, (), 1, Canary(B.digest, rollout.steps[0], rollout.id)), BEGAN_US
    for day in range(1, HORIZON_DAYS + 1):
        mean = anytime_mean(daily[:day], confidence=rollout.confidence)
        upper = upper_mean(daily[:day], confidence=rollout.confidence)
        look = seen(day, harm=mean.value, low=mean.low, high=mean.high, upper=upper)
        (action,) = decide_rollout(rollout, route, since_us, look)
        if isinstance(action, Stay):
            continue
        assert isinstance(action, StepRollout)
        if action.stage != "advanced":
            why = "worse" if "it is worse" in action.move.because else action.stage
            return why, day
        route, since_us = action.move.route(), look.at_us
    raise AssertionError("the horizon did not end it")


def outcomes(harm: float, deviation: float, seed: int) -> Counter[tuple[str, bool]]:
    """(what became of it, whether at the horizon) → how many of RUNS rollouts."""
    daily = np.random.default_rng(seed).normal(harm, deviation, (RUNS, HORIZON_DAYS))
    ends = [ended(list(one)) for one in daily]
    return Counter((what, day == HORIZON_DAYS) for what, day in ends)


def share(found: Counter[tuple[str, bool]], what: str) -> float:
    return sum(count for (one, _), count in found.items() if one == what) / RUNS


def at_most(promised: float) -> float:
    """Three deviations of the simulation above what is promised."""
    return promised + 3 * math.sqrt(promised * (1 - promised) / RUNS)


@pytest.mark.parametrize("deviation", [1 * MARGIN, 4 * MARGIN, 20 * MARGIN])
def test_a_challenger_that_does_the_largest_harm_is_seldom_promoted(deviation: float) -> None:
    """Of 4,000 rollouts 4.9 to 5.7 % were: 0.8 % before the horizon, 4.1 to 4.9 % at it."""
    found = outcomes(MARGIN, deviation, seed=1)
    assert found["promoted", False] / RUNS <= at_most(0.025)
    assert share(found, "promoted") <= at_most(0.075)


@pytest.mark.parametrize("deviation", [1 * MARGIN, 20 * MARGIN])
def test_a_challenger_that_changes_nothing_is_seldom_called_worse(deviation: float) -> None:
    """Of 4,000 rollouts 0.5 % were. At a deviation of one margin 97 % are promoted, 60 % before the horizon."""
    found = outcomes(0.0, deviation, seed=2)
    assert share(found, "worse") <= 0.05


def test_what_is_clear_is_decided_early_and_rightly() -> None:
    """At a deviation of one margin: 100 % of 4,000 rollouts, of either kind, before the horizon."""
    better, worse = outcomes(-MARGIN, MARGIN, seed=3), outcomes(3 * MARGIN, MARGIN, seed=3)
    assert share(better, "promoted") > 0.99
    assert better["promoted", False] / RUNS > 0.9
    assert share(worse, "worse") > 0.95
