"""Scoring rows by every release of a route: one answers, the others are compared with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.served_release import ServedRelease
from trimtab.serving.aside import Aside, Outcome

_MANY_ROWS = 64  # from here on another core saves more than a change of threads costs
_QUICK_S = 0.002  # of one call: who is as quick scores in the event loop's thread
_SLOW_CALLS = 3  # one after the other: fewer may be the machine's fault
_PATIENCE, _LEAST_S = 1.0, 0.02  # others may take as long again as the champion took, and this at least
_FIRST_S = 0.25  # a release that has never scored may take this long, once

# Missing views, those of them that were stale with their ages, features without a value.
Without: TypeAlias = tuple[list[str], Mapping[str, int], list[str]]


@dataclass(frozen=True)
class Scored:
    """What one release says to some rows."""

    release: ServedRelease
    block: FeatureBlock
    scores: list[float]

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
    """The champion scores in the event loop's thread. Others score there if they are quick, else beside it.

    An answer waits for the others as long again as the champion took, 20 ms at least, and a quarter of a second for
    one that has never scored. A canary or a shadow that is slower, that still scores an earlier request, or that
    fails, is left out and costs nobody an answer.

    Args:
        failed: told of a release and the rows that it did not score, within the handler of the exception.
        patient: wait for all that is scored, however long it takes: a replay must come out the same each time.
    """

    def __init__(self, failed: Callable[[str, int], None], *, patient: bool = False) -> None:
        self._failed = failed
        self._patient = patient
        self._asides: dict[str, Aside[list[float]]] = {}  # by release
        self._seen: set[str] = set()
        self._slow_calls: dict[str, int] = {}  # by release, in a row

    def score(
        self, releases: Sequence[ServedRelease], rows: Sequence[JsonMap], at_us: Sequence[int]
    ) -> dict[str, Scored]:
        """What each release says, by digest, the champion first. Those with the same features share one look-up.

        Raises:
            Exception: whatever the champion, the first of `releases`, raises.
            ValueError: the champion has not scored each row.
        """
        champion, *others = releases
        blocks = {champion.definition: _checked(champion.look_up(rows, at_us), rows)}
        begun: list[tuple[ServedRelease, Outcome[list[float]] | None]] = []
        for release in others:
            try:
                if release.definition not in blocks:
                    blocks[release.definition] = _checked(release.look_up(rows, at_us), rows)
                begun.append((release, self._begin(release, blocks[release.definition])))
            except Exception:
                self._failed(release.digest, len(rows))
        started_s = time.perf_counter()
        block = blocks[champion.definition]
        try:
            scored = {champion.digest: _scored(champion, block, champion.score(block))}
        except Exception:
            for _, outcome in begun:  # rows that did not break it are scored again, one request at a time
                if outcome is not None:
                    outcome.wait(None if self._patient else _LEAST_S)
            raise
        patience_s = max(_LEAST_S, _PATIENCE * (time.perf_counter() - started_s))
        for release, outcome in begun:
            if self._patient:
                within_s = None
            else:
                within_s = patience_s if release.digest in self._seen else _FIRST_S
                self._seen.add(release.digest)
            try:
                block = blocks[release.definition]
                scores = self._timed(release, block) if outcome is None else outcome.get(within_s)
                scored[release.digest] = _scored(release, block, scores)
            except Exception:
                self._failed(release.digest, len(rows))
        return scored

    def keep(self, releases: Sequence[ServedRelease]) -> None:
        """Forget the threads of all other releases."""
        digests = {one.digest for one in releases}
        self._asides = {one: aside for one, aside in self._asides.items() if one in digests}
        self._seen &= digests
        self._slow_calls = {one: calls for one, calls in self._slow_calls.items() if one in digests}

    def _begin(self, release: ServedRelease, block: FeatureBlock) -> Outcome[list[float]] | None:
        """Have a release score beside the champion; None if it will do so after it."""
        if len(block.values) < _MANY_ROWS and self._slow_calls.get(release.digest, _SLOW_CALLS) < _SLOW_CALLS:
            return None
        aside = self._asides.setdefault(release.digest, Aside())
        outcome = aside.begin(lambda: self._timed(release, block), None if self._patient else 0.0)
        if outcome is None:
            raise TimeoutError("it still scores an earlier request")
        return outcome

    def _timed(self, release: ServedRelease, block: FeatureBlock) -> list[float]:
        started_s = time.perf_counter()
        scores = release.score(block)
        quick = time.perf_counter() - started_s < _QUICK_S
        self._slow_calls[release.digest] = 0 if quick else self._slow_calls.get(release.digest, _SLOW_CALLS) + 1
        return scores


def _checked(block: FeatureBlock, rows: Sequence[JsonMap]) -> FeatureBlock:
    if len(block.values) != len(rows):
        raise ValueError(f"{len(rows)} rows, {len(block.values)} looked up")
    return block


def _scored(release: ServedRelease, block: FeatureBlock, scores: list[float]) -> Scored:
    if len(scores) != len(block.values):
        raise ValueError(f"{len(block.values)} rows, {len(scores)} scores")
    return Scored(release, block, scores)
