"""Window kinds: one file each."""

from trimtab.features.windows.event_time import EventTimeWindow
from trimtab.features.windows.events import Events
from trimtab.features.windows.known_time import KnownTimeWindow
from trimtab.features.windows.window import Members, Window

WINDOWS: dict[str, type[KnownTimeWindow] | type[EventTimeWindow]] = {
    "known_time": KnownTimeWindow,
    "event_time": EventTimeWindow,
}

__all__ = ["WINDOWS", "EventTimeWindow", "Events", "KnownTimeWindow", "Members", "Window"]
