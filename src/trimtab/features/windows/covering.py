"""Windows the other way round: for each event, which questions hold it.

Sorted by (group, instant), the questions that hold an event are a run of places, whatever the kind of window, the
delays and the corrections. What cannot be had as a difference of running sums is found on those runs.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trimtab.features.windows.events import Ints

_Number = TypeVar("_Number", np.int64, np.float64)


class Covering:
    """Runs of questions, one for each event that at least one question holds."""

    def __init__(self, group: Ints, from_us: Ints, to_us: Ints, asked: Ints, at_us: Ints) -> None:
        """Find them.

        Args:
            group: of each event.
            from_us: it is held by the questions of its group from then on …
            to_us: … and before then.
            asked: the group of each question.
            at_us: its instant.
        """
        times = np.sort(at_us)
        width = np.int64(len(times) + 1)
        keys = asked * width + np.searchsorted(times, at_us)
        self._order = np.argsort(keys, kind="stable")
        keys = keys[self._order]
        first = np.searchsorted(keys, group * width + np.searchsorted(times, from_us))
        last = np.searchsorted(keys, group * width + np.searchsorted(times, to_us))
        [self.event] = np.nonzero(first < last)
        self._first = first[self.event]
        self._last = last[self.event]  # the first place behind the run

    def largest(self, weight: NDArray[_Number], none: _Number) -> NDArray[_Number]:
        """The largest weight of the events that each question holds; `weight` has one for each of `event`.

        Each run is covered by two of a power of two; the weights of such runs are handed down to their halves.
        """
        level = np.frexp(self._last - self._first)[1] - 1
        best = np.full(len(self._order), none)
        by_level = np.argsort(level, kind="stable")
        edges = np.searchsorted(level[by_level], np.arange(level.max(initial=0) + 2))
        for one in reversed(range(len(edges) - 1)):
            here = by_level[edges[one] : edges[one + 1]]
            np.maximum.at(best, self._first[here], weight[here])
            np.maximum.at(best, self._last[here] - (1 << one), weight[here])
            if one:
                half = 1 << (one - 1)
                handed = best.copy()
                np.maximum(handed[half:], best[:-half], out=handed[half:])
                best = handed
        return self._asked(best)

    def distinct(self, value: Ints) -> Ints:
        """How many values there are among the events that each question holds, `value` being one of each `event`.

        Overlapping runs of one value are joined into one; then runs are counted.
        """
        order = np.lexsort((self._first, value))
        # Values rise, so that the running maximum begins anew with each.
        shift = value[order] * np.int64(len(self._order) + 1)
        first, last = self._first[order] + shift, self._last[order] + shift
        reached = np.maximum.accumulate(last)
        opens = np.concatenate([[True], first[1:] > reached[:-1]])[: len(first)]
        closes = np.concatenate([opens[1:], [True]])[: len(first)]
        places = len(self._order) + 1
        opened = np.bincount((first - shift)[opens], minlength=places)
        closed = np.bincount((reached - shift)[closes], minlength=places)
        return self._asked((opened - closed).cumsum()[:-1])

    def nth(self, value: NDArray[np.float64], nth: Ints) -> NDArray[np.float64]:
        """The value that is the nth (from 0) in ascending order among the events that each question holds.

        Args:
            value: one for each of `event`.
            nth: for each question, less than the number of its events, or anything where there are none.

        The events that a question holds are those whose run has begun less those whose run has ended: two prefixes.
        Both are descended together, from the highest bit of a value's rank to the lowest (a wavelet matrix each).
        """
        if not len(self.event):
            return np.full(len(nth), np.nan)
        ascending = np.argsort(value, kind="stable")
        rank = np.empty(len(ascending), np.int64)
        rank[ascending] = np.arange(len(ascending))
        begun, ended = self._prefixes
        left = nth[self._order]
        found = np.zeros(len(left), np.int64)
        first, last = rank[np.argsort(self._first, kind="stable")], rank[np.argsort(self._last, kind="stable")]
        for bit in reversed(range((len(rank) - 1).bit_length())):
            (low_begun, begun_high, first), (low_ended, ended_high, last) = (
                _parted(one, bit, places) for one, places in ((first, begun), (last, ended))
            )
            high = left >= low_begun - low_ended
            left = left - np.where(high, low_begun - low_ended, 0)
            begun, ended = np.where(high, begun_high, low_begun), np.where(high, ended_high, low_ended)
            found |= high.astype(np.int64) << bit
        return self._asked(value[ascending[np.minimum(found, len(ascending) - 1)]])

    @cached_property
    def _prefixes(self) -> tuple[Ints, Ints]:
        """How many runs have begun and have ended at each place."""
        places = len(self._order)
        begun = np.bincount(self._first, minlength=places)[:places].cumsum()
        return begun, np.bincount(self._last, minlength=places + 1)[:places].cumsum()

    def _asked(self, found: NDArray[_Number]) -> NDArray[_Number]:
        """From the sorted questions to the order in which they were asked."""
        out = np.empty_like(found)
        out[self._order] = found
        return out


def _parted(rank: Ints, bit: int, places: Ints) -> tuple[Ints, Ints, Ints]:
    """Where prefixes go in the next row of a wavelet matrix, if low and if high, and that row."""
    high = ((rank >> bit) & 1).astype(np.bool_)
    lows = np.concatenate([[0], (~high).cumsum()])
    low = lows[places]
    return low, lows[-1] + places - low, np.concatenate([rank[~high], rank[high]])
