"""An anytime-valid interval for a mean: it may be looked at after every observation, and stopped on at will.

For independent Gaussian observations of unknown variance, and any stopping rule, the intervals of all looks
together cover the mean with the stated confidence. They invert the scale-invariant mixture test: the likelihood
ratio of the t statistic, mixed over effects δ = μ/σ ~ N(0, 1/c²), is a test martingale under μ = 0 (Lai 1976;
Wang & Ramdas 2024, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance"):

    M = sqrt(c² / (n + c²)) · (V / (V − S² / (n + c²)))^(n / 2),   S = Σx, V = Σx²
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AnytimeMean:
    """A mean with its interval; the whole line while too little is known."""

    value: float
    low: float
    high: float
    confidence: float
    count: int


def anytime_mean(observations: Sequence[float], *, confidence: float = 0.95, scale: float = 1.0) -> AnytimeMean:
    """The mean of the observations so far.

    Args:
        observations: in the order of their arrival, e.g. one paired difference a day.
        confidence: with which the intervals of all looks cover the mean.
        scale: c; the interval is tightest when about c² observations were made of an effect of 1/c deviations.

    >>> anytime_mean([0.01, 0.03, 0.02, 0.02, 0.01, 0.03, 0.02]).low > 0
    True
    >>> anytime_mean([0.01]).high
    inf
    """
    x = np.asarray(observations, dtype=np.float64)
    n = len(x)
    if n == 0:
        return AnytimeMean(math.nan, -math.inf, math.inf, confidence, 0)
    mean = float(x.mean())
    c2 = scale * scale
    # M < 1/α  ⇔  S² / ((n + c²) V) < q, solved for the means μ whose x − μ satisfy it.
    q = 1.0 - (c2 / (n + c2)) ** (1.0 / n) * (1.0 - confidence) ** (2.0 / n)
    room = n - q * (n + c2)
    if n < 2 or room <= 0:
        return AnytimeMean(mean, -math.inf, math.inf, confidence, n)
    half = math.sqrt(q * (n + c2) * float(x.var()) / room)
    return AnytimeMean(mean, mean - half, mean + half, confidence, n)
