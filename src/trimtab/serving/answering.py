"""Rows in, recorded answers out: the part of a worker that knows no protocol."""

from __future__ import annotations

import sys
import time
import traceback
from asyncio import Future
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.moment import to_us
from trimtab.ports.clock import Clock
from trimtab.serving.answer import Answer, Answered
from trimtab.serving.log_writer import LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.released import Serving
from trimtab.serving.rows import ClockMode, instants, key_of
from trimtab.serving.scoring import score, without
from trimtab.serving.wire import Row

_REPEAT_S = 5.0  # a release that cannot score is told of once in this time, with its stack


class Answering:
    """Belongs to one event loop."""

    def __init__(self, system: str, *, log: LogWriter, clock: Clock, metrics: Metrics, mode: ClockMode) -> None:
        self._system = system
        self._log = log
        self._clock = clock
        self._metrics = metrics
        self._mode: ClockMode = mode
        self._told_s: dict[str, float] = {}  # releases that could not score → when that was told

    def answer(
        self, sent: Sequence[Row], serving: Serving, started_s: float
    ) -> tuple[Answer, list[str], Future[None]]:
        """The answer, the release that answers each row, and the future after which the answer may leave."""
        champion, route = serving.releases[0], serving.route
        rows, at_us = instants(sent, mode=self._mode, now_us=to_us(self._clock.now()))
        keys = [key_of(row, champion.key, index) for index, row in enumerate(rows)]
        scored = score(serving.releases, rows, at_us, failed=self._unscored)
        latency_us = max(0, int((time.perf_counter() - started_s) * 1e6))
        by = [digest if (digest := route.answering(key)) in scored else champion.digest for key in keys]
        records = [
            (
                self._system,
                digest,
                route.generation,
                key,
                at_us[index],
                sent[index],
                scored[digest].block.values[index],
                scored[digest].block.ages_us[index],
                scored[digest].scores[index],
                [(other, one.scores[index]) for other, one in scored.items() if other != digest],
                latency_us,
            )
            for index, (key, digest) in enumerate(zip(keys, by, strict=True))
        ]
        ids, committed = self._stage(records)
        predictions = [
            Answered(id, key, digest, record[8], *without(scored[digest].release, scored[digest].block, index))
            for index, (id, key, digest, record) in enumerate(zip(ids, keys, by, records, strict=True))
        ]
        return Answer(self._system, route.generation, predictions), by, committed

    def _unscored(self, release: str, rows: int) -> None:
        self._metrics.unscored(release, rows)
        now_s = time.monotonic()
        if now_s - self._told_s.get(release, -_REPEAT_S) >= _REPEAT_S:
            self._told_s[release] = now_s
            print_error()

    def _stage(self, records: Sequence[Any]) -> tuple[list[str], Future[None]]:
        try:
            return self._log.stage(records)
        except (OverflowError, RecursionError) as error:
            raise RequestInvalid(
                "a row holds a value that cannot be recorded",
                where="instances",
                allowed="integers of at most 64 bits, and moderate nesting",
                got=str(error),
                do="send large numbers as text",
            ) from error


def print_error() -> None:
    """The exception that is handled now, with its stack; an answer must not fail for want of space for that."""
    with suppress(OSError):
        traceback.print_exc(file=sys.stderr)
