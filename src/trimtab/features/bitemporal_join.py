"""The bitemporal as-of join: for each question the newest fact that was known at its instant.

A fact can be seen from v = max(event time, known time) on. Facts of an entity are put into the order (v, known,
arrival); a fact whose event time is below the running maximum can never be the newest visible one and is dropped.
What is left has rising event times, so that one plain as-of join on v finds the answer; its age is judged
afterwards, for an old fact must hide an even older one rather than be replaced by it.

Of facts that become visible together the newest event comes out last whatever their order, since those behind it
are dropped; among equal events the order is by known time, then arrival.

Sorted and joined are the keys and times alone: features are fetched once, by the place of the fact that was found.
Facts are put into order once, however many questions come and in however many parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

_VISIBLE, _FACT, _ROW, _EVENT = "_visible", "_fact", "_row", "_event"
_NONE = -1  # in place of a fact


class VisibleFacts:
    """Facts in the order in which they can be seen, ready for questions."""

    def __init__(self, facts: pl.DataFrame, *, by: Sequence[str], event: str, known: str) -> None:
        """Put them into order.

        Args:
            facts: has the columns `by`, `event`, `known` and the features; aware times in microseconds.
            by: the entity; a null never matches.
        """
        self._by = list(by)
        self._seen = _newest_first_seen(facts, self._by, event, known)
        # In one chunk: fetching from many costs several times as much.
        self._features = facts.drop(*dict.fromkeys((*by, event, known))).rechunk()

    def join(self, questions: pl.DataFrame, at: str, max_age: timedelta | None) -> pl.DataFrame:
        """For each question, in their order, features and `_age` of the newest fact known; nulls where is none.

        Args:
            questions: has the columns `by` and `at`.
            at: the instant of the question (aware).
            max_age: facts with at - event above it count as missing.
        """
        asked = questions.select(*self._by, pl.col(at).alias("_at")).with_row_index(_ROW).sort("_at")
        found = asked.join_asof(self._seen, left_on="_at", right_on=_VISIBLE, by=self._by, check_sortedness=False)
        found = found.select(_ROW, _FACT, _age=pl.col("_at") - pl.col(_EVENT))
        if max_age is not None:
            fresh = pl.col("_age") <= max_age
            found = found.with_columns(pl.when(fresh).then(pl.col(_FACT, "_age")).name.keep())
        rows = found[_ROW].to_numpy()
        order = np.empty(len(rows), np.int64)
        order[rows] = np.arange(len(rows))
        place = found[_FACT].cast(pl.Int64).fill_null(_NONE).to_numpy()[order]
        return _fetched(self._features, place).with_columns(found["_age"].gather(order))


def _newest_first_seen(facts: pl.DataFrame, by: list[str], event: str, known: str) -> pl.DataFrame:
    """`by`, `_visible`, `_event`, `_fact` (its place) of each fact that was once the newest known one, in order."""
    seen = facts.select(*by, _known=known, _event=event).with_row_index(_FACT)
    seen = seen.filter(pl.all_horizontal(pl.col(*by).is_not_null()))
    # Only facts known before their time can tie in visible time and in event.
    forecasts = seen.select((pl.col("_known") < pl.col(_EVENT)).any()).item()
    if forecasts and not seen["_known"].is_sorted():
        seen = seen.sort("_known", maintain_order=True)
    seen = seen.select(*by, _EVENT, _FACT, pl.max_horizontal(_EVENT, "_known").alias(_VISIBLE))
    if not seen[_VISIBLE].is_sorted():
        seen = seen.sort(_VISIBLE, maintain_order=True)
    return seen.filter(pl.col(_EVENT) >= pl.col(_EVENT).cum_max().over(by))


def _fetched(features: pl.DataFrame, place: NDArray[np.int64]) -> pl.DataFrame:
    """The rows of a table at some places; null everywhere where the place is -1."""
    if features.is_empty():
        return features.clear(len(place))
    missing = pl.Series(place == _NONE)
    # Without nulls among the places: with them the fetch takes three times as long.
    rows = features[np.maximum(place, 0)]
    return rows.with_columns(pl.when(~missing).then(pl.all()).name.keep()) if missing.any() else rows
