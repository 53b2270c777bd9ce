"""Metrics by the name that gates and monitors use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.log_loss import log_loss, log_loss_weighted
from trimtab.stats.roc_auc import roc_auc, roc_auc_weighted


@dataclass(frozen=True)
class Metric:
    """A function of label and score, and which direction is good."""

    name: str
    function: Callable[[NDArray[np.float64], NDArray[np.float64]], float]
    weighted: Callable[..., Callable[[NDArray[np.float64]], float]]  # of label and score, then of rows' weights
    higher_is_better: bool
    unit: str


METRICS = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", roc_auc, roc_auc_weighted, True, "probability"),
        Metric("log_loss", log_loss, log_loss_weighted, False, "nats"),
    )
}
