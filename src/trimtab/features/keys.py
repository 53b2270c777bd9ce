"""Keys as they are compared: those of facts, those of requests, and those in the online store."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import polars.selectors as cs


def whole_keys(keys: Sequence[str]) -> pl.Expr:
    """Keys that are integers as those of a request: 64 bits."""
    return (cs.integer() & cs.by_name(*keys)).cast(pl.Int64)
