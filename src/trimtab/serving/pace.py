"""How long a release takes to score: one that is quick scores in the event loop's thread, others beside it."""

from __future__ import annotations

import time

from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.served_release import ServedRelease

_QUICK_S = 0.002  # of one call: a change of threads may cost as much
_SLOW_CALLS = 3  # one after the other: fewer may be the machine's fault


class Pace:
    """Of one release. It counts as slow until it has been seen to be quick."""

    def __init__(self) -> None:
        self._slow_calls = _SLOW_CALLS

    @property
    def quick(self) -> bool:
        """Whether its last calls were not all slow."""
        return self._slow_calls < _SLOW_CALLS

    def score(self, release: ServedRelease, block: FeatureBlock) -> list[float]:
        """What it says, by whatever thread."""
        started_s = time.perf_counter()
        scores = release.score(block)
        quick = time.perf_counter() - started_s < _QUICK_S
        self._slow_calls = 0 if quick else self._slow_calls + 1
        return scores
