"""Traces of predictions: a span for the request; within it spans for its features, for each model, and for the log.

Requests of one turn are scored together, so that their spans for features and models are the same stretch of time.
Nothing here is touched by a server that traces nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.clock import Clock
from trimtab.ports.feature_reader import FeatureBlock, PartBlock
from trimtab.ports.served_release import ReleaseLoader, ServedRelease
from trimtab.ports.tracer import Attributes, Span, Tracer
from trimtab.serving.answering import Answering
from trimtab.serving.block import Block
from trimtab.serving.log_writer import LogWriter, Then
from trimtab.serving.metrics import Metrics
from trimtab.serving.predicting import Reply
from trimtab.serving.problem import Problem
from trimtab.serving.rows import ClockMode
from trimtab.serving.ticket import Ticket
from trimtab.serving.wire import Headers


class Batch:
    """What some requests have in common: the stretches of time in which they were scored."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, Attributes, int, int]] = []  # name, attributes, start and end in nanoseconds
        self.staged_ns = 0


class TracedReply:
    """A request's reply, which ends its span. Called once."""

    def __init__(self, span: Span, reply: Reply) -> None:
        self._span = span
        self._reply = reply
        self.batch: Batch | None = None
        self.told: dict[str, str | int] = {}

    def __call__(self, found: Problem | bytes) -> None:
        """Tell what happened, once the answer is on its way."""
        now_ns = time.time_ns()
        self._reply(found)
        if self.batch is not None:
            for name, attributes, started_ns, ended_ns in self.batch.phases:
                self._span.child(name, started_ns, ended_ns, attributes)
            if self.batch.staged_ns:
                self._span.child("log", self.batch.staged_ns, now_ns, {})
        status = found.status if isinstance(found, Problem) else 200
        self._span.end({**self.told, "http.response.status_code": status}, failed=status >= 500)


class Tracing:
    """Belongs to one event loop; models may score in threads beside it."""

    def __init__(self, tracer: Tracer, system: str) -> None:
        self._tracer = tracer
        self._system = system
        self.batch: Batch | None = None  # that is being answered, if any of its requests is traced
        self.batches: dict[int, Batch] = {}  # by id of the block of features that it is scored from

    def begin(self, path: str, headers: Headers, reply: Reply) -> Reply:
        """In place of a request's reply: one that ends its span. The same, if the request is not sampled."""
        attributes = {"http.request.method": "POST", "url.path": path, "trimtab.system": self._system}
        span = self._tracer.request(f"POST {path}", headers, attributes)
        return reply if span is None else TracedReply(span, reply)

    def loader(self, load: ReleaseLoader) -> ReleaseLoader:
        """Releases whose look-ups and scores are told."""
        return lambda digest: cast(ServedRelease, TracedRelease(load(digest), self))

    def answering(
        self, system: str, *, log: LogWriter, clock: Clock, metrics: Metrics, mode: ClockMode
    ) -> Answering:
        """That tells the spans of requests what became of them."""
        made = TracedAnswering(system, log=log, clock=clock, metrics=metrics, mode=mode)
        made.tracing = self
        return made

    def close(self) -> None:
        """Send what is gathered."""
        self._tracer.close()


class TracedRelease:
    """Implements ServedRelease."""

    def __init__(self, release: ServedRelease, tracing: Tracing) -> None:
        self._release = release
        self._tracing = tracing

    def __getattr__(self, name: str) -> Any:
        """Whatever else a release has."""
        return getattr(self._release, name)

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """The features, and how long they took."""
        started_ns = time.time_ns()
        block = self._release.look_up(rows, at_us)
        if (batch := self._tracing.batch) is not None:
            told: Attributes = {"trimtab.release": self._release.digest, "trimtab.rows": len(rows)}
            batch.phases.append(("features", told, started_ns, time.time_ns()))
            self._tracing.batches[id(block)] = batch
        return block

    def score(self, block: FeatureBlock) -> list[float]:
        """The scores, and how long they took; in whatever thread it is."""
        batch = self._tracing.batches.get(id(block.whole if isinstance(block, PartBlock) else block))
        started_ns = time.time_ns()
        scores = self._release.score(block)
        if batch is not None:
            told: Attributes = {"trimtab.release": self._release.digest, "trimtab.rows": len(block.values)}
            batch.phases.append(("model", told, started_ns, time.time_ns()))
        return scores


class TracedAnswering(Answering):
    """Tells the spans of requests what became of them."""

    tracing: Tracing
    _traced: Sequence[Ticket] = ()  # all that are answered now, if some of them are traced

    def _answer_together(self, batch: Sequence[Ticket]) -> None:
        traced = [reply for one in batch if isinstance(reply := getattr(one, "reply", None), TracedReply)]
        if not traced:
            super()._answer_together(batch)
            return
        self.tracing.batch = shared = Batch()
        self._traced = batch
        for reply in traced:
            reply.batch = shared
        try:
            super()._answer_together(batch)
            shared.staged_ns = time.time_ns()
        finally:
            self._traced = ()
            self.tracing.batch = None
            self.tracing.batches.clear()

    def _take(self, records: Sequence[Any], then: Then) -> list[str]:
        ids = super()._take(records, then)
        start = 0
        for ticket in self._traced:
            end = start + ticket.row_count
            own = [] if isinstance(records, Block) else records[start:end]
            releases = records.releases[start:end] if isinstance(records, Block) else [one[1] for one in own]
            start = end
            if isinstance(reply := getattr(ticket, "reply", None), TracedReply):
                reply.told = {
                    "trimtab.release": ",".join(sorted(set(releases))),
                    "trimtab.rows": ticket.row_count,
                    "trimtab.generation": ticket.serving.route.generation,
                }
                if kinds := {one[11] for one in own if len(one) > 11}:
                    reply.told["trimtab.fallback"] = ",".join(sorted(kinds))
        return ids
