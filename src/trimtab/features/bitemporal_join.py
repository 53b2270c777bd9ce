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
from typing import TypeAlias, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.kernel.moment import duration_us, to_us

Ints: TypeAlias = NDArray[np.int64]
Places: TypeAlias = NDArray[np.uint32]
Values = TypeVar("Values", NDArray[np.uint32], NDArray[np.int64], NDArray[np.bool_])

# No column of a user has such a name.
VISIBLE, EVENT, FACT = "trimtab:visible", "trimtab:event", "trimtab:fact"
_KNOWN, _AT = "trimtab:known", "trimtab:at"
_NONE = 2**32 - 1  # in place of a fact: more than Polars can count
_LONG_AGO = -(2**63)


@dataclass(frozen=True)
class Part:
    """Facts in the order in which they can be seen."""

    seen: pl.DataFrame  # the entity, VISIBLE, EVENT and FACT (its place in `features`) of each
    features: pl.DataFrame  # in one chunk: fetching from many costs several times as much


@dataclass(frozen=True)
class VisibleFacts:
    """Facts in the order in which they can be seen, ready for questions.

    They may lie in parts, of which each became known after those before it: then each is asked.
    """

    by: tuple[str, ...]
    parts: tuple[Part, ...]  # at least one; if one is empty, it is the only one

    @classmethod
    def of(cls, facts: pl.DataFrame, *, by: Sequence[str], event: str, known: str) -> VisibleFacts:
        """Put facts into order, as one part.

        Args:
            facts: has the columns `by`, `event`, `known` and the features; aware times in microseconds. Those known
                at the same instant are in the order of arrival.
            by: the entity; a null never matches.
        """
        seen = _newest_first_seen(facts, list(by), event, known)
        return cls(tuple(by), (Part(seen, facts.drop(*dict.fromkeys((*by, event, known))).rechunk()),))

    @classmethod
    def together(cls, some: Sequence[VisibleFacts]) -> VisibleFacts:
        """With the parts of all; each became known after those before it."""
        parts = tuple(part for one in some for part in one.parts if part.seen.height)
        return cls(some[0].by, parts or some[0].parts)

    def in_one(self) -> pl.DataFrame:
        """`by`, VISIBLE, EVENT and the features of all parts in one table, in order."""
        starts = accumulate([part.features.height for part in self.parts[:-1]], initial=0)
        shifted = [
            part.seen.select(*self.by, VISIBLE, EVENT, pl.col(FACT) + start)
            for part, start in zip(self.parts, starts, strict=True)
        ]
        seen = _once_newest(pl.concat(shifted), list(self.by))
        features = pl.concat([part.features for part in self.parts]).rechunk()
        rows = features[seen[FACT].to_numpy()]
        return pl.concat([seen.drop(FACT), rows], how="horizontal").rechunk()

    @classmethod
    def in_order(cls, table: pl.DataFrame, by: Sequence[str]) -> VisibleFacts:
        """What `in_one` gave."""
        seen = table.select(*by, VISIBLE, EVENT).with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(FACT))
        return cls(tuple(by), (Part(seen, table.drop(*by, VISIBLE, EVENT).rechunk()),))

    def newest(self, questions: Questions, max_age: timedelta | None) -> pl.DataFrame:
        """For each question the features of the newest fact known; nulls where is none.

        Args:
            questions: about these entities.
            max_age: facts with at - event above it count as missing.
        """
        places, events_us = self._find(questions)
        if max_age is not None:
            events_us = np.where(places == _NONE, questions.at_us, events_us)
            places[questions.at_us - events_us > duration_us(max_age)] = _NONE
        return self._fetched(questions.as_given(places))

    def ages_us(self, questions: Questions) -> pl.Series:
        """For each question how old the newest fact known is, however old; null where is none."""
        places, events_us = self._find(questions)
        nothing = places == _NONE
        ages_us = questions.at_us - np.where(nothing, questions.at_us, events_us)
        return pl.Series(questions.as_given(ages_us)).set(pl.Series(questions.as_given(nothing)), None)

    def _fetched(self, places: Places) -> pl.DataFrame:
        """The features at places, counted through all parts; nulls where is none."""
        first, *later = self.parts
        if first.features.is_empty():
            return first.features.clear(len(places))
        start = first.features.height
        # Without nulls among the places, or in a row to point at: with them a fetch takes three times as long.
        columns = first.features[np.where(places < start, places, 0)].get_columns()
        for part in later:
            into = np.flatnonzero((start <= places) & (places < start + part.features.height))
            if len(into):
                columns = _replaced(columns, into, part.features[places[into] - np.uint32(start)])
            start += part.features.height
        rows, missing = pl.DataFrame(columns), pl.Series(places == _NONE)
        return rows.with_columns(pl.when(~missing).then(pl.all()).name.keep()) if missing.any() else rows

    def _find(self, questions: Questions) -> tuple[Places, Ints]:
        """For each question, by instant, the place of the newest fact known, and its event time."""
        places = np.full(len(questions.at_us), _NONE, np.uint32)
        events_us = np.full(len(questions.at_us), _LONG_AGO, np.int64)
        start = 0
        for part in self.parts:
            since = questions.since(part.seen[VISIBLE][0]) if part.seen.height else len(places)
            found = questions.asked[since:].join_asof(
                part.seen, left_on=_AT, right_on=VISIBLE, by=self.by, check_sortedness=False
            )
            event_us = found[EVENT].to_physical().fill_null(_LONG_AGO).to_numpy()
            place = (found[FACT] + start).fill_null(_NONE).to_numpy()
            # Of equal events that of the later part: it became known later.
            better = event_us >= events_us[since:]
            np.copyto(events_us[since:], event_us, where=better)
            np.copyto(places[since:], place, where=better)
            start += part.features.height
        return places, events_us


def _replaced(columns: list[pl.Series], into: Ints, new: pl.DataFrame) -> list[pl.Series]:
    """Columns with other rows at some of their places. Empties the list: what nobody holds changes in place."""
    changed: list[pl.Series] = []
    for column in reversed(new.columns):
        old = columns.pop()
        if old.dtype.is_nested():  # of which Polars scatters none
            places = np.arange(len(old))
            places[into] = len(old) + np.arange(len(into))
            changed.append(pl.concat([old, new[column]], rechunk=True)[places])
        else:
            changed.append(old.scatter(into, new[column]))
        del old
    return changed[::-1]


class Questions:
    """Questions in the order of their instants, put into it once for all views of an entity."""

    def __init__(self, questions: pl.DataFrame, by: Sequence[str], at: str) -> None:
        """Sort them.

        Args:
            questions: has the columns `by` and `at`.
            by: the entity.
            at: the instant of the question (aware).
        """
        self._rows = np.argsort(questions[at].dt.epoch("us").to_numpy())
        self.asked = questions.select(*by, pl.col(at).alias(_AT))[self._rows]
        self.at_us = self.asked[_AT].dt.epoch("us").to_numpy()

    def as_given(self, values: Values) -> Values:
        """One for each question by instant, in the order in which the questions were given."""
        given = np.empty_like(values)
        given[self._rows] = values
        return given

    def since(self, instant: datetime) -> int:
        """How many of them ask before an instant: those see nothing of what came into sight then."""
        return int(np.searchsorted(self.at_us, to_us(instant)))


def _newest_first_seen(facts: pl.DataFrame, by: list[str], event: str, known: str) -> pl.DataFrame:
    """`by`, visible and event time, and place of each fact that was once the newest known one, in order."""
    seen = facts.select(*by, **{_KNOWN: known, EVENT: event}).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(FACT)
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
