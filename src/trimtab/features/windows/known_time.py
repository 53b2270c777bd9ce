"""A window on known time: what became known in (t - span, t]."""

from __future__ import annotations

from trimtab.features.windows.events import Events, Floats, Ints, Running
from trimtab.stats.exact_sum import Digits, number


class KnownTimeWindow:
    """Two look-ups in the events sorted by known time."""

    def __init__(self, events: Events) -> None:
        self._lowest = events.digits.lowest
        self._known = Running(events.group, events.known_us, events.digits.whole)

    def totals(self, group: Ints, at_us: Ints, span_us: int) -> tuple[Ints, Floats]:
        """Count and sum of each question's window."""
        count, total = self._known.upto(group, at_us)
        before, total_before = self._known.upto(group, at_us - span_us)
        return count - before, number(Digits(total - total_before, self._lowest))
