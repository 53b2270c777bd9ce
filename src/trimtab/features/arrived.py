"""New rows of a source, read and put into numbers once for all aggregations that project them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.corrections import UNTIL, with_corrections
from trimtab.features.online_events import NO_FACT, fact_of
from trimtab.features.window_values import us
from trimtab.features.windows.events import NEVER, Ints
from trimtab.kernel.source import Source

PLACE = "_place"  # of a row in the arrays


@dataclass(frozen=True)
class Arrived:
    """Rows in the order of arrival, each with its place; arrays of shape (rows,)."""

    rows: pl.DataFrame
    fact: Ints
    event_us: Ints
    known_us: Ints
    until_us: Ints  # when a newer version of the row's fact became known, or NEVER

    @cached_property
    def seen_us(self) -> Ints:
        """When each came into sight."""
        return np.maximum(self.event_us, self.known_us)

    @cached_property
    def first(self) -> Ints:
        """Of each fact the place of the version that became known first."""
        order = np.lexsort((self.known_us, self.fact))
        fact = self.fact[order]
        begins = np.concatenate([[True], fact[1:] != fact[:-1]]) if len(fact) else np.empty(0, bool)
        places: Ints = order[begins & (fact != NO_FACT)]
        return places


def arrived(source: Source, rows: pl.LazyFrame, views: Iterable[Aggregation]) -> Arrived:
    """Read what some aggregations need of a source's rows.

    Args:
        source: of the rows.
        rows: in the order of arrival.
        views: aggregations of it.
    """
    columns = dict.fromkeys(column for view in views for column in view.reads)
    found = with_corrections(source, rows.select(*columns).collect())
    never = np.full(found.height, NEVER, np.int64)
    return Arrived(
        rows=found.with_row_index(PLACE),
        fact=fact_of(found, source.keys),
        event_us=us(found[source.event_time]),
        known_us=us(found[source.known]),
        until_us=found[UNTIL].to_numpy() if UNTIL in found.columns else never,
    )
