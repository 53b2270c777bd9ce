"""What is known of a challenger that runs beside the champion."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap

_UNKNOWN = {"harm": math.nan, "low": -math.inf, "high": math.inf, "upper": math.inf}


@dataclass(frozen=True)
class Comparison:
    """Paired on the same rows, which both releases have scored; a day is one observation."""

    rollout: str
    at_us: int  # of the look
    days: int  # whole days whose labels have settled
    metric: str  # "roc_auc" or "log_loss"
    harm: float  # mean daily difference in the metric; positive: the challenger is worse
    low: float  # anytime-valid interval of `harm` at `confidence`
    high: float
    upper: float  # one-sided bound of `harm` at `confidence`, for a single look that was planned: the horizon's
    confidence: float
    rows: int  # labelled rows behind it
    answers: int  # that the challenger gave to users so far
    checked: int  # of them, recomputed offline
    mismatched: int  # of them, made from features that the offline definition does not give
    example: str  # the first such feature, in words
    unscored: int  # rows that the champion scored and the challenger could not

    def body(self) -> dict[str, Json]:
        """As stored; a number that is not finite becomes null, for JSON has none."""
        numbers = {name: getattr(self, name) if math.isfinite(getattr(self, name)) else None for name in _UNKNOWN}
        return {**self.__dict__, **numbers}


def comparison_from(body: JsonMap) -> Comparison:
    """Read back what `Comparison.body` wrote."""
    numbers = {name: unknown if body[name] is None else body[name] for name, unknown in _UNKNOWN.items()}
    return Comparison(**{**body, **numbers})  # type: ignore[arg-type]
