"""A small system, and every way to declare it wrongly that has been thought of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

import trimtab as tt
from trimtab.system import System

TIME = pl.Datetime("us", "UTC")
FLIGHTS = {
    "flight_id": pl.String,
    "carrier": pl.String,
    "distance": pl.Int64,
    "sched_dep": TIME,
    "cutoff_at": TIME,
    "local_dep": pl.Datetime("us"),
    "crew": pl.List(pl.String),
    "block": pl.String,
}
ARRIVALS = {
    "flight_id": pl.String,
    "carrier": pl.String,
    "number": pl.Int64,
    "arrived_at": TIME,
    "late": pl.Boolean,
}


def reading(schema: dict[str, Any]) -> Callable[[], pl.DataFrame]:
    return lambda: pl.DataFrame(schema=schema)


def source(name: str, schema: dict[str, Any], **changed: Any) -> tt.Source:
    time = "sched_dep" if name == "flights" else "arrived_at"
    return tt.Source(name, **{"read": reading(schema), "event_time": time, "key": "flight_id", **changed})


flights, arrivals = source("flights", FLIGHTS), source("arrivals", ARRIVALS)


@tt.request_features
def schedule(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("carrier", "distance")


def undecorated(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("carrier")


async def waits(row: dict[str, Any]) -> float:
    return float(row["distance"])


def fit(data: tt.TrainingData) -> object:
    return data


def declare(**changed: Any) -> System:
    given: dict[str, Any] = {
        "name": "flight-delay",
        "sources": [flights, arrivals],
        "question": tt.Question(flights, at="cutoff_at", fields=("carrier", "distance")),
        "label": tt.Label(arrivals, "late"),
        "features": [schedule],
        "train": fit,
        "gates": [tt.gates.floor("roc_auc", at_least=0.6)],
        "holdout": "28d",
        "monitors": [tt.monitors.performance("roc_auc")],
        "retrain": [tt.triggers.monthly()],
    }
    return tt.System(**{**given, **changed})


def with_flights(**changed: Any) -> dict[str, Any]:
    """A system whose source of questions is another one."""
    other = source("flights", changed.pop("schema", FLIGHTS), **changed)
    return {"sources": [other, arrivals], "question": question(other)}


def with_arrivals(schema: dict[str, Any] = ARRIVALS, **changed: Any) -> dict[str, Any]:
    other = source("arrivals", schema, **changed)
    return {"sources": [flights, other], "label": tt.Label(other, "late")}


def question(of: tt.Source = flights, **changed: Any) -> tt.Question:
    return tt.Question(of, **{"at": "cutoff_at", "fields": ("carrier", "distance"), **changed})


@dataclass(frozen=True)
class Mistake:
    name: str
    make: Callable[[], dict[str, Any]]
    what: str
    got: str
    allowed: str


MISTAKES = [
    Mistake(
        "formats", lambda: {"allow_formats": ["pickel"]}, "allows a model format that is none", "pickel", "pickle"
    ),
    Mistake(
        "a format that needs no leave",
        lambda: {"allow_formats": ["onnx"]},
        "allows a model format that is none, or that needs no leave",
        "onnx",
        "a list of mlflow-pyfunc, pickle",
    ),
    Mistake("no list of formats", lambda: {"allow_formats": "pickle"}, "allows a model format", "pickle", "a list"),
    Mistake(
        "a log that is no policy", lambda: {"log": "400d"}, "log is not a retention policy", "400d", "tt.retention"
    ),
    Mistake(
        "a keep without a unit", lambda: {"log": tt.retention(keep="400")}, "keep has a value", "400", "a number"
    ),
    Mistake(
        "a keep of hours", lambda: {"log": tt.retention(keep="12h")}, "keep has a value", "12h", "one day or more"
    ),
    Mistake(
        "a keep that is shorter than what is measured",
        lambda: {"log": tt.retention(keep="30d")},
        "keep has a value",
        "30d",
        "so far back reads monitor roc_auc",
    ),
    Mistake(
        "a keep that is shorter than a rollout",
        lambda: {"log": tt.retention(keep="40d"), "monitors": [], "rollout": tt.canary(horizon="60d")},
        "keep has a value",
        "40d",
        "so far back reads the rollout",
    ),
    Mistake(
        "a sample of nothing", lambda: {"log": tt.retention(sample=0)}, "sample has a value", "0", "a share above 0"
    ),
    Mistake("name", lambda: {"name": "Flight Delay"}, "name that cannot be used", "Flight Delay", "[a-z]"),
    Mistake(
        "source twice",
        lambda: {"sources": [flights, arrivals, source("arrivals", ARRIVALS)]},
        "source 'arrivals': is declared more than once",
        "arrivals",
        "one source a name",
    ),
    Mistake(
        "source's name",
        lambda: {"sources": [flights, arrivals, source("../up", ARRIVALS)]},
        "source '../up': has a name that cannot be used",
        "../up",
        "[A-Za-z_]",
    ),
    Mistake(
        "no file", lambda: with_flights(read="flights.parquet"), "'flights' cannot be read", "no file matches", ""
    ),
    Mistake(
        "kind of file", lambda: with_flights(read="flights.xls"), "'flights' cannot be read", "flights.xls", ""
    ),
    Mistake(
        "event time",
        lambda: with_flights(event_time="departure"),
        "source 'flights': event_time names a column",
        "departure",
        "sched_dep",
    ),
    Mistake(
        "known time",
        lambda: with_flights(known_time="said_at"),
        "known_time names a column",
        "said_at",
        "sched_dep",
    ),
    Mistake("key", lambda: with_flights(key=("flight_id", "day")), "key names a column", "day", "flight_id"),
    Mistake(
        "naive event time",
        lambda: with_flights(event_time="local_dep"),
        "event_time of source 'flights' is a time without a zone",
        "local_dep",
        "times with a zone",
    ),
    Mistake(
        "naive known time",
        lambda: with_flights(known_time="local_dep"),
        "known_time of source 'flights' is a time without a zone",
        "local_dep",
        "times with a zone",
    ),
    Mistake("contract", lambda: with_flights(contract="strict"), "contract of an unknown kind", "str", "pandera"),
    Mistake(
        "question's source",
        lambda: {"question": question(source("flights", FLIGHTS))},
        "question 'flight-delay': uses a source that the system does not list",
        "flights",
        "arrivals, flights",
    ),
    Mistake(
        "question's instant",
        lambda: {"question": question(at="asked_at")},
        "at names a column",
        "asked_at",
        "cutoff_at",
    ),
    Mistake(
        "question's naive instant",
        lambda: {"question": question(at="local_dep")},
        "column 'local_dep' is a time without a zone",
        "Datetime",
        "times with a zone",
    ),
    Mistake(
        "question's field",
        lambda: {"question": question(fields=("carrier", "distance", "colour"))},
        "fields names a column that does not exist",
        "colour",
        "carrier",
    ),
    Mistake(
        "type of a field",
        lambda: {"question": question(fields=("carrier", "distance", "crew"))},
        "request field 'crew': has a type that a request cannot carry",
        "List(String)",
        "Int64",
    ),
    Mistake(
        "name of a field",
        lambda: {"question": question(fields=("carrier", "distance", "block"))},
        "fields names a column that training uses itself",
        "block",
        "any name but",
    ),
    Mistake(
        "label's source",
        lambda: {"label": tt.Label(source("arrivals", ARRIVALS), "late")},
        "label 'flight-delay': uses a source that the system does not list",
        "arrivals",
        "arrivals, flights",
    ),
    Mistake(
        "label's column", lambda: {"label": tt.Label(arrivals, "delayed")}, "label 'delayed'", "delayed", "late"
    ),
    Mistake(
        "label's kind",
        lambda: {"label": tt.Label(arrivals, "late", kind="ordinal")},
        "is of an unknown kind",
        "ordinal",
        "binary",
    ),
    Mistake(
        "label's type", lambda: {"label": tt.Label(arrivals, "carrier")}, "neither yes nor no", "String", "Boolean"
    ),
    Mistake(
        "label's key",
        lambda: with_arrivals(key="number"),
        "label 'late': is keyed by another type than the question",
        "Int64, of 'number'",
        "String, as of 'flight_id'",
    ),
    Mistake(
        "training", lambda: {"train": "fit"}, "has no training function", "'fit'", "a function of TrainingData"
    ),
    Mistake("no features", lambda: {"features": []}, "has no features", "none", "at least one"),
    Mistake("no gates", lambda: {"gates": ()}, "has no gates", "none", "at least one"),
    Mistake(
        "metric of a gate",
        lambda: {"gates": [tt.gates.not_worse("accuracy")]},
        "unknown metric 'accuracy'",
        "accuracy",
        "log_loss, roc_auc",
    ),
    Mistake(
        "confidence of a gate",
        lambda: {"gates": [tt.gates.floor("roc_auc", at_least=0.5, confidence=95)]},
        "confidence has a value that is not allowed",
        "95",
        "less than 1",
    ),
    Mistake(
        "slices",
        lambda: {"gates": [tt.gates.slice_floor("roc_auc", by="origin", at_least=0.5)]},
        "slices by a field that no request carries",
        "origin",
        "carrier, distance",
    ),
    Mistake(
        "slices of one row",
        lambda: {"gates": [tt.gates.slice_floor("roc_auc", by="flight_id", at_least=0.5)]},
        "slices by a field that no request carries",
        "flight_id",
        "carrier, distance",
    ),
    Mistake(
        "metric of a monitor",
        lambda: {"monitors": [tt.monitors.performance("auc")]},
        "unknown metric 'auc'",
        "auc",
        "log_loss, roc_auc",
    ),
    Mistake(
        "monitor twice",
        lambda: {"monitors": [tt.monitors.performance("roc_auc", zone=zone) for zone in ("UTC", "Asia/Tokyo")]},
        "monitor 'roc_auc': is declared more than once",
        "roc_auc",
        "one monitor a metric",
    ),
    Mistake(
        "zone of a monitor",
        lambda: {"monitors": [tt.monitors.performance("roc_auc", zone="EDT")]},
        "zone has a value",
        "'EDT'",
        "IANA",
    ),
    Mistake(
        "wait of a monitor",
        lambda: {"monitors": [tt.monitors.performance("roc_auc", settle="a day")]},
        "settle has a value",
        "'a day'",
        "a number with a unit",
    ),
    Mistake(
        "zone of a trigger", lambda: {"retrain": [tt.triggers.monthly(zone="CET+1")]}, "zone has", "'CET+1'", "IANA"
    ),
    Mistake(
        "wait of a trigger",
        lambda: {"retrain": [tt.triggers.monthly(settle="40d")]},
        "settle has a value",
        "'40d'",
        "less than 28 days",
    ),
    Mistake("holdout", lambda: {"holdout": "a month"}, "holdout has a value", "'a month'", "a number with a unit"),
    Mistake("holdout without a unit", lambda: {"holdout": 28}, "holdout has a value", "28", "a number with a unit"),
    Mistake("no holdout", lambda: {"holdout": timedelta()}, "holdout has a value", "timedelta(0)", "a positive"),
    Mistake(
        "an undecorated function",
        lambda: {"features": [schedule, undecorated]},
        "features holds what cannot stand there",
        "undecorated",
        "Aggregation, FeatureView, RequestFeatures",
    ),
    Mistake(
        "a gate that was not called",
        lambda: {"gates": [tt.gates.floor, tt.gates.not_worse("log_loss")]},
        "gates holds what cannot stand there",
        "floor",
        "Gate",
    ),
    Mistake(
        "a name instead of a source",
        lambda: {"sources": [flights, arrivals, "weather"]},
        "sources holds what cannot stand there",
        "'weather'",
        "Source",
    ),
    Mistake(
        "a name instead of a monitor",
        lambda: {"monitors": ["roc_auc"]},
        "monitors holds what cannot stand there",
        "'roc_auc'",
        "Performance",
    ),
    Mistake(
        "a gate without its list",
        lambda: {"gates": tt.gates.floor("roc_auc", at_least=0.5)},
        "gates is not a list",
        "Floor(",
        "a list of Gate",
    ),
    Mistake(
        "a name instead of a question", lambda: {"question": "flights"}, "question holds", "'flights'", "Question"
    ),
    Mistake("a name instead of a label", lambda: {"label": "late"}, "label holds", "'late'", "Label"),
    Mistake(
        "a policy that was not called", lambda: {"rollout": tt.blue_green}, "rollout", "blue_green", "RolloutPolicy"
    ),
    Mistake(
        "a constant that is no probability",
        lambda: {"fallback": [tt.fallbacks.constant(21)]},
        "the constant of a fallback has a value",
        "21",
        "from 0 to 1",
    ),
    Mistake(
        "a constant that is no number",
        lambda: {"fallback": [tt.fallbacks.constant(float("nan"))]},
        "the constant of a fallback has a value",
        "nan",
        "from 0 to 1",
    ),
    Mistake(
        "a constant in words",
        lambda: {"fallback": [tt.fallbacks.constant("0.2")]},  # type: ignore[arg-type]
        "the constant of a fallback has a value",
        "'0.2'",
        "a number",
    ),
    Mistake(
        "a rule that is no function",
        lambda: {"fallback": [tt.fallbacks.rule("late")]},  # type: ignore[arg-type]
        "fallback 'rule': is no function",
        "'late'",
        "a function of one row",
    ),
    Mistake(
        "a rule of no row",
        lambda: {"fallback": [tt.fallbacks.rule(lambda: 0.2)]},  # type: ignore[arg-type,misc]
        "fallback 'rule': cannot be called with a row alone",
        "()",
        "a function of one row",
    ),
    Mistake(
        "a rule that waits",
        lambda: {"fallback": [tt.fallbacks.rule(waits)]},  # type: ignore[arg-type]
        "fallback 'rule': is asynchronous",
        "async def waits",
        "a function of one row",
    ),
    Mistake(
        "behind a constant",
        lambda: {"fallback": [tt.fallbacks.constant(0.2), tt.fallbacks.previous_release()]},
        "fallback 'previous_release': would never be asked",
        "it stands behind constant(0.2)",
        "constant(0.2) as the last one",
    ),
    Mistake(
        "two previous releases",
        lambda: {"fallback": [tt.fallbacks.previous_release(), tt.fallbacks.previous_release()]},
        "fallback 'previous_release': is declared more than once",
        "previous_release",
        "once",
    ),
    Mistake(
        "a fallback that was not called",
        lambda: {"fallback": [tt.fallbacks.previous_release]},
        "fallback holds what cannot stand there",
        "previous_release",
        "Fallback",
    ),
    Mistake(
        "a fallback without its list",
        lambda: {"fallback": tt.fallbacks.constant(0.2)},
        "fallback is not a list",
        "Constant(",
        "a list of",
    ),
    Mistake(
        "steps of a rollout",
        lambda: {"rollout": tt.canary([25, 5])},
        "steps has a value",
        "(25, 5)",
        "at least one percentage, growing",
    ),
    Mistake(
        "metric of a rollout",
        lambda: {"rollout": tt.canary(metric="accuracy")},
        "unknown metric 'accuracy'",
        "accuracy",
        "log_loss, roc_auc",
    ),
    Mistake("zone of a rollout", lambda: {"rollout": tt.canary(zone="EDT")}, "zone has a value", "'EDT'", "IANA"),
    Mistake(
        "horizon of a rollout",
        lambda: {"rollout": tt.canary(horizon="two weeks")},
        "horizon has a value",
        "'two weeks'",
        "a number with a unit",
    ),
    Mistake(
        "segment of a rollout: field",
        lambda: {"rollout": tt.canary(segment=tt.segment("airline", ["UA"]))},
        "segment 'airline': names a field that no request carries",
        "airline",
        "carrier",
    ),
    Mistake(
        "segment of a rollout: values",
        lambda: {"rollout": tt.canary(segment=tt.segment("distance", ["1000"]))},
        "segment 'distance': has values of the wrong type",
        "str: '1000'",
        "whole numbers of 64 bits, as field 'distance' is Int64",
    ),
    Mistake(
        "segment of a rollout: no values",
        lambda: {"rollout": tt.canary(segment=tt.segment("carrier", []))},
        "values has a value",
        "[]",
        "a list of at least one value: text",
    ),
    Mistake(
        "segment of a rollout: not called",
        lambda: {"rollout": tt.canary(segment=tt.segment)},  # type: ignore[arg-type]
        "segment has a value",
        "function segment",
        "tt.segment(field, values)",
    ),
    Mistake(
        "margin of a rollout",
        lambda: {"rollout": tt.canary(margin=-0.01)},
        "margin has a value",
        "-0.01",
        "0 or more",
    ),
    Mistake(
        "a training window",
        lambda: {"windows": ["all", "a quarter"]},
        "windows has a value",
        "'a quarter'",
        "a number with a unit",
    ),
    Mistake("no training window", lambda: {"windows": []}, "has no training windows", "[]", "a list"),
    Mistake(
        "a training window without its list",
        lambda: {"windows": "91d"},
        "has no training windows",
        "'91d'",
        "a list",
    ),
    Mistake(
        "a failing view",
        lambda: {"features": [failing("nobody")]},
        "its function fails on an empty frame",
        "ColumnNotFoundError",
        "columns",
    ),
    Mistake(
        "a source that is not listed",
        lambda: {
            "features": [schedule, tt.aggregate(other(), by="carrier", of="late", windows=["3h"], how=["mean"])]
        },
        "unknown source 'elsewhere'",
        "elsewhere",
        "arrivals, flights",
    ),
]


def failing(column: str) -> object:
    return tt.request_features(lambda request: request.select(column))


def other() -> tt.Source:
    return source("elsewhere", ARRIVALS)
