"""What the sources promise. Rows that break it are quarantined; a changed schema blocks the version."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

_TIME = pl.Datetime("us", "UTC")

OrderContract = pa.DataFrameSchema(
    {
        "order_id": pa.Column(pl.String, unique=True),
        "customer": pa.Column(pl.String),
        "product": pa.Column(pl.String),
        "price_eur": pa.Column(pl.Float64, pa.Check.in_range(1, 5_000)),
        "paid_by": pa.Column(pl.String, pa.Check.isin(["card", "invoice", "wallet"])),
        "placed_at": pa.Column(_TIME),
    }
)

OutcomeContract = pa.DataFrameSchema(
    {
        "order_id": pa.Column(pl.String, unique=True),
        "customer": pa.Column(pl.String),
        "product": pa.Column(pl.String),
        "returned": pa.Column(pl.Boolean),
        "placed_at": pa.Column(_TIME),
        "settled_at": pa.Column(_TIME),
    }
)
