"""What several releases said to the same rows: one answered, the others scored beside it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

ANSWERED = ""  # in place of a release: whatever answered, as users got it


def score_of(release: str) -> pl.Expr:
    """A release's score of each prediction; null where it was not asked."""
    element = pl.element()
    beside = pl.col("others").list.eval(
        element.filter(element.struct.field("release") == release).struct.field("score")
    )
    return pl.when(pl.col("release") == release).then(pl.col("score")).otherwise(beside.list.first())


def scored_by(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """What users were answered, then each release that scored all of the rows, with its `score`.

    Where one release answered everything, the two are the same, and the release's name says more.
    """
    beside = rows["others"].explode().struct.field("release") if rows["others"].list.len().sum() else pl.Series([])
    answered = rows["release"].unique().sort().to_list()
    if len(answered) > 1:
        yield ANSWERED, rows
    for release in sorted({*answered, *beside.drop_nulls().to_list()}):
        scored = rows.with_columns(score=score_of(release))
        if not scored["score"].null_count():
            yield release, scored
