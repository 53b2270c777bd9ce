"""What a request is answered with, whatever protocol it came by."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Answered(msgspec.Struct, omit_defaults=True):
    """One row's answer."""

    id: str
    key: str
    release: str  # that answered this row
    score: float
    missing: list[str]  # feature views that had no fact for this row, or too old a one
    stale: Mapping[str, int] = msgspec.field(default_factory=dict)  # those that had too old a one: its age_us
    null: list[str] = msgspec.field(default_factory=list)  # features without a value, of views that are not missing


class Answer(msgspec.Struct):
    """The answer to one request."""

    system: str
    generation: int
    predictions: list[Answered]
