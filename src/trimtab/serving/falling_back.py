"""Falling back: rows that a release could not answer are answered by what it declares for that, and marked so.

A release that has raised, or has not scored each row, counts as one that has said NaN to all of them. So there is
one rule: where the score that a row would be answered with is not finite, the row is answered by the champion if
that has scored it, else by the first fallback of the champion's chain that answers it. Where none does, all is as
it would be without fallbacks: an error stays an error, a model's NaN stays its answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import OnlineStoreUnavailable, RequestInvalid
from trimtab.ports.fallback import Said, Unanswered
from trimtab.ports.feature_reader import FeatureBlock, merged, part
from trimtab.ports.served_release import ServedRelease
from trimtab.serving.fallback_news import FallbackNews
from trimtab.serving.metrics import Metrics
from trimtab.serving.record import Marked, Record
from trimtab.serving.released import Serving
from trimtab.serving.scoring import Scored

NOT_FINITE = "model: a score that is not finite"


class Asked(NamedTuple):
    """Rows that are answered together."""

    serving: Serving
    rows: Sequence[JsonMap]  # without `as_of`
    at_us: Sequence[int]


@dataclass(frozen=True)
class Failure:
    """Why a champion has answered nothing."""

    error: Exception
    cause: str  # as records tell it: what failed, and the kind of the error; its own words may hold others' data
    scored: dict[str, Scored]  # in place of what it should have said; and what the canary says
    looked_up: bool  # whether the champion's features are there


def sound(serving: Serving, scored: Mapping[str, Scored]) -> bool:
    """Whether all that rows can be answered with is finite: shadows answer nobody."""
    if not _finite(scored[serving.releases[0].digest].scores):
        return False
    canary = serving.route.canary
    return canary is None or canary.release not in scored or _finite(scored[canary.release].scores)


class FallingBack:
    """Belongs to one event loop.

    Args:
        metrics: count what is answered so.
        fault: told of a release, or of a fallback, within the handler of its exception.
        news: told when fallbacks begin and end.
    """

    def __init__(self, metrics: Metrics, fault: Callable[[str], None], news: FallbackNews) -> None:
        self._metrics = metrics
        self._fault = fault
        self._news = news

    def follow(self, serving: Serving) -> None:
        """Another route answers."""
        self._news.follow(serving.releases[0].digest)

    def failed(self, asked: Asked, error: Exception, requests: int) -> Failure:
        """What is there although the champion has failed.

        Raises:
            Exception: `error` itself, within whose handler this is called, where nothing may take its place:
                nothing is declared, the request is at fault, or one of several may be, and each is asked again.
        """
        champion = asked.serving.releases[0]
        lost = isinstance(error, OnlineStoreUnavailable)  # whatever the rows are
        if not champion.fallback or isinstance(error, RequestInvalid) or (requests > 1 and not lost):
            raise error
        self._fault(champion.digest)
        block = None if lost else _looked_up(champion, asked.rows, asked.at_us)
        cause = f"{'features' if block is None else 'model'}: {type(error).__name__}"
        scored = {champion.digest: _nothing(champion, block, len(asked.rows))}
        canary = None if asked.serving.route.canary is None else asked.serving.route.canary.release
        beside = [one for one in asked.serving.releases[1:] if one.digest == canary]
        if beside and not lost:
            scored.update(self._canary(beside[0], asked))
        return Failure(error, cause, scored, block is not None)

    def mended(
        self, asked: Asked, scored: dict[str, Scored], records: Sequence[Record], failure: Failure | None
    ) -> list[Record]:
        """The records, with answers in place of those that are not finite.

        Args:
            asked: the rows.
            scored: what each release has said; a previous release that answers is added.
            records: of the rows, as the route would have them answered.
            failure: the champion's, if it has scored nothing.

        Raises:
            Exception: the failure's own, if some row remains without an answer.
        """
        own = scored[asked.serving.releases[0].digest]
        mended = [_without_nan(one) for one in records]
        need: list[int] = []
        for index, record in enumerate(mended):
            if math.isfinite(record[8]):
                continue
            if math.isfinite(own.scores[index]):  # the canary was to answer it
                mended[index] = _answered(record, own.release.digest, own.block, index, own.scores[index])
            else:
                need.append(index)
        if not need:
            return mended
        cause = NOT_FINITE if failure is None else failure.cause
        found = self._chain(asked, own, need, looked_up=failure is None or failure.looked_up)
        if failure is not None and len(found) < len(need):
            raise failure.error
        for index, (kind, said) in found.items():
            block, place = (own.block, index) if said.block is None else (said.block, said.place)
            told = _answered(mended[index], said.release or own.release.digest, block, place, said.score)
            mended[index] = (*told, kind, cause)
        _put_previous(asked, scored, own, found)
        return mended

    def recorded(self, release: str, records: Sequence[Record]) -> dict[int, str]:
        """The answers are on their way: count those of fallbacks; the numbers of their rows → kind."""
        marked = {index: one[11:] for index, one in enumerate(records) if _is_marked(one)}
        rows = Counter(kind for kind, _ in marked.values())
        for kind, count in rows.items():
            self._metrics.fell_back(release, kind, count)
        for _, cause in list(marked.values())[:1]:
            self._news.fell_back(release, cause, rows)
        return {index: kind for index, (kind, _) in marked.items()}

    def healthy(self) -> None:
        """Rows were answered as they should be."""
        self._news.healthy()

    def _canary(self, canary: ServedRelease, asked: Asked) -> dict[str, Scored]:
        """What it says to its rows, whatever the champion does."""
        rows = asked.rows
        some = asked.serving.route.only(rows).get(canary.digest, range(len(rows)))
        try:
            block = _look_up(canary, [rows[one] for one in some], [asked.at_us[one] for one in some])
            scores = _score(canary, block)
        except Exception:
            self._metrics.unscored(canary.digest, len(some))
            self._fault(canary.digest)
            return {}
        said = dict(zip(some, scores, strict=True))
        spread = [said.get(one, math.nan) for one in range(len(rows))]
        return {canary.digest: Scored(canary, merged(len(rows), (list(some), block)), spread)}

    def _chain(
        self, asked: Asked, own: Scored, need: Sequence[int], *, looked_up: bool
    ) -> dict[int, tuple[str, Said]]:
        """The first answer to each of these rows; rows that no fallback answers are left out."""
        champion = own.release
        found: dict[int, tuple[str, Said]] = {}
        for fallback in champion.fallback:
            left = [index for index in need if index not in found]
            if not left:
                break
            block = part(own.block, left) if looked_up else None
            name = f"{champion.digest} {fallback.kind}"
            question = Unanswered(
                rows=[asked.rows[index] for index in left],
                previous=lambda left=left, block=block: _previous(asked, champion, left, block),  # type: ignore[misc]
                failed=lambda name=name: self._fault(name),  # type: ignore[misc]
            )
            try:
                said = fallback.answer(question)
                found.update(
                    {i: (fallback.kind, one) for i, one in zip(left, said, strict=True) if one is not None}
                )
            except Exception:
                self._fault(name)
        return found


def _previous(
    asked: Asked, champion: ServedRelease, some: Sequence[int], block: FeatureBlock | None
) -> Sequence[Said | None]:
    """What the previous release says to some rows; `block`: what the champion has looked up for them."""
    previous = asked.serving.previous
    if previous is None:
        return [None] * len(some)
    if previous.definition != champion.definition:
        block = _look_up(previous, [asked.rows[one] for one in some], [asked.at_us[one] for one in some])
    if block is None:  # the same look-up has failed just now
        return [None] * len(some)
    scores = _score(previous, block)
    return [
        Said(score, previous.digest, block, place) if math.isfinite(score) else None
        for place, score in enumerate(scores)
    ]


def _put_previous(
    asked: Asked, scored: dict[str, Scored], own: Scored, found: Mapping[int, tuple[str, Said]]
) -> None:
    """What the previous release has said, at the places of its rows: answers tell what they were given without."""
    told = {index: said for index, (_, said) in found.items() if said.release}
    previous = asked.serving.previous
    if not told or previous is None:
        return
    places = [index for index in range(len(asked.rows)) if index not in told]
    blocks = [([index], part(said.block, [said.place])) for index, said in told.items() if said.block is not None]
    block = merged(len(asked.rows), (places, part(own.block, places)), *blocks)
    scores = [told[index].score if index in told else math.nan for index in range(len(asked.rows))]
    scored[previous.digest] = Scored(previous, block, scores)


def _look_up(release: ServedRelease, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
    block = release.look_up(rows, at_us)
    if len(block.values) != len(rows):
        raise ValueError(f"{len(rows)} rows, {len(block.values)} looked up")
    return block


def _score(release: ServedRelease, block: FeatureBlock) -> list[float]:
    scores = release.score(block)
    if len(scores) != len(block.values):
        raise ValueError(f"{len(block.values)} rows, {len(scores)} scores")
    return scores


def _looked_up(release: ServedRelease, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock | None:
    """The features of a release whose model may have failed: it says no more which of the two it was."""
    try:
        return _look_up(release, rows, at_us)
    except Exception:
        return None


def _nothing(release: ServedRelease, block: FeatureBlock | None, rows: int) -> Scored:
    if block is None:
        values, ages_us = [None] * len(release.feature_names), [None] * len(release.view_names)
        block = FeatureBlock([[*values] for _ in range(rows)], [[*ages_us] for _ in range(rows)])
    return Scored(release, block, [math.nan] * rows)


def _without_nan(record: Record) -> Record:
    """Who has said nothing finite has not scored."""
    others = [one for one in record[9] if math.isfinite(one[1])]
    return record if len(others) == len(record[9]) else (*record[:9], others, *record[10:])


def _answered(record: Record, release: str, block: FeatureBlock, place: int, score: float) -> Record:
    """The record of the same row, answered by another one."""
    others = [one for one in record[9] if one[0] != release]
    return (
        record[0],
        release,
        *record[2:6],
        block.values[place],
        block.ages_us[place],
        score,
        others,
        record[10],
    )


def _is_marked(record: Record) -> TypeGuard[Marked]:
    return len(record) == 13


def _finite(scores: Sequence[float | None]) -> bool:
    try:
        if math.isfinite(sum(scores)):  # type: ignore[arg-type]
            return True
    except TypeError:  # a release that had only some of the rows to score has None in the place of others
        pass
    return all(one is None or math.isfinite(one) for one in scores)  # a sum may be too large
