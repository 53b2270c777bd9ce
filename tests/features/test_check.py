"""Misdeclared features: all of them at once, each with what, where, what is allowed, what was found, what to do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest

from trimtab.features.aggregation import aggregate
from trimtab.features.check import check_features
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.on_request import RequestFeatures, request_features
from trimtab.features.view import FeatureView, feature_view
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.source import Source

TIME = pl.Datetime("us", "UTC")
WEATHER = pl.Schema(
    {"origin": pl.String(), "at": TIME, "temp_f": pl.Float64(), "gate": pl.Int32(), "sky": pl.String()}
)
REQUEST = pl.Schema(
    {"id": pl.String(), "origin": pl.String(), "gate": pl.Int64(), "delay": pl.Float64(), "at": TIME}
)

weather = Source("weather", pl.DataFrame, event_time="at", key="origin")
other = Source("other", pl.DataFrame, event_time="at", key="origin")


def problems(*declared: Declared, schema: pl.Schema = WEATHER) -> list[TrimtabError]:
    return list(check_features(FeatureSet(declared, {"weather": weather}), REQUEST, {"weather": schema}))


def view(function: Any, entity: str | tuple[str, ...] = "origin", **named: Any) -> FeatureView:
    return feature_view(entity=entity, **named)(function)


def whole(weather: pl.LazyFrame) -> pl.LazyFrame:
    return weather


def unheard(of: pl.LazyFrame) -> pl.LazyFrame:
    return of


def two(weather: pl.LazyFrame, planes: pl.LazyFrame) -> pl.LazyFrame:
    return weather.join(planes, on="origin")


def loses(weather: pl.LazyFrame) -> pl.LazyFrame:
    return weather.select("origin", "temp_f")


def fails(weather: pl.LazyFrame) -> pl.LazyFrame:
    return weather.with_columns(pl.col("wind") * 2)


def collects(weather: pl.LazyFrame) -> pl.DataFrame:
    return weather.collect()


def dates(weather: pl.LazyFrame) -> pl.LazyFrame:
    return weather.with_columns(day=pl.col("at").dt.date(), price=pl.col("temp_f").cast(pl.Decimal(10, 2)))


def numbered(weather: pl.LazyFrame) -> pl.LazyFrame:
    return weather.with_columns(origin=pl.lit(1))


def asks_too_much(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("carrier")


def gives_a_time(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("at", "delay")


def on_request(function: Any) -> RequestFeatures:
    return request_features(function)


def sums(**named: Any) -> Any:
    return aggregate(
        **{"source": weather, "by": "origin", "of": "temp_f", "windows": ["3h"], "how": ["mean"], **named}
    )


# what is declared, and the parts that the one error must have
CASES: dict[str, tuple[Declared, dict[str, str]]] = {
    "no such entity": (
        view(whole, "sky"),
        {
            "what": "feature view 'whole': entity names a column that does not exist",
            "allowed": "the request's fields: at, delay, gate, id, origin",
            "got": "sky",
            "do": "name one of them, or add 'sky' there",
        },
    ),
    "no such source": (
        view(unheard),
        {
            "what": "must take one source, or one feature view, as its one parameter",
            "allowed": "sources: weather; feature views: nothing",
            "got": "parameter 'of'",
            "do": "name the parameter like the source or view, and list that in System(sources=…) or (features=…)",
        },
    ),
    "two sources": (
        view(two),
        {
            "what": "must take one source, or one feature view, as its one parameter",
            "got": "no or several parameters",
        },
    ),
    "loses a time": (
        view(loses),
        {
            "what": "lost columns that every view keeps",
            "allowed": "entity and times: at, origin",
            "got": "origin, temp_f",
            "do": "let the function return at as well",
        },
    ),
    "fails": (
        view(fails),
        {
            "what": "its function fails on an empty frame of the declared columns",
            "allowed": "columns at, gate, origin, sky, temp_f",
            "got": "ColumnNotFoundError",
            "do": "mend the function; it is called with a Polars LazyFrame",
        },
    ),
    "collects": (
        view(collects),
        {"what": "its function fails", "got": "TypeError: it returned DataFrame, not a LazyFrame"},
    ),
    "a key of another type": (
        view(numbered),
        {
            "what": "entity names a column of another type than the request's field",
            "allowed": "origin: String, as in the request",
            "got": "origin: Int32",
            "do": "convert one of the two where its source is read",
        },
    ),
    "a key that is no key": (
        sums(by="at"),
        {
            "what": "aggregation 'temp_f_by_at': by names a column that cannot be a key",
            "allowed": "strings, whole numbers, booleans",
            "got": "at: Datetime(time_unit='us', time_zone='UTC')",
        },
    ),
    "no key": (sums(by=[], name="s"), {"what": "aggregation 's': by names no column", "do": "give by="}),
    "no such request field": (
        on_request(asks_too_much),
        {
            "what": "request features 'asks_too_much': its function fails",
            "allowed": "columns at, delay, gate, id, origin",
            "got": 'ColumnNotFoundError: unable to find column "carrier"',
        },
    ),
    "a time as a feature": (
        on_request(gives_a_time),
        {
            "what": "feature 'gives_a_time.at': has a type that no model can take",
            "allowed": "numbers, booleans, strings (as categories)",
            "got": "Datetime(time_unit='us', time_zone='UTC')",
            "do": "turn it into a number (an age in hours, a part of the date) or leave it out",
        },
    ),
    "text is measured": (
        sums(of="sky"),
        {
            "what": "measures 'sky', which is not a number",
            "allowed": "numbers and booleans; text and categories by count, distinct, last",
            "got": "String, by mean",
        },
    ),
    "text is measured by some": (
        sums(of="sky", how=["last", "p50", "distinct", "std"]),
        {"what": "measures 'sky', which is not a number", "got": "String, by p50, std"},
    ),
    "times are counted": (
        sums(of="at", how=["count", "distinct"], by="gate"),
        {
            "what": "measures 'at', which is not a number",
            "got": "Datetime(time_unit='us', time_zone='UTC'), by count, distinct",
        },
    ),
    "an end that is no percentile": (
        sums(how=["p100"]),
        {"what": "unknown measure 'p100'", "allowed": "max, mean, min, p1 to p99", "got": "p100"},
    ),
    "a filter by a column that is not there": (
        sums(where="storm"),
        {
            "what": "unknown column of where 'storm'",
            "allowed": "at, gate, origin, sky, temp_f",
            "got": "storm",
            "do": "name columns of source 'weather', or add 'storm' there",
        },
    ),
    "a filter of such a column": (sums(where=pl.col("storm") > 1), {"what": "unknown column of where 'storm'"}),
    "a filter that is a number": (
        sums(where=pl.col("temp_f") + 1),
        {"what": "where is not true or false", "allowed": "Boolean", "got": "Float64"},
    ),
    "a filter by a column of text": (sums(where="sky"), {"what": "where is not true or false", "got": "String"}),
    "a filter that fails": (
        sums(where=pl.col("sky").dt.hour() > 3),
        {"what": "where fails on the columns of the source", "got": "Error: "},
    ),
    "a filter that looks at other rows": (
        sums(where=pl.col("temp_f") > pl.col("temp_f").mean()),
        {
            "what": "where looks at other rows than the one that it tells of",
            "allowed": "an expression that tells of each row by itself",
            "do": "write it with Polars expressions over one row",
        },
    ),
    "a filter that calls Python": (
        sums(where=pl.col("temp_f").map_elements(math.isfinite, return_dtype=pl.Boolean)),
        {"what": "where calls a Python function, of which no version is known"},
    ),
    "a filter by all columns of a type": (
        sums(where=pl.all_horizontal(cs.boolean())),
        {"what": "where chooses columns by a pattern, a type or a list", "do": "write it with Polars expressions"},
    ),
    "a filter by a list of columns": (
        sums(where=pl.any_horizontal(pl.col("gate", "temp_f") > 1)),
        {"what": "where chooses columns by a pattern", "allowed": "columns named one by one"},
    ),
    "a filter that is none": (
        sums(where=3),
        {"what": "where has a value that is not allowed", "allowed": "a Polars expression", "got": "3"},
    ),
    "no such column is measured": (
        sums(of="wind"),
        {
            "what": "of names a column that does not exist",
            "allowed": "columns of source 'weather': at, gate, origin, sky, temp_f",
            "got": "wind",
        },
    ),
    "a source that is not listed": (
        sums(source=other),
        {
            "what": "unknown source 'other'",
            "allowed": "weather",
            "got": "other",
            "do": "list it in System(sources=…)",
        },
    ),
    "no measure": (sums(how=[]), {"what": "has no window or no measure", "do": "give windows= and how="}),
    "an unknown measure": (
        sums(how=["median"]),
        {
            "what": "unknown measure 'median'",
            "allowed": "max, mean, min, p1 to p99 (also p99.9), std, sum",
            "got": "median",
        },
    ),
    "an unknown window": (
        sums(window_on="arrival"),
        {"what": "unknown kind of window 'arrival'", "allowed": "event_time, known_time", "got": "arrival"},
    ),
    "a window that cannot be read": (
        sums(windows=["3 hours"]),
        {"what": "window has a value that is not allowed", "allowed": "e.g. '3h' or '1d12h'", "got": "'3 hours'"},
    ),
    "the same window twice": (
        sums(windows=["60m", "1h", "2h"]),
        {
            "what": "has the same feature more than once",
            "allowed": "each window and each measure once",
            "got": "mean_1h",
            "do": "'60m' and '1h' are the same window",
        },
    ),
    "an age that cannot be read": (
        view(whole, max_age="soon"),
        {"what": "max_age has a value that is not allowed", "got": "'soon'"},
    ),
    "a dot in the name": (
        sums(name="delay.mean"),
        {
            "what": "feature view 'delay.mean': has a dot in its name",
            "allowed": "names without dots",
            "got": "delay.mean",
            "do": "give it another name=",
        },
    ),
}


def parts(error: TrimtabError) -> dict[str, str]:
    return {"what": error.what, **dict(error.lines())}


def assert_told(error: TrimtabError, expected: dict[str, str], place: str) -> None:
    told = parts(error)
    for part, text in expected.items():
        assert text in told.get(part, ""), (part, told)
    assert told["where"] == place
    assert told["do"]


@pytest.mark.parametrize("case", CASES)
def test_each_misdeclaration_is_told_in_five_parts(case: str) -> None:
    declared, expected = CASES[case]
    [error] = problems(declared)
    assert_told(error, expected, declared.place)


def test_all_misdeclarations_are_told_at_once() -> None:
    # Names are made unique, for a name that is used twice is a problem of its own.
    declared = [
        one if "." in one.name else replace(one, name=f"{one.name}{number}")
        for number, (one, _) in enumerate(CASES.values())
    ]
    found = problems(*declared)
    assert len(found) == len(CASES) > 5
    assert [error.where for error in found] == [one.place for one in declared]


def test_several_problems_of_one_declaration_are_all_told() -> None:
    found = problems(sums(by=["airport", "origin"], of="sky", how=["median"]))
    told = " | ".join(error.what for error in found)
    for part in ("unknown measure 'median'", "by names a column", "measures 'sky'"):
        assert part in told
    assert len(found) == 4, told


def test_two_types_that_no_model_takes() -> None:
    found = problems(view(dates))
    assert [error.what for error in found] == [
        "feature 'dates.day': has a type that no model can take",
        "feature 'dates.price': has a type that no model can take",
    ]


@pytest.mark.parametrize("times", [2, 3])
def test_a_name_used_more_than_once_is_told_once(times: int) -> None:
    again = sums(name="whole")
    for declared in ([view(whole), *[again] * (times - 1)], [again] * times):
        [error] = problems(*declared)
        assert error.what == "feature view 'whole': is declared more than once"
        assert error.where == declared[0].place
        assert error.do == "give each its own name"


def test_what_is_declared_well_has_no_problems() -> None:
    def sky(weather: pl.LazyFrame) -> pl.LazyFrame:
        return weather.select("gate", "at", "sky", "temp_f", cold=pl.col("temp_f") < 32)

    def delay(request: pl.LazyFrame) -> pl.LazyFrame:
        return request.select("delay", "origin")

    good = [
        view(whole),
        view(sky, "gate", max_age="3h"),
        on_request(delay),
        sums(by=["origin", "gate"], how=["sum", "count"]),
    ]
    assert problems(*good) == []


def test_a_source_that_cannot_be_read_is_reported_elsewhere() -> None:
    features = FeatureSet((view(fails), sums(of="wind")), {"weather": weather})
    assert list(check_features(features, REQUEST, {})) == []


CHANGED = {
    "the source's times": sums(
        source=Source("weather", pl.DataFrame, event_time="at", known_time="late", key="origin")
    ),
    "its source": sums(source=other),
    "by": sums(by="gate", name="temp_f_by_origin"),
    "of": sums(of="gate", name="temp_f_by_origin"),
    "windows": sums(windows=["4h"]),
    "order of windows": sums(windows=["4h", "3h"]),
    "how": sums(how=["sum"]),
    "window_on": sums(window_on="event_time"),
    "name": sums(name="another"),
    "where": sums(where=pl.col("gate") == 1),
    "another where": sums(where=pl.col("gate") == 2),
    "a column as where": sums(where="gate"),
    "a new measure": sums(how=["std"]),
    "another new measure": sums(how=["last"]),
}


def test_an_aggregation_has_another_version_when_anything_changes_that_decides_its_values() -> None:
    versions = [sums().version, *(one.version for one in CHANGED.values()), sums(windows=["3h", "4h"]).version]
    assert len(set(versions)) == len(versions)
    assert sums(windows=["180m"]).version == sums().version == sums(window_on="known_time").version


def test_digests_of_definitions_stay() -> None:
    """A release names its views by them: whatever changes one projects anew, and changes every release's digest."""
    facts = Source("facts", pl.DataFrame, event_time="event", known_time="known", key="id")
    hours = aggregate(facts, by="a", of="x", windows=["1h", "4h"], how=["mean", "count", "sum"])
    week = aggregate(
        facts, by=["a", "b"], of="flag", windows=["7d"], how=["count"], window_on="event_time", name="flags"
    )
    assert hours.version == "eaba5f6e52a30085ae3f50736d6b90291cbbb0809260048319805c3eb5326d77"
    assert week.version == "af4174487bd224a3a9e30e28dfefa267f7b9c633ef0c8af6f15fe9eb8f2ced39"


