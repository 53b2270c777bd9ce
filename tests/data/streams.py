"""A stream for tests, and a clock that they turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

import trimtab as tt
from trimtab.data.stream_file import declarations
from trimtab.data.streams import InboxStreams
from trimtab.ports.clock import Clock

INSTANT = pl.Datetime("us", "UTC")
START = datetime(2013, 4, 1, tzinfo=UTC)
CLICKS = tt.Source(
    "clicks",
    tt.stream(
        {
            "click_id": pl.String,
            "clicked_at": INSTANT,
            "received_at": INSTANT,
            "seconds": pl.Float64,
            "position": pl.Int8,
            "device": pl.Enum(["phone", "desk"]),
            "tags": pl.List(pl.String),
        }
    ),
    event_time="clicked_at",
    known_time="received_at",
    key="click_id",
)


@dataclass
class TurnedClock:
    """Stands still until a test moves it, or goes on by a step at every look."""

    at: datetime = START
    step: timedelta = timedelta()

    def now(self) -> datetime:
        self.at += self.step
        return self.at


def click(number: object = 0, **given: Any) -> dict[str, Any]:
    """A row."""
    return {"click_id": f"c{number}", "clicked_at": "2013-03-31T23:59:59+00:00"} | given


def open_streams(project: Path, clock: Clock, *sources: tt.Source) -> InboxStreams:
    """The streams of a project."""
    return InboxStreams(project, declarations(sources or [CLICKS]), clock)
