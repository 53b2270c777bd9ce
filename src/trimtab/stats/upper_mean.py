"""A one-sided bound for a mean, for a single look that was planned beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit


def upper_mean(observations: Sequence[float], *, confidence: float = 0.95) -> float:
    """The upper Student bound of the mean; infinite with fewer than three observations.

    Args:
        observations: independent, e.g. one paired difference a day.
        confidence: with which the mean is below it.

    >>> round(upper_mean([0.0, 1.0, 2.0]), 3)
    2.686
    """
    x = np.asarray(observations, dtype=np.float64)
    if len(x) < 3:
        return math.inf
    return float(x.mean() + stdtrit(len(x) - 1, confidence) * x.std(ddof=1) / math.sqrt(len(x)))
