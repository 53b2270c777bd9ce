"""Events with two times, and counting those of a group up to an instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.exact_square import squares
from trimtab.stats.exact_sum import Digits, digits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kind = Literal["number", "boolean", "text"]

NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Events:
    """Measured values with their group and times; arrays of shape (n,), times in microseconds.

    Their order is the order of arrival.
    """

    group: Ints
    event_us: Ints
    known_us: Ints
    value: Floats  # finite; places in `words` where the column is text, 0 and 1 where it is boolean
    until_us: Ints | None = None  # when a newer version of the fact became known, or NEVER; None: NEVER for all
    kind: Kind = "number"
    words: Sequence[str] = ()

    @cached_property
    def digits(self) -> Digits:
        """The values as they are summed."""
        return digits(self.value)

    @cached_property
    def squares(self) -> Digits:
        """Their squares as they are summed."""
        return squares(self.value)


class Running:
    """Sums over the events of a group whose time is at most t, by one binary search a question."""

    def __init__(self, events: Events, time_us: Ints, member: NDArray[np.intp] | None = None) -> None:
        """Sort by time; `member` are the events meant, and `time_us` has one time for each of those."""
        self._events = events
        group = events.group if member is None else events.group[member]
        # A rank in place of the time keeps (group, time) in one 64-bit key for any number of groups.
        self._times = np.sort(time_us)
        keys = self._key(group, np.searchsorted(self._times, time_us, side="right"))
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._order = order if member is None else member[order]

    def upto(self, group: Ints, at_us: Ints) -> Ints:
        """How many events sort before (group, at]: meaningful as differences within a group."""
        ranks = np.searchsorted(self._times, at_us, side="right")
        return np.searchsorted(self._keys, self._key(group, ranks), side="right").astype(np.int64)

    @cached_property
    def sums(self) -> Ints:
        """By such a number: the sum of the digits of that many events."""
        return _summed(self._events.digits.whole[self._order])

    @cached_property
    def squares(self) -> Ints:
        """By such a number: the sum of the squares of that many events."""
        return _summed(self._events.squares.whole[self._order])

    def _key(self, group: Ints, rank: NDArray[np.intp]) -> Ints:
        return group * np.int64(len(self._times) + 1) + rank


def _summed(whole: Ints) -> Ints:
    before = np.zeros((1, whole.shape[1]), np.int64)
    return np.concatenate([before, whole.cumsum(axis=0)])
