"""A worker's counts on their way to /metrics: published four times a second, and summed when somebody asks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from trimtab.serving.counts import Counts, Snapshot, added, listed_series, of_releases
from trimtab.serving.counts_folder import CountsFile, CountsFolder
from trimtab.serving.exposition import text_of
from trimtab.serving.log_writer import LogWriter
from trimtab.serving.metrics import Metrics
from trimtab.serving.released import Released
from trimtab.serving.segment import LIVE, SEALED
from trimtab.serving.segment_folder import SegmentFolder

_EVERY_S = 0.25
_SEGMENTS_S = 1.0  # how old the count of segments may be


class Publishing:
    """Belongs to one event loop.

    Args:
        folder: that all workers of the server share.
        connections: how many are open now.
        report: told if nothing can be published: this worker then answers for itself alone.
    """

    def __init__(
        self,
        slot: int,
        folder: CountsFolder,
        *,
        metrics: Metrics,
        released: Released,
        log: LogWriter,
        segments: SegmentFolder,
        connections: Callable[[], int],
        report: Callable[[str], None],
    ) -> None:
        self._slot = slot
        self._folder = folder
        self._metrics = metrics
        self._released = released
        self._log = log
        self._segments = segments
        self._connections = connections
        self._report = report
        self._started_s = time.time()
        self._next_s = 0.0
        self._counted_s = -_SEGMENTS_S
        self._lying: Counts = {}
        self._file: CountsFile | None = None
        try:
            self._file = folder.file(slot)
        except OSError as error:
            report(f"metrics cannot be published: {error}; /metrics shows a worker's own")

    def turn(self) -> None:
        """Called every few hundredths of a second."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _EVERY_S
            self._publish()

    def text(self) -> bytes:
        """What /metrics says: of all workers."""
        own = self._publish()
        counts = self._folder.read() if self._file is not None else added([own.counters, own.gauges])
        return text_of({**of_releases(counts, self._releases()), **self._uncompacted()})

    def close(self) -> None:
        """The last word, after the last answer."""
        self._publish()

    def _publish(self) -> Snapshot:
        self._metrics.forget(but=self._releases())
        counters = listed_series(self._metrics.counts())
        snapshot = Snapshot(self._slot, os.getpid(), counters, listed_series(self._gauges()))
        if self._file is not None and not self._file.publish(snapshot):
            self._report("metrics take too much room, and are not published any more")
            self._file = None
        return snapshot

    def _releases(self) -> tuple[str, ...]:
        serving = self._released.serving
        return () if serving is None else serving.route.releases()

    def _gauges(self) -> Counts:
        serving, lag = self._released.serving, self._log.lag()
        found = {
            "trimtab_in_flight_requests": self._released.open,
            "trimtab_connections": self._connections(),
            "trimtab_waiting_commits": lag.commits,
            "trimtab_log_unflushed_records": lag.records,
            "trimtab_log_unflushed_bytes": lag.bytes,
            "trimtab_log_unflushed_seconds": lag.seconds,
            "trimtab_route_generation": 0 if serving is None else serving.route.generation,
            "trimtab_worker_start_time_seconds": self._started_s,
        }
        return {name: {(str(self._slot),): [number]} for name, number in found.items()}

    def _uncompacted(self) -> Counts:
        """Segments of all workers that lie in the log's folder; looked up now and then, for they may be many."""
        now_s = time.monotonic()
        if now_s - self._counted_s >= _SEGMENTS_S:
            self._counted_s = now_s
            sizes = {ending: self._segments.sizes(ending) for ending in (LIVE, SEALED)}
            states: dict[tuple[str, ...], list[float]] = {
                (ending.strip("."),): [len(found)] for ending, found in sizes.items()
            }
            held_bytes = float(sum(map(sum, sizes.values())))
            self._lying = {"trimtab_log_segments": states, "trimtab_log_uncompacted_bytes": {(): [held_bytes]}}
        return self._lying
