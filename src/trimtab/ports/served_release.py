"""A release loaded into a worker: entity keys and request fields in, features looked up, scores out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.fallback import Fallback
from trimtab.ports.feature_reader import FeatureBlock


class ServedRelease(Protocol):
    """Two methods, since releases with one definition of their features share what was looked up."""

    digest: str
    definition: str  # of its features: equal for releases that look up the same
    view_names: tuple[str, ...]
    feature_names: tuple[str, ...]  # 'view.column', in the order of their values
    key: str  # the request field that names the row, e.g. "flight_id"
    request: tuple[tuple[str, str], ...]  # (field, Polars type) of what a row carries
    fallback: Sequence[Fallback]  # what answers, in this order, where it cannot

    def look_up(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """The features of each row as of its own instant (microseconds since 1970 UTC).

        Raises:
            RequestInvalid: a field is missing or has the wrong type.
        """
        ...

    def score(self, block: FeatureBlock) -> list[float]:
        """What the model says to each row."""
        ...


class ReleaseLoader(Protocol):
    """Loads a release, verified by digest."""

    def __call__(self, digest: str) -> ServedRelease:
        """The release, ready to answer."""
        ...
