"""Scoring rows by the releases that may answer them; what does not answer a row is compared with what does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.feature_reader import FeatureBlock, PartBlock, merged, part
from trimtab.ports.served_release import ServedRelease
from trimtab.serving.aside import Aside, Outcome
from trimtab.serving.pace import Pace

_MANY_ROWS = 64  # from here on another core saves more than a change of threads costs
_PATIENCE, _LEAST_S = 1.0, 0.02  # others may take as long again as the champion took, and this at least
_FADING = 0.99  # of what a champion took once, at each call: after a hundred it is a third
_FIRST_S = 0.25  # a release that has never scored may take this long, once
_EVERY_ROW: Mapping[str, Sequence[int]] = {}

# Missing views, those of them that were stale with their ages, features without a value.
Without: TypeAlias = tuple[list[str], Mapping[str, int], list[str]]


@dataclass(frozen=True)
class Scored:
    """What one release says to some rows."""

    release: ServedRelease
    block: FeatureBlock
    scores: list[Any]  # floats; None in the place of a row that it was not to score

    def without(self, index: int) -> Without:
        """What a row was scored without. Features of missing views are not named one by one."""
        ages_us, values = self.block.ages_us[index], self.block.values[index]
        missing: list[str] = []
        if None in ages_us:
            missing = [view for view, age in zip(self.release.view_names, ages_us, strict=True) if age is None]
        empty: list[str] = []
        if None in values:
            named = zip(self.release.feature_names, values, strict=True)
            empty = [name for name, value in named if value is None and name.partition(".")[0] not in missing]
        return missing, self.block.stale_us.get(index, {}), empty


class Scoring:
    """The champion scores in the event loop's thread. A canary scores there if it is quick, else beside it.

    An answer waits for the canary as long again as the champion takes, 20 ms at least, and a quarter of a second
    for one that has never scored. A canary that is slower, that still scores an earlier request, or that fails, is
    left out and costs nobody an answer. Shadows score later (see `shadowing`), but for a replay.

    Args:
        failed: told of a release and the rows that it did not score, within the handler of the exception.
        patient: wait for all that is scored, however long it takes: a replay must come out the same each time.
    """

    def __init__(self, failed: Callable[[str, int], None], *, patient: bool = False) -> None:
        self._failed = failed
        self._patient = patient
        self._asides: dict[str, Aside[list[float]]] = {}  # by release
        self._seen: set[str] = set()
        self._paces: dict[str, Pace] = {}  # by release
        self._champion_s = 0.0  # what the champion takes at most

    def score(
        self,
        releases: Sequence[ServedRelease],
        rows: Sequence[JsonMap],
        at_us: Sequence[int],
        only: Mapping[str, Sequence[int]] = _EVERY_ROW,
    ) -> dict[str, Scored]:
        """What each release says, by digest, the champion first. Those with the same features share one look-up.

        Args:
            releases: the champion first.
            rows: of requests.
            at_us: their instants.
            only: of releases that do not score every row, the numbers of those that they do. Another one than the
                champion that scores none of them is not in the answer. Where the champion is named, it scores
                besides what others were to score and have not, or not as a finite number.

        Raises:
            Exception: whatever the champion, the first of `releases`, raises.
            ValueError: the champion has not scored each row.
        """
        champion, *others = releases
        features = _checked(champion.look_up(rows, at_us), rows)
        blocks = {champion.definition: features}
        begun: list[tuple[ServedRelease, FeatureBlock, Outcome[list[float]] | None]] = []
        for release in others:
            some = only.get(release.digest)
            if some is not None and not some:
                continue
            try:
                block = _block(release, blocks, rows, at_us, some)
                begun.append((release, block, self._begin(release, block)))
            except Exception:
                self._failed(release.digest, len(rows if some is None else some))
        started_s = time.perf_counter()
        own = only.get(champion.digest)
        try:
            scored = {champion.digest: _own(champion, features, own)}
        except Exception:
            for _, _, outcome in begun:  # rows that did not break it are scored again, one request at a time
                if outcome is not None:
                    outcome.wait(None if self._patient else _LEAST_S)
            raise
        # Rows of its own may be few, or none: then it is what it took before that counts.
        self._champion_s = max(time.perf_counter() - started_s, _FADING * self._champion_s)
        patience_s = max(_LEAST_S, _PATIENCE * self._champion_s)
        for release, block, outcome in begun:
            if self._patient:
                within_s = None
            else:
                within_s = patience_s if release.digest in self._seen else _FIRST_S
                self._seen.add(release.digest)
            try:
                pace = self._paces[release.digest]
                scores = pace.score(release, block) if outcome is None else outcome.get(within_s)
                found = _scored(release, block, scores)
                scored[release.digest] = found if len(scores) == len(rows) else _spread(found, only, len(rows))
            except Exception:
                self._failed(release.digest, len(block.values))
        if own is not None:
            _stand_in(scored, champion, features, only)
        return scored

    def keep(self, releases: Sequence[ServedRelease]) -> None:
        """Forget the threads of all other releases."""
        digests = {one.digest for one in releases}
        self._asides = {one: aside for one, aside in self._asides.items() if one in digests}
        self._seen &= digests
        self._paces = {one: pace for one, pace in self._paces.items() if one in digests}
        self._champion_s = 0.0

    def _begin(self, release: ServedRelease, block: FeatureBlock) -> Outcome[list[float]] | None:
        """Have a release score beside the champion; None if it will do so after it."""
        pace = self._paces.setdefault(release.digest, Pace())
        if pace.quick and len(block.values) < _MANY_ROWS:
            return None
        aside = self._asides.setdefault(release.digest, Aside())
        outcome = aside.begin(lambda: pace.score(release, block), None if self._patient else 0.0)
        if outcome is None:
            raise TimeoutError("it still scores an earlier request")
        return outcome


def _checked(block: FeatureBlock, rows: Sequence[JsonMap]) -> FeatureBlock:
    if len(block.values) != len(rows):
        raise ValueError(f"{len(rows)} rows, {len(block.values)} looked up")
    return block


def _scored(release: ServedRelease, block: FeatureBlock, scores: list[float]) -> Scored:
    if len(scores) != len(block.values):
        raise ValueError(f"{len(block.values)} rows, {len(scores)} scores")
    return Scored(release, block, scores)


def _own(champion: ServedRelease, block: FeatureBlock, some: Sequence[int] | None) -> Scored:
    """What the champion says to the rows that are its own: None stands in the place of all others."""
    if some is None or len(some) == len(block.values):
        return _scored(champion, block, champion.score(block))
    scores: list[Any] = [None] * len(block.values)
    if some:
        own = _scored(champion, mine := part(block, some), champion.score(mine))
        for number, score in zip(some, own.scores, strict=True):
            scores[number] = score
    return Scored(champion, block, scores)


def _stand_in(
    scored: dict[str, Scored], champion: ServedRelease, block: FeatureBlock, only: Mapping[str, Sequence[int]]
) -> None:
    """Have the champion score what the release that was to answer has not: it may be asked for it."""
    scores = scored[champion.digest].scores
    for digest, some in only.items():
        if digest == champion.digest:
            continue
        said = scored.get(digest)
        left = [one for one in some if said is None or not math.isfinite(said.scores[one])]
        if left:
            instead = _scored(champion, mine := part(block, left), champion.score(mine))
            for number, score in zip(left, instead.scores, strict=True):
                scores[number] = score


def _block(
    release: ServedRelease,
    blocks: dict[str, FeatureBlock],
    rows: Sequence[JsonMap],
    at_us: Sequence[int],
    some: Sequence[int] | None,
) -> FeatureBlock:
    """The features of some of the rows, or of all; `blocks` has, by definition, those of all that are looked up."""
    whole = blocks.get(release.definition)
    if some is not None and len(some) < len(rows):
        if whole is not None:
            return part(whole, some)
        asked = [rows[number] for number in some]
        return _checked(release.look_up(asked, [at_us[number] for number in some]), asked)
    if whole is None:
        whole = blocks[release.definition] = _checked(release.look_up(rows, at_us), rows)
    return whole


def _spread(found: Scored, only: Mapping[str, Sequence[int]], rows: int) -> Scored:
    """What a release says to some rows, at their places among all."""
    some = only[found.release.digest]
    scores: list[Any] = [None] * rows
    for number, score in zip(some, found.scores, strict=True):
        scores[number] = score
    block = found.block.whole if isinstance(found.block, PartBlock) else merged(rows, (some, found.block))
    return Scored(found.release, block, scores)
