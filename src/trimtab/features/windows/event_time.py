"""A window on event time, of what was known at t: event time in (t - span, t] and known time at most t."""

from __future__ import annotations

from trimtab.features.windows.events import Events
from trimtab.features.windows.window import Window


class EventTimeWindow(Window):
    """Exact for facts that come late, by any delay."""

    def __init__(self, events: Events) -> None:
        super().__init__(events, events.event_us)
