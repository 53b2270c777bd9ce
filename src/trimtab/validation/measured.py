"""Measuring on a trial: the value with its interval, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.stats.block_bootstrap import Interval, block_bootstrap
from trimtab.validation.trial import Trial


def measured(
    metric: Callable[..., float], trial: Trial, scores: Sequence[str], *, confidence: float, draws: int = 200
) -> tuple[Interval, str]:
    """The metric over the trial's days, and what keeps it from being known; "" if it is known.

    Args:
        metric: called with the label and the named scores.
        trial: the held-out rows.
        scores: "challenger", "champion".
        confidence: of the interval.
        draws: how many times days are resampled.
    """
    gap = blank(trial, scores)
    if gap:
        days = len(np.unique(trial.block))
        return Interval(math.nan, -math.inf, math.inf, confidence, days), gap
    arrays = tuple(getattr(trial, name) for name in ("label", *scores))
    found = block_bootstrap(metric, arrays, trial.block, confidence=confidence, draws=draws)
    if math.isnan(found.value):
        return found, f"{len(trial.label)} rows do not hold both classes of the label"
    if not math.isfinite(found.low + found.high):
        return found, f"{found.blocks} day is too little to tell how days differ"
    return found, ""


class Judging(Protocol):
    """What a verdict says of its gate."""

    @property
    def name(self) -> str:
        """The gate with its settings."""
        ...

    @property
    def metric(self) -> str:
        """What it measures."""
        ...

    @property
    def confidence(self) -> float:
        """Of its interval."""
        ...


def verdict(
    gate: Judging, trial: Trial, found: Interval, *, bound: float, outcome: Outcome, reason: str
) -> Verdict:
    """A gate's verdict on a trial, with the numbers that were found."""
    return Verdict(
        gate=gate.name,
        outcome=outcome,
        metric=gate.metric,
        value=found.value,
        low=found.low,
        high=found.high,
        confidence=gate.confidence,
        bound=bound,
        rows=len(trial.label),
        blocks=found.blocks,
        reason=reason,
    )


def blank(trial: Trial, scores: Sequence[str]) -> str:
    """How many rows have no label or no score; "" if none.

    They are not left out: the rows that a model cannot answer are not the easy ones.
    """
    for name in ("label", *scores):
        rows = int(np.count_nonzero(~np.isfinite(getattr(trial, name))))
        if rows:
            kind = "label" if name == "label" else f"score of the {name}"
            return f"{rows} of {len(trial.label)} rows have no {kind}"
    return ""
