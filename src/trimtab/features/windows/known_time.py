"""A window on known time: what became known in (t - span, t]."""

from __future__ import annotations

from trimtab.features.windows.events import Events, Floats, Ints, Running


class KnownTimeWindow:
    """Two look-ups in the events sorted by known time."""

    def __init__(self, events: Events) -> None:
        self._known = Running(events.group, events.known_us, events.value)

    def totals(self, group: Ints, at_us: Ints, span_us: int) -> tuple[Ints, Floats]:
        """Count and sum of each question's window."""
        count, total = self._known.upto(group, at_us)
        before, total_before = self._known.upto(group, at_us - span_us)
        return count - before, total - total_before
