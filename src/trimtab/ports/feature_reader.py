"""Features at request time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trimtab.kernel.canonical import Json, JsonMap


@dataclass(frozen=True)
class FeatureBlock:
    """Features of some rows; all lists are in the order of the rows."""

    values: list[list[Json]]  # per row, in the order of `names`; null is missing
    ages_us: list[list[int | None]]  # per row, in the order of `views`; null: no fact was found, or it was too old
    # By row and view: the age of a newest fact that was too old. Rows without one are left out.
    stale_us: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


class FeatureReader(Protocol):
    """One method: read."""

    names: tuple[str, ...]
    views: tuple[str, ...]

    def read(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """Features of each row as of its own instant, from what was known then.

        Raises:
            RequestInvalid: a field is missing, unknown or of the wrong type.
        """
        ...
