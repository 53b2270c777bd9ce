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
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.kernel.moment import duration_us, to_us

Ints: TypeAlias = NDArray[np.int64]

# No column of a user has such a name.
VISIBLE, EVENT, FACT = "trimtab:visible", "trimtab:event", "trimtab:fact"
_KNOWN, _ROW, _AT = "trimtab:known", "trimtab:row", "trimtab:at"
_NONE = -1  # in place of a fact
_LONG_AGO = -(2**63)


@dataclass(frozen=True)
class VisibleFacts:
    """Facts in the order in which they can be seen, ready for questions.

    They may lie in parts, of which each became known after those before it: then each is asked.
    """

    by: tuple[str, ...]
    parts: tuple[pl.DataFrame, ...]  # `by`, VISIBLE, EVENT and FACT (its place in `features`) of each, in order
    features: pl.DataFrame  # in one chunk: fetching from many costs several times as much

    @classmethod
    def of(cls, facts: pl.DataFrame, *, by: Sequence[str], event: str, known: str) -> VisibleFacts:
        """Put facts into order, as one part.

        Args:
            facts: has the columns `by`, `event`, `known` and the features; aware times in microseconds. Those known
                at the same instant are in the order of arrival.
            by: the entity; a null never matches.
        """
        seen = _newest_first_seen(facts, list(by), event, known)
        return cls(tuple(by), (seen,), facts.drop(*dict.fromkeys((*by, event, known))).rechunk())

    @classmethod
    def together(cls, some: Sequence[VisibleFacts]) -> VisibleFacts:
        """With the parts of all; each became known after those before it."""
        held = [one for one in some if any(part.height for part in one.parts)]
        if len(held) < 2:
            return held[0] if held else some[0]
        starts = accumulate([one.features.height for one in held[:-1]], initial=0)
        parts = [
            part.with_columns(pl.col(FACT) + start)
            for one, start in zip(held, starts, strict=True)
            for part in one.parts
            if part.height
        ]
        return cls(held[0].by, tuple(parts), pl.concat([one.features for one in held]).rechunk())

    def in_one(self) -> pl.DataFrame:
        """`by`, VISIBLE, EVENT and the features of all parts in one table, in order."""
        seen = pl.concat([part.select(*self.by, VISIBLE, EVENT, FACT) for part in self.parts])
        seen = _once_newest(seen, list(self.by))
        rows = self.features[seen[FACT].cast(pl.Int64).to_numpy()]
        return pl.concat([seen.drop(FACT), rows], how="horizontal").rechunk()

    @classmethod
    def in_order(cls, table: pl.DataFrame, by: Sequence[str]) -> VisibleFacts:
        """What `in_one` gave."""
        seen = table.select(*by, VISIBLE, EVENT).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(FACT))
        return cls(tuple(by), (seen,), table.drop(*by, VISIBLE, EVENT).rechunk())

    def newest(self, questions: Questions, max_age: timedelta | None) -> pl.DataFrame:
        """For each question the features of the newest fact known; nulls where is none.

        Args:
            questions: about these entities.
            max_age: facts with at - event above it count as missing.
        """
        places, events_us = self._find(questions)
        if max_age is not None:
            old = questions.at_us - np.where(places == _NONE, questions.at_us, events_us) > duration_us(max_age)
            places = np.where(old, _NONE, places)
        return self._fetched(places[questions.order])

    def _fetched(self, places: Ints) -> pl.DataFrame:
        """The features at some places; null everywhere where the place is -1."""
        if self.features.is_empty():
            return self.features.clear(len(places))
        missing = pl.Series(places == _NONE)
        # Without nulls among the places, or in a row to point at: with them a fetch takes three times as long.
        rows = self.features[np.maximum(places, 0)]
        return rows.with_columns(pl.when(~missing).then(pl.all()).name.keep()) if missing.any() else rows

    def _find(self, questions: Questions) -> tuple[Ints, Ints]:
        """For each question, by instant, the place of the newest fact known, or -1; and its event time."""
        places = np.full(len(questions.at_us), _NONE, np.int64)
        events_us = np.full(len(questions.at_us), _LONG_AGO, np.int64)
        for part in self.parts:
            since = questions.since(part[VISIBLE][0]) if part.height else len(places)
            found = questions.asked[since:].join_asof(
                part, left_on=_AT, right_on=VISIBLE, by=self.by, check_sortedness=False
            )
            event_us = found[EVENT].to_physical().fill_null(_LONG_AGO).to_numpy()
            place = found[FACT].fill_null(_NONE).to_numpy()
            if not since and part is self.parts[0]:
                places, events_us = place.copy(), event_us.copy()
                continue
            # Of equal events that of the later part: it became known later.
            better = event_us >= events_us[since:]
            np.copyto(events_us[since:], event_us, where=better)
            np.copyto(places[since:], place, where=better)
        return places, events_us


class Questions:
    """Questions in the order of their instants, put into it once for all views of an entity."""

    def __init__(self, questions: pl.DataFrame, by: Sequence[str], at: str) -> None:
        """Sort them.

        Args:
            questions: has the columns `by` and `at`.
            by: the entity.
            at: the instant of the question (aware).
        """
        sorted_ = questions.select(*by, pl.col(at).alias(_AT)).with_row_index(_ROW).sort(_AT)
        rows = sorted_[_ROW].to_numpy()
        self.asked = sorted_.drop(_ROW)
        self.at_us = sorted_[_AT].dt.epoch("us").to_numpy()
        self.order = np.empty(len(rows), np.int64)  # the place among the sorted of each as it was given
        self.order[rows] = np.arange(len(rows))

    def since(self, instant: datetime) -> int:
        """How many of them ask before an instant: those see nothing of what came into sight then."""
        return int(np.searchsorted(self.at_us, to_us(instant)))


def _newest_first_seen(facts: pl.DataFrame, by: list[str], event: str, known: str) -> pl.DataFrame:
    """`by`, visible and event time, and place of each fact that was once the newest known one, in order."""
    seen = facts.select(*by, **{_KNOWN: known, EVENT: event}).with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias(FACT)
    )
    seen = seen.filter(pl.all_horizontal(pl.col(*by).is_not_null()))
    # Only facts known before their time can tie in visible time and in event.
    forecasts = seen.select((pl.col(_KNOWN) < pl.col(EVENT)).any()).item()
    if forecasts and not seen[_KNOWN].is_sorted():
        seen = seen.sort(_KNOWN, maintain_order=True)
    seen = seen.select(*by, EVENT, FACT, pl.max_horizontal(EVENT, _KNOWN).alias(VISIBLE))
    return _once_newest(seen, by)


def _once_newest(seen: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    if not seen[VISIBLE].is_sorted():
        seen = seen.sort(VISIBLE, maintain_order=True)
    return seen.filter(pl.col(EVENT) >= pl.col(EVENT).cum_max().over(by))
