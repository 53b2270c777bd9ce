"""Which events a window holds at t: its own time in (t - span, t], known at t, and not corrected by then.

With v = max(own time, known time), the instant from which an event can be seen, and u, the instant at which a newer
version of the same fact became known, an event is in the window for t in [v, end), end = min(own time + span, u).
C_v(t) - C_end(t) of them do, where C_x(t) is the number of events with x <= t. For most events end is own time +
span, so that one sort by own time serves every span: C_v(t) - C_own(t - span). Only for those that are cut short,
being late by more than the span (end before v) or corrected, C_own(t - span) - C_end(t) is added.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from trimtab.features.windows.covering import Covering
from trimtab.features.windows.events import Events, Floats, Ints, Running
from trimtab.stats.exact_sum import Digits, number

_Term = tuple[int, Running, Ints]  # sign, sums of events, how many of them: for each question


class Window:
    """Windows of one kind over fixed events, for any questions and spans."""

    def __init__(self, events: Events, time_us: Ints) -> None:
        """Prepare; `time_us` is the time of each event that has to lie in the window."""
        self.events = events
        self.time_us = time_us
        self.seen_us = np.maximum(time_us, events.known_us)
        self._cut: dict[int, tuple[Running, Running] | None] = {}

    def members(self, group: Ints, at_us: Ints, span_us: int) -> Members:
        """What each question's window holds."""
        return Members(self, group, at_us, span_us)

    @cached_property
    def seen(self) -> Running:
        """Of all events by the instant from which they can be seen."""
        return Running(self.events, self.seen_us)

    @cached_property
    def timed(self) -> Running:
        """Of all events by their own time."""
        same = np.array_equal(self.time_us, self.seen_us)
        return self.seen if same else Running(self.events, self.time_us)

    def ends_us(self, span_us: int) -> Ints:
        """When each event has left the window, or before it came into sight if it is never in it."""
        plain = self.time_us + span_us
        return plain if self.events.until_us is None else np.minimum(plain, self.events.until_us)

    def cut(self, span_us: int) -> tuple[Running, Running] | None:
        """Of the events that are cut short by own time and by end; None if there are none."""
        if span_us not in self._cut:
            end_us = np.maximum(self.ends_us(span_us), self.seen_us)
            [short] = np.nonzero(end_us != self.time_us + span_us)
            self._cut[span_us] = (
                (Running(self.events, self.time_us[short], short), Running(self.events, end_us[short], short))
                if len(short)
                else None
            )
        return self._cut[span_us]


class Members:
    """The events in the window of each of m questions: what measures are made of, each part computed once."""

    def __init__(self, window: Window, group: Ints, at_us: Ints, span_us: int) -> None:
        self.events = window.events
        self._window = window
        self._group = group
        self._at_us = at_us
        self._span_us = span_us

    @cached_property
    def count(self) -> Ints:
        """How many they are, shape (m,)."""
        zeros = np.zeros(len(self._at_us), np.int64)
        return sum((sign * places for sign, _, places in self._terms), zeros)

    @cached_property
    def sums(self) -> Digits:
        """Their sum, exactly."""
        terms = (sign * running.sums[places] for sign, running, places in self._terms)
        whole = np.zeros((len(self._at_us), self.events.digits.whole.shape[1]), np.int64)
        return Digits(sum(terms, whole), self.events.digits.lowest)

    @cached_property
    def squares(self) -> Digits:
        """The sum of their squares, exactly."""
        terms = (sign * running.squares[places] for sign, running, places in self._terms)
        whole = np.zeros((len(self._at_us), self.events.squares.whole.shape[1]), np.int64)
        return Digits(sum(terms, whole), self.events.squares.lowest)

    @cached_property
    def total(self) -> Floats:
        """Their sum, shape (m,)."""
        return number(self.sums)

    @cached_property
    def covering(self) -> Covering:
        """Which questions hold each event."""
        window = self._window
        ends_us = window.ends_us(self._span_us)
        return Covering(window.events.group, window.seen_us, ends_us, self._group, self._at_us)

    @cached_property
    def _terms(self) -> list[_Term]:
        window, group, at_us = self._window, self._group, self._at_us
        before_us = at_us - self._span_us
        terms = [
            (1, window.seen, window.seen.upto(group, at_us)),
            (-1, window.timed, window.timed.upto(group, before_us)),
        ]
        cut = window.cut(self._span_us)
        if cut is not None:
            timed, ended = cut
            terms += [(1, timed, timed.upto(group, before_us)), (-1, ended, ended.upto(group, at_us))]
        return terms
