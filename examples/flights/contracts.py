"""What the sources promise. Rows that break it are quarantined; a changed schema blocks the version."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

_TIME = pl.Datetime("us", "UTC")
_AIRPORTS = ["EWR", "JFK", "LGA"]

# Rows of a delivery → the largest share of late flights that is believed. The worst runs of that many arrivals in
# 2013 had 0.84, 0.68 and 0.50; labels that were flipped for a week have about 0.77. Fewer rows prove nothing: all
# arrivals of a bad night are late.
_LATE_SHARE = {500: 0.9, 2_000: 0.75, 5_000: 0.6}


def _late_share(rows: int, most: float) -> pa.Check:
    plausible = (pl.len() < rows) | (pl.col("late").mean() <= most)
    return pa.Check(
        lambda data: data.lazyframe.select(plausible),
        error=f"the late share of a delivery of {rows:,} rows or more is at most {most:g}",
    )


FlightContract = pa.DataFrameSchema(
    {
        "flight_id": pa.Column(pl.String, unique=True),
        "carrier": pa.Column(pl.String, pa.Check.str_length(2, 2)),
        "origin": pa.Column(pl.String, pa.Check.isin(_AIRPORTS)),
        "dest": pa.Column(pl.String, pa.Check.str_length(3, 3)),
        "tailnum": pa.Column(pl.String, nullable=True),
        "distance_miles": pa.Column(pl.Int64, pa.Check.in_range(1, 10_000)),
        "sched_dep": pa.Column(_TIME),
        "announced_at": pa.Column(_TIME),
        "cutoff_at": pa.Column(_TIME),
    }
)

ArrivalContract = pa.DataFrameSchema(
    {
        "flight_id": pa.Column(pl.String, unique=True),
        "carrier": pa.Column(pl.String),
        "origin": pa.Column(pl.String, pa.Check.isin(_AIRPORTS)),
        "dest": pa.Column(pl.String),
        "sched_dep": pa.Column(_TIME),
        "arrived_at": pa.Column(_TIME),
        "late": pa.Column(pl.Boolean),
    },
    checks=[_late_share(rows, most) for rows, most in _LATE_SHARE.items()],
)

WeatherContract = pa.DataFrameSchema(
    {
        "origin": pa.Column(pl.String, pa.Check.isin(_AIRPORTS)),
        "observed_at": pa.Column(_TIME),
        "published_at": pa.Column(_TIME),
        "temp_f": pa.Column(pl.Float64, pa.Check.in_range(-40, 130), nullable=True),
        "dew_point_f": pa.Column(pl.Float64, pa.Check.in_range(-60, 100), nullable=True),
        "humidity_pct": pa.Column(pl.Float64, pa.Check.in_range(0, 100), nullable=True),
        "wind_dir_deg": pa.Column(pl.Int64, pa.Check.in_range(0, 360), nullable=True),
        "wind_speed_mph": pa.Column(pl.Float64, pa.Check.in_range(0, 200), nullable=True),
        "precip_in": pa.Column(pl.Float64, pa.Check.in_range(0, 20), nullable=True),
        "pressure_mbar": pa.Column(pl.Float64, pa.Check.in_range(850, 1_100), nullable=True),
        "visibility_miles": pa.Column(pl.Float64, pa.Check.in_range(0, 10), nullable=True),
    }
)
