"""The screen of a server whose reports a machine reads: each thing that is said is one JSON object on a line."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import datetime

from trimtab.cli.screen import Screen
from trimtab.kernel.happening import Happening, Mark
from trimtab.serving.reporting import Level, json_line

_LEVELS: dict[Mark, Level] = {
    "good": "info",
    "step": "info",
    "routine": "info",
    "unsure": "warning",
    "bad": "error",
}


class JsonLines(Screen):
    """In place of a Screen, for what a server says while it runs."""

    def __init__(self, system: str) -> None:
        super().__init__()
        self._system = system

    def title(self, text: str, below: str = "") -> None:
        """What begins."""
        self._line(text + (f": {below}" if below else ""), "server.said")

    def note(self, text: str) -> None:
        """A line; an Event says itself what it is."""
        self._line(text, "server.said")

    def told(self, at: datetime, one: Happening) -> None:  # noqa: ARG002 - the line has its own time
        """A happening of the loop."""
        self._line(one.text, f"loop.{one.stage}", _LEVELS[one.mark])

    def _line(self, text: str, event: str, level: Level = "info") -> None:
        with suppress(OSError):
            print(json_line(text, system=self._system, event=event, level=level), file=sys.stdout, flush=True)
