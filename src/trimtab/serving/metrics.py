"""A worker's own counters. What is counted for each request costs less than a microsecond; sums are made later."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from operator import attrgetter

from trimtab.serving.answer import Answered
from trimtab.serving.counts import Counts
from trimtab.serving.metric_families import AGE_S, LATENCY_S, ROWS

_SAMPLE_S = 0.005  # between two looks at the ages of features


class _Answers:
    """Answered requests of one release."""

    __slots__ = ("buckets", "rows", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(LATENCY_S) + 1)
        self.sum_s = 0.0
        self.rows = 0

    def add(self, other: _Answers, times: int = 1) -> None:
        self.buckets = [a + times * b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.sum_s += times * other.sum_s


class Metrics:
    """Counts of one worker since its start."""

    def __init__(self) -> None:
        self._answers: dict[str, _Answers] = {}  # by release
        self._others = _Answers()  # of releases that are forgotten, less what was counted for several releases
        self._request_rows: Counter[int] = Counter()
        self._batch_rows: Counter[int] = Counter()
        self._errors: Counter[int] = Counter()
        self._release_errors: Counter[tuple[str, int]] = Counter()
        self._unscored: Counter[str] = Counter()
        self._fallbacks: Counter[tuple[str, str]] = Counter()  # by release and kind
        self._missing: Counter[str] = Counter()
        self._stale: Counter[str] = Counter()
        self._ages: dict[str, list[float]] = {}
        self._look_s = 0.0
        self._appends: Counter[int] = Counter()
        self._appended: Counter[str] = Counter()

    def answered(self, predictions: Sequence[Answered], latency_s: float) -> None:
        """One request answered with predictions."""
        rows = len(predictions)
        release = predictions[0].release
        found = self._answers.get(release)
        if found is None:
            found = self._answers[release] = _Answers()
        found.buckets[bisect_left(LATENCY_S, latency_s)] += 1
        found.sum_s += latency_s
        found.rows += rows
        self._request_rows[rows] += 1
        mixed = False
        for one in predictions:
            if one.missing:
                self._without(one)
            mixed = mixed or one.release != release
        if mixed:
            self._mixed(predictions, latency_s)

    def looked_up(self, views: Sequence[str], ages_us: Sequence[Sequence[int | None]], now_s: float) -> None:
        """Rows that are scored together, and the ages of their features; `now_s` by any clock that goes on."""
        self._batch_rows[len(ages_us)] += 1
        if now_s < self._look_s:
            return
        self._look_s = now_s + _SAMPLE_S
        # A row that brought its features has no ages.
        for view, age_us in zip(views, ages_us[0], strict=False):
            if age_us is not None:
                ages = self._ages.get(view)
                if ages is None:
                    ages = self._ages[view] = [0.0] * (len(AGE_S) + 2)
                ages[bisect_left(AGE_S, age_us / 1e6)] += 1
                ages[-1] += age_us / 1e6

    def unscored(self, release: str, rows: int) -> None:
        """Rows that a canary or a shadow could not score."""
        self._unscored[release] += rows

    def fell_back(self, release: str, kind: str, rows: int) -> None:
        """Rows that a fallback has answered in a release's place."""
        self._fallbacks[release, kind] += rows

    def refused(self, status: int, release: str = "") -> None:
        """One request answered with an error; the champion's, if it got as far as that."""
        self._errors[status] += 1
        if release:
            self._release_errors[release, status] += 1

    def appended(self, source: str, rows: int) -> None:
        """Rows that a stream has accepted, or had accepted already under the same key."""
        self._appended[source] += rows

    def append_answered(self, status: int) -> None:
        """One request to append rows answered."""
        self._appends[status] += 1

    def forget(self, but: Collection[str]) -> None:
        """Releases that are on the route no more; what they answered stays in the totals."""
        for release in self._answers.keys() - set(but):
            self._others.add(self._answers.pop(release))
        for one in [one for one in self._unscored if one not in but]:
            del self._unscored[one]
        for key in [key for key in self._release_errors if key[0] not in but]:
            del self._release_errors[key]
        for name in [name for name in self._fallbacks if name[0] not in but]:
            del self._fallbacks[name]

    def counts(self) -> Counts:
        """All of them, by family."""
        total = _Answers()
        for one in (*self._answers.values(), self._others):
            total.add(one)
        answered = sum(total.buckets)
        requests = Counter({200: answered}) + self._errors
        by_release: dict[tuple[str, ...], list[float]] = {
            (release, "200"): [sum(one.buckets)] for release, one in self._answers.items()
        }
        for (release, status), count in self._release_errors.items():
            by_release[release, str(status)] = [count]
        return {
            "trimtab_requests_total": _by(requests),
            "trimtab_request_errors_total": {(): [self._errors.total()]},
            "trimtab_latency_seconds": {(): [*total.buckets, total.sum_s]},
            "trimtab_release_requests_total": by_release,
            "trimtab_release_latency_seconds": {
                (release,): [*one.buckets, one.sum_s] for release, one in self._answers.items()
            },
            "trimtab_rows_total": {(release,): [one.rows] for release, one in self._answers.items()},
            "trimtab_unscored_rows_total": _by(self._unscored),
            "trimtab_fallback_answers_total": {key: [rows] for key, rows in self._fallbacks.items()},
            "trimtab_request_rows": {(): _histogram(self._request_rows)},
            "trimtab_batch_rows": {(): _histogram(self._batch_rows)},
            "trimtab_feature_missing_total": _by(self._missing),
            "trimtab_feature_stale_total": _by(self._stale),
            "trimtab_feature_age_seconds": {(view,): ages for view, ages in self._ages.items()},
            "trimtab_append_requests_total": _by(self._appends),
            "trimtab_appended_rows_total": _by(self._appended),
        }

    def _without(self, row: Answered) -> None:
        for view in row.missing:
            self._missing[view] += 1
        for view in row.stale:
            self._stale[view] += 1

    def _mixed(self, predictions: Sequence[Answered], latency_s: float) -> None:
        """A request whose rows several releases answered: it counts for each of them, and once in the totals."""
        first = predictions[0].release
        rows = Counter(map(attrgetter("release"), predictions))
        bucket = bisect_left(LATENCY_S, latency_s)
        self._answers[first].rows -= len(predictions) - rows.pop(first)
        for release, count in rows.items():
            found = self._answers.setdefault(release, _Answers())
            found.rows += count
            for one, times in ((found, 1), (self._others, -1)):
                one.buckets[bucket] += times
                one.sum_s += times * latency_s


def _by(counter: Counter[int] | Counter[str]) -> dict[tuple[str, ...], list[float]]:
    return {(str(key),): [count] for key, count in counter.items()}


def _histogram(counter: Counter[int]) -> list[float]:
    buckets = [0.0] * (len(ROWS) + 2)
    for rows, count in counter.items():
        buckets[bisect_left(ROWS, rows)] += count
        buckets[-1] += rows * count
    return buckets
