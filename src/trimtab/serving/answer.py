"""What a request is answered with, whatever protocol it came by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    fallback: str = ""  # kind of the fallback that answered, because the release could not


_COLUMNS = frozenset({"id", "key", "release", "score"})


class Answer(msgspec.Struct):
    """The answer to one request."""

    system: str
    generation: int
    predictions: list[Answered]


def details(one: Answered) -> dict[str, Any]:
    """What is told of a row beside its id, key, release and score."""
    told: dict[str, Any] = msgspec.to_builtins(one)
    return {name: value for name, value in told.items() if name not in _COLUMNS}
