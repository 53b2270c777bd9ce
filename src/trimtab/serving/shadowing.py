"""Shadows score after the answers have left: a copy of a request delays nobody, and breaks nothing.

What a shadow says to a row is a record of its own in the prediction log: under the answer's generation with a
minus, with the answer's id as its request, and the answer's release and score as the other one. Who reads answers
puts it beside them. A worker that is killed loses what was not said yet: evidence, and no answer.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.feature_reader import FeatureBlock
from trimtab.ports.served_release import ServedRelease
from trimtab.serving.aside import Aside, Outcome
from trimtab.serving.log_writer import Then
from trimtab.serving.pace import Pace
from trimtab.serving.record import Record

_MOST_ROWS = 4_096  # that wait for one shadow; what comes on top it does not score


class Takes(Protocol):
    """What a log writer does for records."""

    def take(self, records: Sequence[Record], then: Then) -> list[str]:
        """Take records: their ids; `then` is told, later, that they are written."""
        ...

    def commit(self) -> None:
        """Write at once what was taken, instead of at the end of the turn."""
        ...


@dataclass(frozen=True)
class Answers:
    """Rows that were answered together."""

    rows: Sequence[JsonMap]  # without `as_of`
    at_us: Sequence[int]
    records: Sequence[Record]
    ids: Sequence[str]
    blocks: Mapping[str, FeatureBlock]  # by definition: what was looked up for them


class _Shadow:
    """One release, and what waits for it."""

    def __init__(self, release: ServedRelease) -> None:
        self.release = release
        self.waiting: deque[Answers] = deque()
        self.rows = 0  # that wait
        self.busy = False
        self.pace = Pace()
        self.aside: Aside[list[float]] = Aside()

    def block(self, answers: Answers) -> FeatureBlock:
        """The features that it sees, looked up if no other release has."""
        found = answers.blocks.get(self.release.definition)
        return self.release.look_up(answers.rows, answers.at_us) if found is None else found

    def score(self, block: FeatureBlock) -> list[float]:
        """What it says."""
        return self.pace.score(self.release, block)


class Shadowing:
    """Belongs to one event loop.

    Args:
        log: where records go.
        failed: told of a release and the number of rows that it did not score; within the handler of the exception.
    """

    def __init__(self, log: Takes, failed: Callable[[str, int], None]) -> None:
        self._log = log
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._shadows: dict[str, _Shadow] = {}  # by digest

    def keep(self, releases: Sequence[ServedRelease]) -> None:
        """Forget all other shadows, and what waits for them."""
        self._shadows = {one.digest: self._shadows.get(one.digest) or _Shadow(one) for one in releases}

    def answered(self, answers: Answers) -> None:
        """Have each shadow score rows whose answers are on their way."""
        for shadow in self._shadows.values():
            if shadow.rows + len(answers.rows) > _MOST_ROWS:
                self._left_out(
                    shadow, len(answers.rows), TimeoutError("it is behind with what it was given before")
                )
                continue
            shadow.waiting.append(answers)
            shadow.rows += len(answers.rows)
            if not shadow.busy:
                shadow.busy = True
                self._loop.call_soon(self._next, shadow)

    def _next(self, shadow: _Shadow) -> None:
        """Score what has waited longest; requests that have come in the meantime are taken in between."""
        if not shadow.waiting or self._shadows.get(shadow.release.digest) is not shadow:
            shadow.busy = False
            return
        answers = shadow.waiting.popleft()
        shadow.rows -= len(answers.rows)
        try:
            # Stores are read by this thread alone.
            block = shadow.block(answers)
            if not shadow.pace.quick:
                self._beside(shadow, answers, block)
                return
            self._record(shadow, answers, shadow.score(block))
        except Exception as error:
            self._left_out(shadow, len(answers.rows), error)
        self._loop.call_soon(self._next, shadow)

    def _beside(self, shadow: _Shadow, answers: Answers, block: FeatureBlock) -> None:
        def score() -> list[float]:
            try:
                return shadow.score(block)
            finally:
                if not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(lambda: self._scored(shadow, answers, begun))

        # The piece before has told of its end, and is over in a moment if it is not yet.
        begun: Outcome[list[float]] | None = shadow.aside.begin(score, None)

    def _scored(self, shadow: _Shadow, answers: Answers, begun: Outcome[list[float]] | None) -> None:
        try:
            assert begun is not None
            self._record(shadow, answers, begun.get(None))
        except Exception as error:
            self._left_out(shadow, len(answers.rows), error)
        self._next(shadow)

    def _record(self, shadow: _Shadow, answers: Answers, scores: Sequence[float]) -> None:
        digest = shadow.release.digest
        records: list[Record] = [
            (one[0], digest, -one[2], one[3], one[4], {"answer": id}, [], [], score, [(one[1], one[8])], 0)
            for one, id, score in zip(answers.records, answers.ids, scores, strict=True)
            if math.isfinite(score)
        ]
        if records:
            self._log.take(records, lambda _: None)
        if unsaid := len(scores) - len(records):
            self._left_out(shadow, unsaid, ValueError(f"{unsaid} of {len(scores)} scores are not finite"))

    def _left_out(self, shadow: _Shadow, rows: int, error: Exception) -> None:
        try:
            raise error
        except Exception:
            self._failed(shadow.release.digest, rows)
