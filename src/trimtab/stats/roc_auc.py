"""Area under the ROC curve: the probability that a random positive scores above a random negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def roc_auc(label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """AUC by the Mann-Whitney statistic; ties count one half. NaN if a class is absent or a score is NaN.

    Args:
        label: shape (n,), 0 or 1.
        score: shape (n,).

    Source: Hanley & McNeil (1982), The meaning and use of the area under a ROC curve.

    >>> roc_auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    values, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    midrank = np.cumsum(counts) - (counts - 1) / 2
    positives = label.sum()
    negatives = len(label) - positives
    if not positives or not negatives or np.isnan(values).any():
        return float("nan")
    ranks = (midrank[where] * label).sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
