"""A period to live through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Period:
    """History first, then production step by step."""

    history: tuple[datetime, ...]  # ticks before the first release; the last one is when it is trained
    until: datetime  # questions are asked up to here
    settled: datetime  # the last tick: late labels have come by then
    step: timedelta
    zone: str  # of its calendar
    offset: timedelta = timedelta()  # of the first step's end from the start; 0: a whole step

    @property
    def start(self) -> datetime:
        """When the first release goes live."""
        return self.history[-1]

    def steps(self) -> Iterator[tuple[datetime, datetime]]:
        """(after, upto] of each step of production."""
        now, length = self.start, self.offset or self.step
        while now < self.until:
            following = min(now + length, self.until)
            yield now, following
            now, length = following, self.step
