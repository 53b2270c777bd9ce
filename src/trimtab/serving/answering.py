"""Rows in, recorded answers out: the part of a worker that knows no protocol."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from trimtab.kernel.errors import LogUnwritable, RequestInvalid
from trimtab.kernel.moment import to_us
from trimtab.ports.clock import Clock
from trimtab.ports.served_release import ServedRelease
from trimtab.ports.typed_rows import joined
from trimtab.serving import recording, reporting
from trimtab.serving.answer import Answer, Answered
from trimtab.serving.block import Block
from trimtab.serving.fallback_news import FallbackNews
from trimtab.serving.falling_back import Asked, Failure, FallingBack, sound
from trimtab.serving.gathering import Gathering
from trimtab.serving.log_writer import Then
from trimtab.serving.metrics import Metrics
from trimtab.serving.record import Record
from trimtab.serving.recording import Rows
from trimtab.serving.released import Serving
from trimtab.serving.rows import ClockMode, instants, keys_of
from trimtab.serving.scoring import Scored, Scoring, Without
from trimtab.serving.shadowing import Answers, Shadowing, Takes
from trimtab.serving.ticket import Ticket
from trimtab.serving.wire import Row

_NOTHING: Without = ([], {}, [])
_REPEAT_S = 5.0  # a release that cannot score is told of once in this time, with its stack


class Answering:
    """Belongs to one event loop."""

    def __init__(self, system: str, *, log: Takes, clock: Clock, metrics: Metrics, mode: ClockMode) -> None:
        self._system = system
        self._log = log
        self._clock = clock
        self._metrics = metrics
        self._mode: ClockMode = mode
        self._replays = mode == "request"  # then each row is scored by all before it is answered: every time alike
        self._scoring = Scoring(self._unscored, patient=self._replays)
        self._serving: Serving | None = None  # that answered last
        self._told_s: dict[str, float] = {}  # releases that could not score → when that was told
        self._falling_back = FallingBack(metrics, self._fault, FallbackNews(reporting.process()))
        self._shadowing = Shadowing(log, self._unscored)
        self._gathering = Gathering(self._answer, log.commit)

    def submit(self, ticket: Ticket) -> None:
        """Answer a request, with those that come together with it."""
        self._gathering.submit(ticket)

    def _answer(self, batch: Sequence[Ticket]) -> None:
        try:
            self._answer_together(batch)
        except Exception as error:  # of a release, which runs foreign code, or of one request's rows
            if len(batch) == 1:
                batch[0].failed(error)
                return
            for ticket in batch:  # an answer must not depend on what others ask
                self._answer([ticket])

    def _answer_together(self, batch: Sequence[Ticket]) -> None:
        """Score the rows of some requests under one route, and stage their records."""
        serving = batch[0].serving
        if serving is not self._serving:
            self._serving = serving
            self._scoring.keep(serving.releases)
            self._shadowing.keep(() if self._replays else serving.shadows)
            self._falling_back.follow(serving)
        champion, generation = serving.releases[0], serving.route.generation
        rows = self._rows(batch, champion.key)
        asked = Asked(serving, rows.asked, rows.at_us)
        drawn = serving.route.answering_each(rows.keys, rows.asked)
        releases, only = self._division(serving, rows.asked, drawn)
        failure: Failure | None = None
        try:
            scored = self._scoring.score(releases, rows.asked, rows.at_us, only)
        except Exception as error:
            failure = self._falling_back.failed(asked, error, len(batch))
            scored = failure.scored
        ages_us = scored[champion.digest].block.ages_us
        self._metrics.looked_up(champion.view_names, ages_us, batch[0].started_s)
        divided = failure is None and champion.digest in only
        records = recording.records(
            self._system, generation, rows, drawn, scored, _latency_us(batch), divided=divided
        )
        fallen = bool(champion.fallback) and not sound(serving, scored)
        if fallen:
            records = self._falling_back.mended(asked, scored, records, failure)
        told = _told(records, scored)
        answered: list[tuple[Ticket, Answer]] = []
        shadowed: Answers | None = None
        # From here on nothing may fail: what is staged is recorded.
        ids = self._take(records, lambda refused: self._written(answered, refused, shadowed))
        if isinstance(records, Block):  # of rows that lack nothing
            columns = (ids, records.keys, records.releases, records.scores)
            predictions = list(map(Answered, *columns, *map(repeat, _NOTHING)))
        else:
            predictions = [
                Answered(id, one[3], one[1], one[8], *less)
                for id, one, less in zip(ids, records, told, strict=True)
            ]
        if fallen:
            for index, kind in self._falling_back.recorded(champion.digest, records).items():
                predictions[index].fallback = kind
        elif champion.fallback:
            self._falling_back.healthy()
        if serving.shadows and not self._replays and failure is None:
            blocks = {champion.definition: scored[champion.digest].block}
            shadowed = Answers(rows.asked, rows.at_us, records, ids, blocks)
        start = 0
        for ticket in batch:
            end = start + ticket.row_count
            answer = Answer(self._system, generation, predictions[start:end])
            answered.append((ticket, answer))
            start = end

    def _rows(self, batch: Sequence[Ticket], key: str) -> Rows:
        """All rows, their instants and their keys. An error names a place in one request: see `_answer`."""
        sent = joined([ticket.rows for ticket in batch])
        asked, at_us = instants(sent, mode=self._mode, now_us=to_us(self._clock.now()))
        return Rows(sent, asked, at_us, keys_of(asked, key))

    def _division(
        self, serving: Serving, rows: Sequence[Row], drawn: Sequence[str]
    ) -> tuple[Sequence[ServedRelease], Mapping[str, Sequence[int]]]:
        """Which releases score, and which rows, if it is not all of them."""
        if self._replays:
            return serving.releases, serving.route.only(rows)
        if not serving.divides:
            return serving.answering, serving.route.only(rows)
        champion, canary = serving.answering
        its = [index for index, one in enumerate(drawn) if one == canary.digest]
        if not its:
            return (champion,), {}
        rest = [index for index, one in enumerate(drawn) if one == champion.digest]
        return (champion, canary), {champion.digest: rest, canary.digest: its}

    def _written(
        self, answered: Sequence[tuple[Ticket, Answer]], refused: LogUnwritable | None, shadowed: Answers | None
    ) -> None:
        for ticket, answer in answered:
            if refused is None:
                ticket.answered(answer)
            else:
                ticket.failed(refused)
        if refused is None and shadowed is not None:
            self._shadowing.answered(shadowed)

    def _unscored(self, release: str, rows: int) -> None:
        self._metrics.unscored(release, rows)
        self._fault(release)

    def _fault(self, of: str) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s.get(of, -_REPEAT_S) >= _REPEAT_S:
            self._told_s[of] = now_s
            print_error()

    def _take(self, records: Sequence[Any], then: Then) -> list[str]:
        try:
            return self._log.take(records, then)
        except (OverflowError, RecursionError) as error:
            raise RequestInvalid(
                "a row holds a value that cannot be recorded",
                where="instances",
                allowed="integers of at most 64 bits, and moderate nesting",
                got=str(error),
                do="send large numbers as text",
            ) from error


def _latency_us(batch: Sequence[Ticket]) -> list[int]:
    """Of each row so far."""
    now_s = time.perf_counter()
    found: list[int] = []
    for ticket in batch:
        # Nobody waits for a row of a batch: its request begins at the end of time.
        found += [max(0, int((now_s - ticket.started_s) * 1e6))] * ticket.row_count
    return found


def _told(records: Sequence[Record], scored: Mapping[str, Scored]) -> list[Without]:
    """What each answer was given without: mostly nothing, which is seen at once; of a block it is known."""
    if isinstance(records, Block):
        return []
    numbers = all(one.block.numbers is not None and not one.release.view_names for one in scored.values())
    if numbers or not any(None in one[6] or None in one[7] for one in records):
        return [_NOTHING] * len(records)
    return [scored[one[1]].without(index) for index, one in enumerate(records)]


def print_error() -> None:
    """The exception that is handled now, with its stack."""
    reporting.process().fault()
