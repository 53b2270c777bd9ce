"""What several releases said to the same rows: one answered, the others scored beside it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

ANSWERED = ""  # in place of a release: whatever answered, as users got it


def answered(predictions: pl.LazyFrame) -> pl.LazyFrame:
    """Answers, each with what others have said to its row: beside it, when it was compacted, or as shadows since.

    Args:
        predictions: rows of the predictions table, with all its columns; all of some period.
    """
    answers = _with_later(predictions.filter(pl.col("generation") >= 0))
    spoken = predictions.filter(pl.col("generation") < 0)
    if spoken.select("generation").head(1).collect().is_empty():
        return answers
    said = (
        spoken.select(id=pl.col("request").str.json_path_match("$.answer"), said=pl.struct("release", "score"))
        .group_by("id")
        .agg(pl.col("said").sort())
    )
    joined = answers.join(said, on="id", how="left", maintain_order="left")
    return joined.with_columns(others=_beside("said")).drop("said")


def _with_later(answers: pl.LazyFrame) -> pl.LazyFrame:
    if "later" not in answers.collect_schema():  # a table of before rows were scored when they were compacted
        return answers
    return answers.with_columns(others=_beside("later"))


def _beside(column: str) -> pl.Expr:
    """`others` with another list of theirs behind it."""
    both = pl.col("others").list.concat(pl.col(column))
    return pl.when(pl.col(column).is_null()).then("others").otherwise(both)


def by_models(predictions: pl.LazyFrame) -> pl.LazyFrame:
    """Without the answers of fallbacks: what they say is no measure of the release that could not answer."""
    if "fallback" not in predictions.collect_schema():  # a table of before there were any
        return predictions
    return predictions.filter(pl.col("fallback").is_null())


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
