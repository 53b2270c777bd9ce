"""When fallbacks begin to answer for a release, and when they end: a line each, for whoever is to be woken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from trimtab.kernel.canonical import short
from trimtab.serving.reporting import Event

CALM_S = 5.0  # without a fallback's answer, until it is said that they have ended


class FallbackNews:
    """Of one worker; there is one release at a time that needs them.

    Args:
        report: takes the lines.
        calm_s: how long no row has needed a fallback when they are said to have ended.
    """

    def __init__(self, report: Callable[[str], None], calm_s: float = CALM_S) -> None:
        self._report = report
        self._calm_s = calm_s
        self._release = ""
        self._began_s = self._last_s = 0.0
        self._rows: Counter[str] = Counter()

    def fell_back(self, release: str, cause: str, rows: Mapping[str, int]) -> None:
        """Rows of each kind were answered in a release's place."""
        now_s = time.monotonic()
        self.follow(release)
        if not self._release:
            self._release, self._began_s = release, now_s
            kinds = ", ".join(rows)
            text = f"release {short(release)} cannot answer ({cause}): answers come from its fallbacks ({kinds})"
            self._report(Event(text, "fallback.began", "error"))
        self._last_s = now_s
        self._rows.update(rows)

    def healthy(self) -> None:
        """Rows were answered without any."""
        if self._release and time.monotonic() - self._last_s >= self._calm_s:
            self._end("answers by itself again")

    def follow(self, release: str) -> None:
        """This release is to answer from now on."""
        if self._release not in ("", release):
            self._end("answers no more")

    def _end(self, how: str) -> None:
        kinds = ", ".join(f"{kind} {rows:,}" for kind, rows in self._rows.items())
        lasted_s = self._last_s - self._began_s
        text = f"release {short(self._release)} {how}; for {lasted_s:.0f} s its fallbacks answered rows: {kinds}"
        self._report(Event(text, "fallback.ended", "warning"))
        self._release, self._rows = "", Counter()