@pytest.mark.parametrize("how", ["sum", "std"])
def test_a_definition_is_named_by_how_facts_are_told_apart(how: str) -> None:
    keys = [Source("facts", pl.DataFrame, event_time="at", key=key) for key in ("id", "origin", ("id", "origin"))]
    assert len({sums(source=one, how=[how]).version for one in keys}) == 3


def test_a_view_has_another_version_when_anything_changes_that_decides_its_values() -> None:
    def source(event_time: str = "at", known_time: str = "", name: str = "weather") -> Source:
        return Source(name, pl.DataFrame, event_time=event_time, known_time=known_time, key="origin")

    views = [
        view(whole).version(source()),
        view(whole).version(source(event_time="late")),
        view(whole).version(source(known_time="late")),
        view(whole).version(source(name="other")),
        view(whole, "gate").version(source()),
        view(whole, max_age="3h").version(source()),
        view(whole, name="x").version(source()),
        view(loses, name="whole").version(source()),
    ]
    assert len(set(views)) == len(views)
    assert view(whole, max_age="180m").version(source()) == view(whole, max_age="3h").version(source())
    assert view(whole).version(source(known_time="at")) == view(whole).version(source())


def test_the_versions_of_a_feature_set_know_the_sources_of_its_views() -> None:
    late = Source("weather", pl.DataFrame, event_time="at", known_time="late", key="origin")
    declared = (view(whole), sums(source=late))
    features = [FeatureSet(declared, {"weather": one}) for one in (weather, late)]
    assert features[0].versions[0] != features[1].versions[0]
    assert features[0].versions[1] == features[1].versions[1] == (sums().name, sums(source=late).version)
