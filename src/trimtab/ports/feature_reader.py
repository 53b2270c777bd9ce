"""Features at request time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.lazily import Lazily
from trimtab.ports.typed_rows import SentNumbers


@dataclass(frozen=True)
class FeatureBlock:
    """Features of some rows; all lists are in the order of the rows."""

    values: Sequence[Sequence[Json]]  # per row, in the order of `names`; null is missing
    ages_us: Sequence[Sequence[int | None]]  # per row, in the order of `views`; null: no fact, or it was too old
    # By row and view: the age of a newest fact that was too old. Rows without one are left out.
    stale_us: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    numbers: NDArray[np.float64] | None = None  # `values`, where it is known that none is text or missing
    sent: SentNumbers | None = None  # what of typed rows `numbers` are, if nothing was done with them


@dataclass(frozen=True)
class PartBlock(FeatureBlock):
    """Features of some rows of a block."""

    whole: FeatureBlock = field(kw_only=True)


def part(whole: FeatureBlock, rows: Sequence[int]) -> PartBlock:
    """The rows with these numbers, in their order."""
    stale_us = {}
    if whole.stale_us:
        stale_us = {place: whole.stale_us[row] for place, row in enumerate(rows) if row in whole.stale_us}
    values = Lazily(rows, whole.values.__getitem__)
    ages_us = Lazily(rows, whole.ages_us.__getitem__)
    numbers = None if whole.numbers is None else whole.numbers.take(rows, axis=0)
    return PartBlock(values, ages_us, stale_us, numbers, whole=whole)


def merged(rows: int, *some: tuple[Sequence[int], FeatureBlock]) -> FeatureBlock:
    """Blocks of some rows each, with the rows' numbers, as one of all; a row of none of them has no values."""
    values: list[Sequence[Json]] = [[] for _ in range(rows)]
    ages_us: list[Sequence[int | None]] = [[] for _ in range(rows)]
    stale: dict[int, dict[str, int]] = {}
    for places, block in some:
        for place, number in enumerate(places):
            values[number], ages_us[number] = block.values[place], block.ages_us[place]
        stale.update({places[place]: dict(ages) for place, ages in block.stale_us.items()})
    return FeatureBlock(values, ages_us, stale)


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
