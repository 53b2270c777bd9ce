"""Requests for predictions: each is decoded, waits for its answer, and gets it in the words of its protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from trimtab.serving.answer import Answer
from trimtab.serving.answering import Answering, print_error
from trimtab.serving.limits import Limits
from trimtab.serving.metrics import Metrics
from trimtab.serving.problem import (
    Problem,
    Refused,
    coded_body,
    not_ready,
    not_recorded_in_time,
    problem_of,
    too_many_waiting,
)
from trimtab.serving.released import Released, Serving
from trimtab.serving.wire import Asked, Headers, Row, Wire

Reply: TypeAlias = Callable[[Problem | bytes], None]
Traced: TypeAlias = Callable[[str, Headers, Reply], Reply]  # of a path: a reply that tells what became of it


def _nobody(_: Problem | bytes) -> None:
    """In place of a client that has its answer."""


class _Ticket:
    """Implements Ticket."""

    __slots__ = ("asked", "owner", "path", "reply", "row_count", "rows", "serving", "started_s", "wire")

    asked: Asked
    rows: Sequence[Row]
    row_count: int

    def __init__(
        self, owner: Predicting, wire: Wire, path: str, serving: Serving, started_s: float, reply: Reply
    ) -> None:
        self.owner, self.wire, self.path, self.reply = owner, wire, path, reply
        self.serving, self.started_s = serving, started_s

    def answered(self, answer: Answer) -> None:
        """Have it leave."""
        owner, reply, self.reply = self.owner, self.reply, _nobody
        owner.done(self)
        try:
            found: Problem | bytes = self.wire.encode(answer, self.asked)
        except Exception as error:
            found = owner.problem(error, self)
        else:
            owner.metrics.answered(answer.predictions, time.perf_counter() - self.started_s)
        reply(found)

    def failed(self, error: Exception) -> None:
        """Say what went wrong."""
        self.owner.done(self)
        self.give_up(self.owner.problem(error, self))

    def give_up(self, problem: Problem) -> None:
        """Tell the client that its answer takes too long. Whatever comes of it later is told to nobody."""
        reply, self.reply = self.reply, _nobody
        reply(problem)


class Predicting:
    """Belongs to one event loop."""

    def __init__(
        self,
        system: str,
        *,
        released: Released,
        answering: Answering,
        metrics: Metrics,
        limits: Limits,
        traced: Traced | None = None,
    ) -> None:
        self._traced = traced  # None: nothing is
        self._system = system
        self._released = released
        self._answering = answering
        self.metrics = metrics
        self._limits = limits
        self._waiting: dict[_Ticket, None] = {}  # in the order of their arrival

    def turn(self) -> None:
        """Of a disk that hangs no answer is awaited for ever; the route and the log wait for it all the same."""
        until_s = time.perf_counter() - self._limits.answer_s
        while self._waiting and (ticket := next(iter(self._waiting))).started_s < until_s:
            del self._waiting[ticket]
            self.metrics.refused(503)
            ticket.give_up(not_recorded_in_time(ticket.path, self._limits.answer_s))

    def predict(self, wire: Wire, path: str, body: bytes, headers: Headers, reply: Reply) -> None:
        """Answer one request: `reply` is called once, now or when the records are written."""
        started_s = time.perf_counter()
        if self._traced is not None:
            reply = self._traced(path, headers, reply)
        if len(self._waiting) >= self._limits.waiting:
            self.metrics.refused(429)
            reply(too_many_waiting(path, self._limits.waiting))
            return
        serving = self._released.enter()
        if serving is None:
            self.metrics.refused(503)
            reply(not_ready(path, self._system))
            return
        ticket = _Ticket(self, wire, path, serving, started_s, reply)
        try:
            ticket.asked = wire.decode(
                body, headers, max_rows=self._limits.rows, fields=serving.releases[0].request
            )
        except Exception as error:  # one request's error must stay one answer
            coded = coded_body(path, headers)
            ticket.failed(error if coded is None else Refused(coded))
            return
        ticket.rows = ticket.asked.rows
        ticket.row_count = len(ticket.rows)
        self._waiting[ticket] = None
        self._answering.submit(ticket)

    def done(self, ticket: _Ticket) -> None:
        """A request waits no more: its records are written, or it has none."""
        self._waiting.pop(ticket, None)
        self._released.leave(ticket.serving)

    def problem(self, error: Exception, ticket: _Ticket) -> Problem:
        """A request without an answer."""
        problem = problem_of(error, ticket.path)
        if problem.status >= 500 and problem.status != 503:
            print_error()
        self.metrics.refused(problem.status, ticket.serving.route.champion)
        return problem
