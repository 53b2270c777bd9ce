"""Retention: how long a system's predictions are kept in the table, and which share of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.moment import aware, duration, duration_text
from trimtab.kernel.place import caller
from trimtab.kernel.route import BUCKETS


@dataclass(frozen=True)
class Retention:
    """Declared once a system. Without one, every prediction is kept for ever."""

    keep: str | timedelta | None = None  # None: for ever
    sample: float = 1.0  # of the keys, above 0 to 1
    place: str = ""

    @property
    def span(self) -> timedelta | None:
        """How long a day is kept after its end; None: for ever."""
        return None if self.keep is None else duration(self.keep, "keep")

    @property
    def buckets(self) -> int:
        """Of BUCKETS, whose keys are kept."""
        return round(self.sample * BUCKETS)

    @property
    def words(self) -> str:
        """As it is declared.

        >>> Retention("400d", 0.1).words, Retention().words
        ('keep=400d, sample=0.1', 'keep everything')
        """
        span = self.span
        parts = [] if span is None else [f"keep={duration_text(span)}"]
        parts += [] if self.buckets == BUCKETS else [f"sample={self.sample:g}"]
        return ", ".join(parts) or "keep everything"

    def body(self) -> dict[str, Json]:
        """What the ledger keeps of the declaration."""
        span = self.span
        return {"keep": None if span is None else duration_text(span), "sample": self.sample}

    def draws(self, system: str, key: str) -> bool:
        """Whether a key is of the sample: a pure function, so that all answers about one key stay or go together.

        A larger sample holds every smaller one. The salt is not a rollout's: who is kept says nothing of who was
        answered by a canary.
        """
        drawn = blake2b(f"retention/{system}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn, "big") % BUCKETS < self.buckets

    def problems(self) -> Iterator[TrimtabError]:
        """What is wrong with its settings."""
        if self.keep is not None:
            try:
                if duration(self.keep, "keep") < timedelta(days=1):
                    yield InvalidValue(
                        "keep", self.keep, allowed="one day or more: whole days are kept", where=self.place
                    )
            except TrimtabError as error:
                yield error.at(self.place)
        if not _is_share(self.sample):
            allowed = f"a share above 0 to 1, in steps of {1 / BUCKETS:g}"
            yield InvalidValue("sample", self.sample, allowed=allowed, where=self.place)


def retention(*, keep: str | timedelta | None = None, sample: float = 1.0) -> Retention:
    """How long predictions are kept in the log, and which share of them.

    Every answer is recorded before it leaves, whatever is said here. What is not of the sample is left out when
    the segments move into the table; the day's partition leaves the table, and the disk, when it is older than
    `keep`. Always kept, whatever the sample: answers under a route with a canary or a shadow, answers that more
    than one release scored, fallback answers, and batches.

    Args:
        keep: how long a whole day is kept after its end, e.g. "400d"; None: for ever.
        sample: the share of the keys, e.g. 0.1; all predictions of one key are kept, or none.
    """
    return Retention(keep, sample, caller())


KEEP_EVERYTHING = Retention()


def first_kept(policy: Retention, now: datetime) -> date | None:
    """The first day, in UTC, that is to be kept at `now`; None: all are.

    A day is kept until `keep` has passed since its end.
    """
    span = policy.span
    if span is None:
        return None
    try:
        return (aware(now) - span).date()
    except OverflowError:  # longer than there are dates
        return None


def expired_days(policy: Retention, now: datetime, days: Iterable[date]) -> list[date]:
    """Which of the days that are there are to go: a pure function, so that it can be replayed.

    >>> from datetime import UTC
    >>> expired_days(Retention("2d"), datetime(2013, 4, 5, 23, tzinfo=UTC), [date(2013, 4, 2), date(2013, 4, 3)])
    [datetime.date(2013, 4, 2)]
    """
    first = first_kept(policy, now)
    return [] if first is None else sorted({day for day in days if day < first})


def _is_share(sample: object) -> bool:
    if not isinstance(sample, int | float) or isinstance(sample, bool) or not 0 < sample <= 1:
        return False
    return abs(sample * BUCKETS - round(sample * BUCKETS)) < 1e-6
