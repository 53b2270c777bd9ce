"""Area under the ROC curve: the probability that a random positive scores above a random negative."""

from __future__ import annotations

from collections.abc import Callable

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


def roc_auc_weighted(
    label: NDArray[np.float64], score: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], float]:
    """`roc_auc` of rows that count as often as their weight says: sorted once, then linear in the rows.

    >>> label, score = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> roc_auc_weighted(label, score)(np.array([1.0, 0.0, 2.0, 1.0]))
    1.0
    """
    order = np.argsort(score, kind="stable")
    positive = label[order]
    _, starts = np.unique(score[order], return_index=True)
    undefined = bool(np.isnan(score).any())

    def auc(weight: NDArray[np.float64]) -> float:
        sorted_weight = weight[order]
        positives = np.add.reduceat(sorted_weight * positive, starts)
        negatives = np.add.reduceat(sorted_weight * (1 - positive), starts)
        pairs = positives.sum() * negatives.sum()
        if not pairs or undefined:
            return float("nan")
        return float((positives * (np.cumsum(negatives) - negatives / 2)).sum() / pairs)

    return auc
