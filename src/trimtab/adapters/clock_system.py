"""The machine's clock: the only place where wall time enters."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Implements Clock."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)
