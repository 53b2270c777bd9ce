"""Decide whether a retraining is due: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trimtab.retraining.triggers import Monthly


def decide_retraining(triggers: Sequence[Monthly], last_training: datetime | None, now: datetime) -> str:
    """The reason to retrain now; "" if there is none.

    The first release is a person's decision: before it, nothing is due.
    """
    if last_training is None:
        return ""
    for trigger in triggers:
        month = trigger.month(now)
        if month > last_training:
            return f"{trigger.name}: nothing was trained since {month:%Y-%m-%d} began"
    return ""
