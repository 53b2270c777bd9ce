"""Backtest: which part of history a model is best trained on.

Each window has been trained on the rows before the held-out days, and judged on those days. The longest window wins
unless a shorter one beats it by more than one standard error of the paired daily difference: between recipes that
cannot be told apart, the one with more rows is the safer (the one-standard-error rule, Breiman et al. 1984, ch. 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.stats.log_loss import log_loss_rows


def choose_window(trials: Mapping[int, pl.DataFrame]) -> int:
    """The window to train on, µs; 0 is all history.

    Args:
        trials: window → `label`, `challenger`, `block` of the same held-out rows.
    """
    longest, *shorter = sorted(trials, key=lambda window: window or math.inf, reverse=True)
    best = longest
    for window in shorter:
        gain = _daily(trials[best]) - _daily(trials[window])
        spread = gain.std(ddof=1) / math.sqrt(len(gain)) if len(gain) > 1 else math.inf
        if gain.mean() > spread:
            best = window
    return best


def _daily(trial: pl.DataFrame) -> NDArray[np.float64]:
    loss = log_loss_rows(trial["label"].to_numpy(), trial["challenger"].to_numpy())
    daily = trial.select("block", loss=pl.Series(loss)).group_by("block").agg(pl.col("loss").mean()).sort("block")
    return daily["loss"].to_numpy()
