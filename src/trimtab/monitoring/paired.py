"""Paired: the difference in a metric between two releases that scored the same rows, day by day.

Rows of one day share their weather, so that a day is one observation, however many rows it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from trimtab.stats.metrics import METRICS


@dataclass(frozen=True)
class PairedDays:
    """One number a day, oldest first."""

    harm: Sequence[float]  # the challenger's metric less the champion's; positive: the challenger is worse
    rows: int


def paired_days(rows: pl.DataFrame, *, metric: str, zone: str, since: datetime, settled: datetime) -> PairedDays:
    """Whole days from `since` to `settled`; days on which the metric has no value are left out.

    Args:
        rows: `at` (aware), `label`, `challenger`, `champion` (scores; null where a release was not asked).
        metric: "roc_auc" or "log_loss".
        zone: time zone of the days.
        since: days that begin before it are left out.
        settled: days that end after it are left out: their labels may still come, and late flights come last.
    """
    # Dates, not local times: where clocks change at midnight, a day's first instant occurs twice or never.
    day = pl.col("at").dt.convert_time_zone(zone).dt.date()
    both = rows.drop_nulls(["label", "challenger", "champion"]).with_columns(_day=day)
    whole = [
        one
        for one in both["_day"].unique()
        if _begins(one, zone) >= since and _begins(one + timedelta(days=1), zone) <= settled
    ]
    counted = both.filter(pl.col("_day").is_in(whole)).sort("_day", "at", maintain_order=True)
    measured = METRICS[metric]
    sign = -1.0 if measured.higher_is_better else 1.0
    harm = []
    for _, one in counted.group_by("_day", maintain_order=True):
        label = one["label"].cast(pl.Float64).to_numpy()
        challenger, champion = (
            measured.function(label, one[name].to_numpy()) for name in ("challenger", "champion")
        )
        harm.append(sign * (challenger - champion))
    return PairedDays([one for one in harm if not math.isnan(one)], counted.height)


def _begins(day: date, zone: str) -> datetime:
    """The first instant of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
