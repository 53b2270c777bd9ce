"""A window on known time: what became known in (t - span, t]."""

from __future__ import annotations

from trimtab.features.windows.events import Events
from trimtab.features.windows.window import Window


class KnownTimeWindow(Window):
    """An event can be seen from its known time on: what is in the window was known at t."""

    def __init__(self, events: Events) -> None:
        super().__init__(events, events.known_us)
