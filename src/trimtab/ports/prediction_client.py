"""Asking the served route, as an application would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trimtab.kernel.canonical import JsonMap


class PredictionClient(Protocol):
    """One method: ask."""

    def predict(self, rows: Sequence[JsonMap]) -> list[JsonMap]:
        """Answers in the order of the rows: id, key, score, missing views.

        Raises:
            ServerUnavailable: no answer will come; what was recorded of the rows stands in the log by now.
            AnswerOverdue: no answer came in time; the rows may still be recorded.
            RequestInvalid: the server refused the request.
        """
        ...
