"""Joining predictions with their truth, as it is known now."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trimtab.kernel.label import Label
from trimtab.kernel.moment import aware


def join_labels(predictions: pl.LazyFrame, labels: pl.LazyFrame, label: Label, now: datetime) -> pl.DataFrame:
    """Predictions whose label is known at `now`: the prediction's columns, `label` and `label_known_at`.

    A label that was corrected counts as it was known last. A prediction without a label is left out, not guessed.
    """
    truth = (
        labels.filter(pl.col(label.source.known) <= aware(now), pl.col(label.column).is_not_null())
        .sort(label.source.known, maintain_order=True)
        .group_by(label.source.keys[0], maintain_order=True)
        .last()
        .select(
            pl.col(label.source.keys[0]).cast(pl.String).alias("key"),
            pl.col(label.column).alias("label"),
            pl.col(label.source.known).alias("label_known_at"),
        )
    )
    return predictions.join(truth, on="key", how="inner").sort("at", "key").collect()
