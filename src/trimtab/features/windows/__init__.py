"""Window kinds: one file each."""

from trimtab.features.windows.event_time import EventTimeWindow
from trimtab.features.windows.events import Events, Window
from trimtab.features.windows.known_time import KnownTimeWindow

WINDOWS: dict[str, type[Window]] = {"known_time": KnownTimeWindow, "event_time": EventTimeWindow}

__all__ = ["WINDOWS", "EventTimeWindow", "Events", "KnownTimeWindow", "Window"]
