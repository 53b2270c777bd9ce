"""A request that waits for its answer, as those see it who know no protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trimtab.serving.answer import Answer
from trimtab.serving.released import Serving
from trimtab.serving.wire import Row


class Ticket(Protocol):
    """One request that waits for its answer: either of its methods is called once, in the event loop."""

    rows: Sequence[Row]
    row_count: int  # of them
    serving: Serving
    started_s: float  # by time.perf_counter

    def answered(self, answer: Answer) -> None:
        """Its records are written: the answer may leave."""
        ...

    def failed(self, error: Exception) -> None:
        """There is none."""
        ...
