"""For kill tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from trimtab.ports.journal import Journal, Unit


class DyingJournal:
    """A journal whose process dies before or after a commit."""

    def __init__(self, journal: Journal, point: str) -> None:
        self._journal = journal
        self._point = point

    @contextmanager
    def begin(self, *, at: datetime, actor: str) -> Iterator[Unit]:
        with self._journal.begin(at=at, actor=actor) as unit:
            yield unit
            if self._point == "within unit":
                os._exit(9)
        if self._point == "after unit":
            os._exit(9)
