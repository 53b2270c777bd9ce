"""Measures by name."""

from __future__ import annotations

from trimtab.features.measures import MEASURES, Measure, percentile
from trimtab.kernel.errors import UnknownName

PERCENTILES = "p1 to p99 (also p99.9)"


def find_measure(name: str) -> Measure | None:
    """One of those with a name of their own, or a percentile; None if there is none of that name."""
    return MEASURES.get(name) or percentile(name)


def measure(name: str) -> Measure:
    """The same.

    Raises:
        UnknownName: there is none.
    """
    found = find_measure(name)
    if found is None:
        raise UnknownName("measure", name, [*MEASURES, PERCENTILES], do="use one of the measures listed")
    return found
