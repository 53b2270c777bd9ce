"""Replay: every question of a period is asked of the served route, exactly once, whatever dies meanwhile.

The prediction log is the truth of what was answered. A request whose answer was lost is not just sent again: the
log is asked which of its rows were recorded, and only the others are sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import polars as pl

from trimtab.data.reading import open_source
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import ServerUnavailable
from trimtab.kernel.moment import aware
from trimtab.ports.prediction_client import PredictionClient
from trimtab.ports.prediction_log import PredictionLog
from trimtab.system import System

ROWS_PER_REQUEST = 256
CONNECTIONS = 4
_PAUSE_S = 0.25
_GIVE_UP_S = 60.0


class Replay:
    """Asks a system's questions as of their own instants."""

    def __init__(
        self,
        system: System,
        project: Path,
        *,
        client: PredictionClient,
        log: PredictionLog,
        answered: set[str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare.

        Args:
            answered: keys that the log holds already.
        """
        self._client = client
        self._log = log
        self._answered = answered
        self._sleep = sleep
        question = system.question
        fields = [
            pl.col(name).dt.epoch("us").alias(name) if kind.is_temporal() else pl.col(name)
            for name, kind in open_source(question.source, project).collect_schema().items()
            if name in system.request_fields
        ]
        self._at = question.at
        self._key = question.key
        self._rows = open_source(question.source, project).select(
            *fields, pl.col(question.at).alias("_at"), pl.col(question.at).dt.epoch("us").alias("as_of")
        )

    def questions(self, after: datetime, upto: datetime) -> list[JsonMap]:
        """Questions asked in (after, upto] that the log does not hold, in the order of their instants."""
        wanted = (pl.col("_at") > aware(after)) & (pl.col("_at") <= aware(upto))
        rows = self._rows.filter(wanted).sort("_at", self._key).drop("_at").collect().to_dicts()
        return [row for row in rows if str(row[self._key]) not in self._answered]

    def ask(self, questions: Sequence[JsonMap]) -> int:
        """Ask and return how many answers were recorded: all of them.

        Raises:
            ServerUnavailable: no answer for a minute.
            AnswerOverdue: a request that may be answered yet; it must not be sent again while this server lives.
            RequestInvalid: the server refuses a question.
        """
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            done = sum(pool.map(self._ask, _batches(questions)))
        self._answered.update(str(row[self._key]) for row in questions)
        return done

    def _ask(self, rows: Sequence[JsonMap]) -> int:
        left = list(rows)
        waited_s = 0.0
        while left:
            try:
                self._client.predict(left)
                break
            except ServerUnavailable:
                if waited_s >= _GIVE_UP_S:
                    raise
                self._sleep(_PAUSE_S)
                waited_s += _PAUSE_S
                keys = {str(row[self._key]) for row in left}
                recorded = {one.key for one in self._log.recent() if one.key in keys}
                left = [row for row in left if str(row[self._key]) not in recorded]
        return len(rows)


def _batches(questions: Sequence[JsonMap]) -> Iterator[Sequence[JsonMap]]:
    for start in range(0, len(questions), ROWS_PER_REQUEST):
        yield questions[start : start + ROWS_PER_REQUEST]
