"""A release loaded into a worker: entity keys and request fields in, features looked up, scores out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.kernel.canonical import Json, JsonMap


@dataclass(frozen=True)
class Answers:
    """What a release says to some rows; all lists are in the order of the rows."""

    scores: list[float]
    features: list[list[Json]]  # per row, in the order of `feature_names`; null is missing
    ages_us: list[list[int | None]]  # per row, in the order of `view_names`; null: the view had no fact


class ServedRelease(Protocol):
    """One method: a release answers rows."""

    digest: str
    feature_names: tuple[str, ...]
    view_names: tuple[str, ...]
    key: str  # the request field that names the row, e.g. "flight_id"

    def answer(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> Answers:
        """Answer each row as of its own instant (microseconds since 1970 UTC).

        Raises:
            RequestInvalid: a field is missing or has the wrong type.
        """
        ...


class ReleaseLoader(Protocol):
    """Loads a release, verified by digest."""

    def __call__(self, digest: str) -> ServedRelease:
        """The release, ready to answer."""
        ...
