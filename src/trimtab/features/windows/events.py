"""Events with two times, and counting those of a group up to an instant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.exact_sum import Digits, digits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """Measured values with their group and times; arrays of shape (n,), times in microseconds."""

    group: Ints
    event_us: Ints
    known_us: Ints
    value: Floats  # finite

    @cached_property
    def digits(self) -> Digits:
        """The values as they are summed."""
        return digits(self.value)


class Window(Protocol):
    """One kind of window over fixed events."""

    def __init__(self, events: Events) -> None: ...

    def totals(self, group: Ints, at_us: Ints, span_us: int) -> tuple[Ints, Floats]:
        """Count and sum of the events in each question's window, shape (m,) each."""
        ...


class Running:
    """Counts and sums of the events of a group whose time is at most t, by two binary searches."""

    def __init__(self, group: Ints, time_us: Ints, whole: Ints) -> None:
        # A rank in place of the time keeps (group, time) in one 64-bit key for any number of groups.
        self._times = np.sort(time_us)
        keys = self._key(group, np.searchsorted(self._times, time_us, side="right"))
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        before = np.zeros((1, whole.shape[1]), np.int64)
        self._sums = np.concatenate([before, whole[order].cumsum(axis=0)])

    def upto(self, group: Ints, at_us: Ints) -> tuple[Ints, Ints]:
        """Count and sums over all events sorted before (group, at]: meaningful as differences within a group."""
        ranks = np.searchsorted(self._times, at_us, side="right")
        place = np.searchsorted(self._keys, self._key(group, ranks), side="right")
        return place.astype(np.int64), self._sums[place]

    def _key(self, group: Ints, rank: NDArray[np.intp]) -> Ints:
        return group * np.int64(len(self._times) + 1) + rank
