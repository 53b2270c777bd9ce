"""The clock is an argument."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """One method: what time is it."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...
