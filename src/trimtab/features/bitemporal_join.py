"""The bitemporal as-of join: for each question the newest fact that was known at its instant.

A fact can be seen from v = max(event time, known time) on. Facts of an entity are sorted by (v, event, known, order
of arrival); a fact whose event time is below the running maximum can never be the newest visible one and is
dropped. What is left has rising event times, so that one plain as-of join on v finds the answer; its age is judged
afterwards, for an old fact must hide an even older one rather than be replaced by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

_VISIBLE = "_visible"


def newest_first_seen(facts: pl.LazyFrame, *, by: Sequence[str], event: str, known: str) -> pl.LazyFrame:
    """Facts that were the newest known one at some instant, with `_visible`; sorted by it."""
    return (
        facts.filter(pl.all_horizontal(pl.col(*by).is_not_null()))
        .with_row_index("_order")
        .with_columns(pl.max_horizontal(event, known).alias(_VISIBLE))
        .sort(_VISIBLE, event, known, "_order")
        .filter(pl.col(event) >= pl.col(event).cum_max().over(list(by)))
        .drop("_order")
    )


def bitemporal_join(
    questions: pl.LazyFrame,
    facts: pl.LazyFrame,
    *,
    by: Sequence[str],
    at: str,
    event: str,
    known: str,
    max_age: timedelta | None,
) -> pl.LazyFrame:
    """The questions' rows in their order, with the columns of the newest fact known, and `_age`.

    Args:
        questions: has the columns `by` and `at`.
        facts: has the columns `by`, `event`, `known` and the features.
        by: equal in both; a null never matches.
        at: the instant of the question (aware).
        max_age: facts with at - event above it count as missing.
    """
    seen = newest_first_seen(facts, by=by, event=event, known=known)
    features = [name for name in facts.collect_schema() if name not in (*by, event, known)]
    joined = (
        questions.with_row_index("_row")
        .sort(at)
        .join_asof(
            seen.select(*by, _VISIBLE, pl.col(event).alias("_event"), *features),
            left_on=at,
            right_on=_VISIBLE,
            by=list(by),
            check_sortedness=False,
        )
        .sort("_row")
        .with_columns((pl.col(at) - pl.col("_event")).alias("_age"))
    )
    if max_age is not None:
        fresh = pl.col("_age") <= max_age
        joined = joined.with_columns(pl.when(fresh).then(pl.col(name)).alias(name) for name in [*features, "_age"])
    return joined.drop("_row", "_event", _VISIBLE, strict=False)
