"""A request as the data plane's tests make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trimtab.serving.answer import Answer
from trimtab.serving.released import Serving
from trimtab.serving.wire import Row


@dataclass
class Asked:
    """A request, and what became of it. Implements Ticket."""

    rows: Sequence[Row]
    serving: Serving
    started_s: float = 0.0
    outcomes: list[Answer | Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.row_count = len(self.rows)

    def answered(self, answer: Answer) -> None:
        self.outcomes.append(answer)

    def failed(self, error: Exception) -> None:
        self.outcomes.append(error)

    @property
    def outcome(self) -> Answer | Exception:
        [only] = self.outcomes
        return only
