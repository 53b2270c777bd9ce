"""Which requests are answered together.

Together they cost one look-up, one call of each model, and one write. A slow model is called with the more rows the
busier the worker is. Decision 0009 has the measures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from trimtab.serving.ticket import Ticket

_BATCH_ROWS = 256  # of small requests that are answered together; a request is never divided
_MANY_ROWS = 64  # of a request that is answered at once, while what was decoded is in the processor's caches
_GATHER_S = 0.001  # at most, from the first look at what waits


class Gathering:
    """Belongs to one event loop.

    Args:
        answer: some requests under one route; it raises nothing.
        commit: what was answered leaves.
    """

    def __init__(self, answer: Callable[[Sequence[Ticket]], None], commit: Callable[[], None]) -> None:
        self._answer = answer
        self._commit = commit
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Ticket] = []
        self._waiting_rows = 0
        self._gathered = 0  # of those that wait, when this was last looked at
        self._until_s = 0.0  # by time.perf_counter

    def submit(self, ticket: Ticket) -> None:
        """Have a request answered with those that come together with it; one of many rows alone, and at once."""
        if ticket.row_count >= _MANY_ROWS:
            self._answer([ticket])
            self._commit()
            return
        if not self._waiting:
            self._loop.call_soon(self._gather)
        self._waiting.append(ticket)
        self._waiting_rows += ticket.row_count

    def _gather(self) -> None:
        """Answer what waits, unless this turn of the event loop has brought more: then the next one may, too.

        Clients that were answered together ask again one after the other. A turn takes microseconds, and where it
        does not, there is an end: nobody waits for a batch to fill. Each request in it makes all others cheaper.
        """
        waiting, before = len(self._waiting), self._gathered
        if not before:
            self._until_s = time.perf_counter() + _GATHER_S
        more = waiting > before and self._waiting_rows < _BATCH_ROWS
        if more and (not before or time.perf_counter() < self._until_s):
            self._gathered = waiting
            self._loop.call_soon(self._gather)
        else:
            self._gathered = self._waiting_rows = 0
            self._answer_all()

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        batch: list[Ticket] = []
        rows = 0
        for ticket in waiting:
            if batch and (ticket.serving is not batch[0].serving or rows + ticket.row_count > _BATCH_ROWS):
                self._answer(batch)
                batch, rows = [], 0
            batch.append(ticket)
            rows += ticket.row_count
        self._answer(batch)
        self._commit()
