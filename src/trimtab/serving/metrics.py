"""A worker's own counters, as Prometheus text. A counter costs a tenth of a microsecond."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counts of one worker since its start."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._requests: Counter[int] = Counter()
        self._rows: Counter[str] = Counter()
        self._unscored: Counter[str] = Counter()
        self._appends: Counter[int] = Counter()
        self._appended: Counter[str] = Counter()
        self._buckets = [0] * (len(_BOUNDS_S) + 1)
        self._sum_s = 0.0

    def answered(self, releases: Sequence[str], latency_s: float) -> None:
        """One request answered with predictions, each by one of `releases`."""
        self._requests[200] += 1
        self._rows.update(releases)
        self._buckets[bisect_left(_BOUNDS_S, latency_s)] += 1
        self._sum_s += latency_s

    def unscored(self, release: str, rows: int) -> None:
        """Rows that a canary or a shadow could not score."""
        self._unscored[release] += rows

    def refused(self, status: int) -> None:
        """One request answered with an error."""
        self._requests[status] += 1

    def appended(self, source: str, rows: int) -> None:
        """Rows that a stream has accepted, or had accepted already under the same key."""
        self._appended[source] += rows

    def append_answered(self, status: int) -> None:
        """One request to append rows answered."""
        self._appends[status] += 1

    def text(self, *, generation: int) -> bytes:
        """The exposition format, version 0.0.4."""
        return ("\n".join(self._lines(generation)) + "\n").encode()

    def _lines(self, generation: int) -> Iterator[str]:
        worker = f'worker="{self._worker}"'
        for name, told, label, counts in (
            ("requests", "Prediction requests by status.", "status", self._requests),
            ("rows", "Rows answered, by release.", "release", self._rows),
            ("unscored_rows", "Rows that a canary or a shadow could not score.", "release", self._unscored),
            ("append_requests", "Requests to append rows by status.", "status", self._appends),
            ("appended_rows", "Rows appended, by source.", "source", self._appended),
        ):
            yield f"# HELP trimtab_{name}_total {told}"
            yield f"# TYPE trimtab_{name}_total counter"
            for one, count in sorted(counts.items()):
                yield f'trimtab_{name}_total{{{worker},{label}="{one}"}} {count}'
        yield "# HELP trimtab_request_errors_total Prediction requests answered with an error."
        yield "# TYPE trimtab_request_errors_total counter"
        yield f"trimtab_request_errors_total{{{worker}}} {self._requests.total() - self._requests[200]}"
        yield "# HELP trimtab_latency_seconds From a request's last byte to its committed record."
        yield "# TYPE trimtab_latency_seconds histogram"
        below = 0
        for bound_s, count in zip((*_BOUNDS_S, None), self._buckets, strict=True):
            below += count
            bound = "+Inf" if bound_s is None else f"{bound_s:g}"
            yield f'trimtab_latency_seconds_bucket{{{worker},le="{bound}"}} {below}'
        yield f"trimtab_latency_seconds_sum{{{worker}}} {self._sum_s:.6f}"
        yield f"trimtab_latency_seconds_count{{{worker}}} {below}"
        yield "# HELP trimtab_route_generation The generation of the route that this worker follows."
        yield "# TYPE trimtab_route_generation gauge"
        yield f"trimtab_route_generation{{{worker}}} {generation}"
