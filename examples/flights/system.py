"""Will a flight from New York arrive more than 15 minutes late? Asked an hour before its scheduled departure."""

from __future__ import annotations

import lightgbm
import polars as pl
from contracts import ArrivalContract, FlightContract, WeatherContract

import trimtab as tt

ZONE = "America/New_York"

flights = tt.Source(
    "flights",
    "data/flights.parquet",
    event_time="sched_dep",
    known_time="announced_at",
    key="flight_id",
    contract=FlightContract,
    owner="timetable",
    personal=(),
)
arrivals = tt.Source(
    "arrivals",
    "data/arrivals.parquet",
    event_time="sched_dep",
    known_time="arrived_at",
    key="flight_id",
    contract=ArrivalContract,
    owner="operations",
    personal=(),
)
weather = tt.Source(
    "weather",
    "data/weather.parquet",
    event_time="observed_at",
    known_time="published_at",
    key=("origin", "observed_at"),
    contract=WeatherContract,
    owner="weather desk",
    personal=(),
)
planes = tt.Source(
    "planes", "data/planes.parquet", event_time="registered_at", key="tailnum", owner="fleet", personal=()
)


@tt.request_features(personal=())
def schedule(request: pl.LazyFrame) -> pl.LazyFrame:
    """What the timetable says."""
    local = pl.col("sched_dep").dt.convert_time_zone(ZONE)
    return request.select(
        "carrier",
        "origin",
        "dest",
        minute_of_day=local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute(),
        weekday=local.dt.weekday().cast(pl.Int64),
        distance_miles="distance_miles",
    )


@tt.feature_view(entity="tailnum")
def plane(planes: pl.LazyFrame) -> pl.LazyFrame:
    """The plane that is to fly."""
    return planes


@tt.feature_view(entity="origin", max_age="6h")
def origin_weather(weather: pl.LazyFrame) -> pl.LazyFrame:
    """The newest observation at the airport of departure."""
    return weather


origin_delay = tt.aggregate(
    arrivals,
    name="origin_delay",
    by="origin",
    of="late",
    windows=["3h", "24h"],
    window_on="known_time",
    how=["mean"],
)
origin_load = tt.aggregate(arrivals, name="origin_load", by="origin", of="late", windows=["3h"], how=["count"])
carrier_delay = tt.aggregate(
    arrivals, name="carrier_delay", by="carrier", of="late", windows=["3h", "24h"], how=["mean"]
)
hub_delay = tt.aggregate(
    arrivals, name="hub_delay", by=["carrier", "origin"], of="late", windows=["7d"], how=["mean"]
)
dest_delay = tt.aggregate(arrivals, name="dest_delay", by="dest", of="late", windows=["24h"], how=["mean"])


def fit(data: tt.TrainingData) -> lightgbm.Booster:
    """250 small trees on one thread, so that the same data give the same model."""
    settings = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 100,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.8,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": data.seed,
        "verbose": -1,
    }
    rows = lightgbm.Dataset(data.x, data.y, feature_name=data.names, categorical_feature=data.categorical)
    return lightgbm.train(settings, rows, num_boost_round=250)


flight_delay = tt.System(
    name="flight-delay",
    sources=[flights, arrivals, weather, planes],
    question=tt.Question(
        flights, at="cutoff_at", fields=("carrier", "origin", "dest", "tailnum", "distance_miles", "sched_dep")
    ),
    label=tt.Label(arrivals, "late", kind="binary"),
    features=[schedule, plane, origin_weather, origin_delay, origin_load, carrier_delay, hub_delay, dest_delay],
    train=fit,
    holdout="14d",
    windows=["all", "91d"],
    gates=[
        tt.gates.floor("roc_auc", at_least=0.65),
        tt.gates.gain("log_loss"),
        tt.gates.slice_floor("roc_auc", by="carrier", at_least=0.55),
    ],
    rollout=tt.canary([5, 25, 50], horizon="9d", metric="roc_auc", margin=0.02, zone=ZONE),
    monitors=[tt.monitors.performance("roc_auc", zone=ZONE), tt.monitors.performance("log_loss", zone=ZONE)],
    retrain=[tt.triggers.monthly(settle="12h", zone=ZONE)],
)
