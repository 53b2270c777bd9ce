"""Corrections: rows with one key are versions of one fact, and at any instant only the newest one known counts.

A version counts from when it became known until the next one did; of versions known at the same instant the one
that arrived last counts. A row with a null in its key is a fact of its own.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from trimtab.features.windows.events import NEVER, Ints
from trimtab.kernel.source import Source

UNTIL = "_until_us"


def with_corrections(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, in their order, less those that lack a time; where a key repeats, with `_until_us`."""
    if any(rows[name].null_count() for name in (source.event_time, source.known)):
        rows = rows.drop_nulls([source.event_time, source.known])
    until_us = corrected_us(rows, source.keys, source.known)
    return rows if until_us is None else rows.with_columns(pl.Series(UNTIL, until_us))


def seen_after(source: Source, rows: pl.LazyFrame, after_us: int) -> pl.LazyFrame:
    """The rows that came into sight after an instant, and those that correct one of them.

    A correction that was in sight by then matters only to a version known by then whose event was still to come.
    """
    event_us, known_us = (pl.col(name).dt.epoch("us") for name in (source.event_time, source.known))
    ahead = rows.filter(event_us > after_us, known_us <= after_us).select(source.keys).unique().collect()
    seen = pl.max_horizontal(event_us, known_us) > after_us
    if ahead.is_empty():
        return rows.filter(seen)
    marked = ahead.lazy().with_columns(_ahead=True)
    told = rows.join(marked, on=source.keys, how="left", maintain_order="left")
    return told.filter(seen | pl.col("_ahead").is_not_null()).drop("_ahead")


def corrected_us(rows: pl.DataFrame, keys: tuple[str, ...], known: str) -> Ints | None:
    """For each row when a newer version of its fact became known, or NEVER; None if no key repeats.

    The rows are in the order of arrival.
    """
    named = rows[keys[0]].drop_nulls() if len(keys) == 1 else rows.select(keys).drop_nulls()
    if named.n_unique() == len(named):
        return None
    repeated = (
        rows.select(*keys, pl.col(known).dt.epoch("us").alias("_known_us"))
        .with_row_index("_place")
        .drop_nulls(list(keys))
        .filter(pl.struct(keys).is_duplicated())
        .sort("_known_us", "_place")
        .with_columns(pl.col("_known_us").shift(-1).over(keys).alias("_next_us"))
        .drop_nulls("_next_us")
    )
    until_us = np.full(rows.height, NEVER, np.int64)
    until_us[repeated["_place"].to_numpy()] = repeated["_next_us"].to_numpy()
    return until_us
