"""The small system with a job of its own that pushes the shops' staff, and counts everybody twice."""

from __future__ import annotations

from dataclasses import replace

import canary  # type: ignore[import-not-found]  # beside this file
import polars as pl
import system

import trimtab as tt


def doubled(shops: pl.LazyFrame) -> pl.LazyFrame:
    """What the job writes."""
    return shops.with_columns(pl.col("staff") * 2)


@tt.feature_view(entity="shop", max_age="3d", push=doubled)
def staff(shops: pl.LazyFrame) -> pl.LazyFrame:
    """Who is there."""
    return shops


tiny = replace(canary.tiny, features=[staff if one is system.staff else one for one in canary.tiny.features])
