"""Joining predictions with their truth, as it is known now."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trimtab.kernel.label import GIVEN_KEY, GIVEN_LABEL, Label
from trimtab.kernel.moment import aware


def join_labels(
    predictions: pl.LazyFrame,
    labels: pl.LazyFrame | None,
    label: Label,
    now: datetime,
    given: pl.LazyFrame | None = None,
) -> pl.DataFrame:
    """Predictions whose label is known at `now`: the prediction's columns, `label` and `label_known_at`.

    A label that was corrected counts as it was known last. A prediction without a label is left out, not guessed.
    See `truth` for the arguments.
    """
    known = truth(label, labels, now, given).with_columns(pl.col("key").cast(pl.String))
    return predictions.join(known, on="key", how="inner").sort("at", "key").collect()


def truth(
    label: Label, labels: pl.LazyFrame | None, now: datetime, given: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Of each key what is known last at `now`: `key` and `label` as the label's source has them, `label_known_at`.

    Args:
        label: what is declared.
        labels: the rows of its source; None: there are none yet.
        now: what became known later does not count.
        given: the rows of its feedback. Of two that became known at one instant, what was given counts.
    """
    parts: list[pl.LazyFrame] = []
    if labels is not None:
        parts.append(_told(labels, label.source.keys[0], label.column, label.source.known))
    if given is not None and label.feedback is not None:
        part = _told(given, GIVEN_KEY, GIVEN_LABEL, label.feedback.known)
        parts.append(part if not parts else part.cast(parts[0].collect_schema(), strict=False))
    return (
        pl.concat(parts)
        .filter(pl.col("label_known_at") <= aware(now), pl.col("key").is_not_null(), pl.col("label").is_not_null())
        .sort("label_known_at", maintain_order=True)
        .group_by("key", maintain_order=True)
        .last()
    )


def _told(rows: pl.LazyFrame, key: str, label: str, known: str) -> pl.LazyFrame:
    return rows.select(
        pl.col(key).alias("key"), pl.col(label).alias("label"), pl.col(known).alias("label_known_at")
    )
