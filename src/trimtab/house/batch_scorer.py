"""Answers to the parts of a batch, made and recorded as those to requests are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from trimtab.features.offline_reader import OfflineReader
from trimtab.features.reach import reaching
from trimtab.house.batch_file import BatchFile, told_by_row
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.moment import from_us
from trimtab.kernel.route import Route
from trimtab.ports.clock import Clock
from trimtab.ports.fallback import Fallback
from trimtab.ports.feature_reader import FeatureBlock, merged
from trimtab.ports.served_release import ReleaseLoader, ServedRelease
from trimtab.serving.answer import Answer
from trimtab.serving.answering import Answering
from trimtab.serving.batch_part import PartWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.released import Serving

_NEVER_S = 2.0**62  # nobody waits for a row of a batch: its record tells of no latency


class Scorer:
    """The releases of a route, loaded for one batch."""

    def __init__(
        self, house: House, route: Route, loader: ReleaseLoader, clock: Clock, file: BatchFile, *, began_us: int
    ) -> None:
        """Load the releases.

        Args:
            house: with the facts.
            route: says who answers.
            loader: loads a release, verified by digest.
            clock: says when rows are asked that do not say it.
            file: the batch.
            began_us: rows of before are looked up in dataset versions; the others in the online store.
        """
        self._runner = asyncio.Runner()
        self._path = file.path
        self._writer = PartWriter(house.name)
        self._metrics = _Metrics()
        oldest_us = file.instants.oldest_us
        since = None if oldest_us is None else from_us(oldest_us)
        releases = tuple(_AsOf(house, loader(one), since, began_us) for one in route.scoring())
        self.view_names = {one.digest: one.view_names for one in releases}
        self._serving = Serving(route, releases)
        self._answering = self._runner.run(self._open(house.name, clock))

    async def _open(self, system: str, clock: Clock) -> Answering:
        return Answering(system, log=self._writer, clock=clock, metrics=self._metrics, mode="request")

    @property
    def unscored(self) -> dict[str, int]:
        """Rows by release that scores beside the one that answers, and could not score them."""
        return dict(self._metrics.left)

    def part(self, rows: Sequence[dict[str, Json]], number: int, first: int) -> bytes:
        """The answers to some rows, as the whole segment of that number.

        Raises:
            RequestInvalid: a row that cannot be answered, by its number in the file, of which `first` come before.
        """
        self._writer.begin(number)
        try:
            self._runner.run(self._answered(rows))
        except RequestInvalid as error:
            raise told_by_row(error, self._path, first) from None
        return self._writer.sealed()

    async def _answered(self, rows: Sequence[dict[str, Json]]) -> None:
        ticket = _Ticket(rows, self._serving)
        self._answering.submit(ticket)
        await ticket.done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()


class _Ticket:
    """Implements serving's Ticket."""

    def __init__(self, rows: Sequence[dict[str, Json]], serving: Serving) -> None:
        self.rows = rows
        self.row_count = len(rows)
        self.serving = serving
        self.started_s = _NEVER_S
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, answer: Answer) -> None:  # noqa: ARG002 - the records hold all of it
        """All is written."""
        self.done.set_result(None)

    def failed(self, error: Exception) -> None:
        """Nothing is."""
        self.done.set_exception(error)


class _AsOf:
    """Implements ServedRelease: rows of the past from dataset versions, rows of now from the online store."""

    def __init__(self, house: House, release: ServedRelease, since: datetime | None, began_us: int) -> None:
        self.digest = release.digest
        self.definition = release.definition
        self.view_names = release.view_names
        self.feature_names = release.feature_names
        self.key = release.key
        self.request = release.request
        self.fallback: Sequence[Fallback] = ()  # a file is not filled with what no model said: its batch stops
        self._house = house
        self._release = release
        self._since = since
        self._began_us = began_us
        self._offline: OfflineReader | None = None

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """The features of each row."""
        past = [number for number, one in enumerate(at_us) if one < self._began_us]
        if not past:
            return self._release.look_up(rows, at_us)
        if len(past) == len(rows):
            return self._read(rows, at_us)
        now = sorted(set(range(len(rows))) - set(past))
        return merged(
            len(rows),
            (past, self._read([rows[one] for one in past], [at_us[one] for one in past])),
            (now, self._release.look_up([rows[one] for one in now], [at_us[one] for one in now])),
        )

    def score(self, block: FeatureBlock) -> list[float]:
        """What the model says to each row."""
        return self._release.score(block)

    def _read(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        if self._offline is None:
            assert self._since is not None
            features = self._house.code.system(self._house.releases.get(self.digest)).feature_set
            facts = reaching(features, self._house.versions.frame, self._since)
            self._offline = OfflineReader(features, self.feature_names, self.request, facts)
        return self._offline.read(rows, at_us)


class _Metrics(Metrics):
    """Remembers only who could not score."""

    def __init__(self) -> None:
        super().__init__()
        self.left: Counter[str] = Counter()

    def unscored(self, release: str, rows: int) -> None:
        """Rows that a canary or a shadow could not score."""
        self.left[release] += rows
