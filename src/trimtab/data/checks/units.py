"""Units: a column's numbers must not be those of another unit all at once. Every source has this check.

It is a guess from what deliveries were like: a source that does not declare it is told of, and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from trimtab.data.checks.check import Delivery, Finding, wrong_action
from trimtab.data.units import changed_units
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Units:
    """Judged by what the column's deliveries were like so far."""

    action: str
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        return "units()"

    def problems(self, source: Source, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:  # noqa: ARG002
        """What is wrong with its settings."""
        yield from wrong_action(self, self.place, ("warn", "block"))

    def find(self, delivery: Delivery) -> Finding | None:
        """Columns of the delivery against their past."""
        changed = changed_units(delivery.past, delivery.columns)
        return Finding("; ".join(changed)) if changed else None


def units(*, action: str = "block") -> Units:
    """What becomes of a delivery in which the unit of a column has changed. Sources that say nothing are warned.

    Args:
        action: "block" or "warn".
    """
    return Units(action, caller())
