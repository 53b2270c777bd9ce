"""A window on event time, of what was known at t: event time in (t - span, t] and known time at most t.

Two conditions on two times look like a search in the plane, but four searches on a line are enough. Let
v = max(event, known), the instant from which a fact can be seen. With C_v(t) the number of facts of v <= t and
C_e likewise on event time, C_v(t) - C_e(t - span) counts the window, less those facts that are older than it
and not yet visible: event <= t - span < t < v. Such a fact is late by more than the span. Of the late facts
alone, the number with event + span <= t < v is C'_e(t - span) - C'_v(t).
"""

from __future__ import annotations

import numpy as np

from trimtab.features.windows.events import Events, Floats, Ints, Running
from trimtab.stats.exact_sum import Digits, number


class EventTimeWindow:
    """Exact for facts that come late, by any delay."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._visible_us = np.maximum(events.event_us, events.known_us)
        self._whole = events.digits.whole
        self._visible = Running(events.group, self._visible_us, self._whole)
        self._event = Running(events.group, events.event_us, self._whole)
        self._late: dict[int, tuple[Running, Running]] = {}

    def totals(self, group: Ints, at_us: Ints, span_us: int) -> tuple[Ints, Floats]:
        """Count and sum of each question's window."""
        late_event, late_visible = self._late_by(span_us)
        terms = [
            (1, self._visible.upto(group, at_us)),
            (-1, self._event.upto(group, at_us - span_us)),
            (1, late_event.upto(group, at_us - span_us)),
            (-1, late_visible.upto(group, at_us)),
        ]
        count = sum((sign * places for sign, (places, _) in terms), np.zeros(len(at_us), np.int64))
        total = sum((sign * sums for sign, (_, sums) in terms), np.zeros_like(terms[0][1][1]))
        return count, number(Digits(total, self._events.digits.lowest))

    def _late_by(self, span_us: int) -> tuple[Running, Running]:
        if span_us not in self._late:
            events = self._events
            late = self._visible_us > events.event_us + span_us
            self._late[span_us] = (
                Running(events.group[late], events.event_us[late], self._whole[late]),
                Running(events.group[late], self._visible_us[late], self._whole[late]),
            )
        return self._late[span_us]
