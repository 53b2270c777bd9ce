"""A pointer: the one mutable thing. It names an immutable record, and remembers what it named before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Pointer:
    """Where a name points, since when, and how often it has moved."""

    name: str  # "route/flight-delay", "source/weather"
    value: str  # the id of an immutable record
    generation: int  # 1, 2, 3, …: raised by one at each move
    moved_at: datetime
    ledger_seq: int  # the entry that says why
