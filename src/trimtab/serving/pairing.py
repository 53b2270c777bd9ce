"""Pairing: under a route with a canary, what the release that did not answer a row says to it.

A worker need not score a row twice for that: what a release says follows from the features that the record holds.
So it is computed when records are compacted, for many rows at once. A row that the canary was to answer, and did
not, stays without its score: that is evidence against it, whatever it would say today.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import BATCH_WORKER, parse_prediction_id
from trimtab.kernel.route import Route
from trimtab.ports.recorded_scorer import RecordedScorer

_NO_NUMBER = "it said no finite number"
_FAILURES = 256  # calls that raise, of one release at one time: then what is left stays without its scores

Row: TypeAlias = Sequence[Json]


@dataclass(frozen=True)
class Pair:
    """Two releases that are compared: one has answered a row, the other one has not scored it."""

    answered: str
    other: str


@dataclass(frozen=True)
class Unscored:
    """Rows that a release was to be compared on, and could not score."""

    release: str
    rows: int
    because: str  # the first time; of an error of a model only its kind: its own words may hold somebody's data


@dataclass(frozen=True)
class Paired:
    """Records with what was computed for them."""

    records: Sequence[Prediction]
    unscored: tuple[Unscored, ...] = ()


def as_they_are(records: Sequence[Prediction]) -> Paired:
    """Nobody is compared."""
    return Paired(records)


class Pairing:
    """Scores what is missing, each release all of its rows at once. No release is opened for nothing.

    Args:
        scorer: of recorded rows.
        route_of: the route of a generation; None if it is not known.
    """

    def __init__(self, scorer: RecordedScorer, route_of: Callable[[int], Route | None]) -> None:
        self._scorer = scorer
        self._route_of = route_of

    def __call__(self, records: Sequence[Prediction]) -> Paired:
        """The records, with `later` where who was to be compared could score the row; it never fails."""
        done = list(records)
        unscored: list[Unscored] = []
        for pair, places in pairs(records, self._route_of).items():
            try:
                if self._scorer.definition(pair.answered) != self._scorer.definition(pair.other):
                    continue  # of features that were not recorded; a worker scores such rows before it answers
            except Exception as error:  # one of them cannot be read: no reason to keep records from the table
                unscored.append(Unscored(pair.other, len(places), _kind(error)))
                continue
            scores, because = _scored(self._scorer, pair.other, [records[place].features for place in places])
            for place, score in zip(places, scores, strict=True):
                if score is not None:
                    done[place] = replace(records[place], later=((pair.other, score),))
            if because:
                unscored.append(Unscored(pair.other, scores.count(None), because))
        return Paired(done, together(unscored))


def pairs(records: Sequence[Prediction], route_of: Callable[[int], Route | None]) -> dict[Pair, list[int]]:
    """The places of the records whose row the other release of their route is still to score.

    Args:
        records: of one system, in any order.
        route_of: the route of a generation; None if it is not known.
    """
    by_generation: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(records):
        if one.generation > 0 and not one.fallback:  # below 0 is what a shadow said, 0 a batch by a named release
            by_generation[one.generation].append(place)
    found: dict[Pair, list[int]] = defaultdict(list)
    for generation, places in by_generation.items():
        route = route_of(generation)
        if route is not None and route.canary is not None and route.canary.release != route.champion:
            for pair, place in _to_score(route, route.canary.release, records, places):
                found[pair].append(place)
    return dict(found)


def _to_score(
    route: Route, canary: str, records: Sequence[Prediction], places: Sequence[int]
) -> Iterator[tuple[Pair, int]]:
    other_of = {route.champion: canary, canary: route.champion}
    missing = [(place, records[place]) for place in places if _lacks(records[place], other_of)]
    rows = [one.request for _, one in missing]
    drawn = route.answering_each([one.key for _, one in missing], rows)
    compared = set(route.only(rows).get(canary, range(len(rows))))
    for number, (place, one) in enumerate(missing):
        if (
            number in compared
            and one.release == drawn[number]
            and parse_prediction_id(one.id).worker != BATCH_WORKER  # a batch has scored what it was to score
        ):
            yield Pair(one.release, other_of[one.release]), place


def _lacks(one: Prediction, other_of: Mapping[str, str]) -> bool:
    """Whether one of two releases has answered, and the other one has not scored."""
    other = other_of.get(one.release)
    return other is not None and all(name != other for name, _ in one.others)


def together(unscored: Iterable[Unscored]) -> tuple[Unscored, ...]:
    """One for each release."""
    by_release: dict[str, Unscored] = {}
    for one in unscored:
        before = by_release.get(one.release)
        by_release[one.release] = one if before is None else replace(before, rows=before.rows + one.rows)
    return tuple(by_release.values())


def _scored(scorer: RecordedScorer, release: str, rows: Sequence[Row]) -> tuple[list[float | None], str]:
    """A score of each row, None where there is none, and why that is so; "" if each has one.

    Rows that break the model are looked for by halves: they must not take the others with them.
    """
    scores: list[float | None] = [None] * len(rows)
    because, failures = "", 0
    parts = [(0, len(rows))]
    while parts:
        first, end = parts.pop()
        try:
            said = [float(one) for one in scorer.score(release, rows[first:end])]
            if len(said) != end - first:
                raise ValueError(f"{end - first} rows, {len(said)} scores")
        except Exception as error:  # whatever a model raises: its rows stay without a score
            because = because or _kind(error)
            failures += 1
            if end - first > 1 and failures < _FAILURES:
                middle = (first + end) // 2
                parts += [(middle, end), (first, middle)]
            continue
        scores[first:end] = [one if math.isfinite(one) else None for one in said]
        if None in scores[first:end]:
            because = because or _NO_NUMBER
    return scores, because


def _kind(error: Exception) -> str:
    return error.what if isinstance(error, TrimtabError) else type(error).__name__
