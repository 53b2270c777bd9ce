"""Logarithmic loss of probabilities for a binary label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-15  # a certain and wrong answer costs 34.5 nats instead of infinity


def log_loss_rows(label: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Loss of each row in nats, shape (n,).

    >>> log_loss_rows(np.array([1.0, 0.0]), np.array([0.5, 0.5])).round(3).tolist()
    [0.693, 0.693]
    """
    clipped = np.clip(score, _SMALLEST, 1 - _SMALLEST)
    return -(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))


def log_loss(label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Mean loss in nats; NaN without rows."""
    return float(log_loss_rows(label, score).mean()) if len(label) else float("nan")


def log_loss_weighted(
    label: NDArray[np.float64], score: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], float]:
    """`log_loss` of rows that count as often as their weight says."""
    loss = log_loss_rows(label, score)
    return lambda weight: float(weight @ loss / weight.sum()) if weight.any() else float("nan")
