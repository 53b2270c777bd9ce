"""Tags: told to people, checked when applied, and no part of any version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.check import check_features
from trimtab.features.described import described
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.on_request import request_features
from trimtab.features.unit_of_name import unit_of_name
from trimtab.features.view import FeatureView, feature_view
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.source import Source

SCHEMA = pl.Schema(
    {"shop": pl.String(), "at": pl.Datetime("us", "UTC"), "age_days": pl.Int64(), "paid_eur": pl.Float64()}
)
REQUEST = pl.Schema({"shop": pl.String(), "buyer": pl.String()})
people = Source("people", pl.DataFrame, event_time="at", key="shop")


def problems(*declared: Declared, source: Source = people) -> list[TrimtabError]:
    return list(check_features(FeatureSet(declared, {"people": source}), REQUEST, {"people": SCHEMA}))


def paid(**named: Any) -> Aggregation:
    return aggregate(
        people, by="shop", of="paid_eur", windows=["1h", "2h"], how=["mean", "count", "distinct"], **named
    )


@feature_view(entity="shop")
def newest(people: pl.LazyFrame) -> pl.LazyFrame:
    return people


@feature_view(entity="shop", owner="sales", units={"age_days": "years"}, personal=["age_days"])
def tagged(people: pl.LazyFrame) -> pl.LazyFrame:
    return people


@request_features
def asked(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("buyer")


@request_features(owner="sales", units={"buyer": "name"}, personal="buyer")
def asked_tagged(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("buyer")


def version(one: Declared, source: Source = people) -> str:
    return FeatureSet((one,), {"people": source}).versions[0][1]


def test_no_tag_enters_a_version() -> None:
    as_before = replace(tagged, name="newest", function=newest.function)
    assert as_before.tags.owner == "sales" and version(as_before) == version(newest)
    # The decorators' arguments differ, the functions under them do not.
    assert version(replace(tagged, name="one")) == version(replace(tagged, name="one", tags=newest.tags))
    assert version(paid()) == version(paid(description="x", owner="sales", unit="$", personal=True))
    assert replace(asked_tagged, tags=asked.tags).version == asked_tagged.version
    with_tags = replace(people, owner="sales", personal=("age_days",))
    assert version(newest, with_tags) == version(newest)


def test_the_code_of_a_decorated_function_is_that_of_the_function() -> None:
    def bare() -> FeatureView:
        @feature_view(entity="shop", name="one")
        def first(people: pl.LazyFrame) -> pl.LazyFrame:
            return people.select("shop", "at", "paid_eur")

        return first

    def decorated() -> FeatureView:
        @feature_view(entity="shop", name="one", owner="a", units={"paid_eur": "€"})
        def first(people: pl.LazyFrame) -> pl.LazyFrame:
            return people.select("shop", "at", "paid_eur")

        return first

    assert version(decorated()) == version(bare())


def test_well_tagged_declarations_have_no_problem() -> None:
    source = replace(people, owner="sales", personal="age_days")
    assert source.personal_columns == ("age_days",)
    assert (
        problems(tagged, asked_tagged, replace(paid(owner="x", personal=False), source=source), source=source) == []
    )


@pytest.mark.parametrize(
    ("declared", "what", "allowed"),
    [
        (
            feature_view(entity="shop", units={"age": "years"})(newest.function),
            "unknown feature in units of 'newest' 'age'",
            "age_days, paid_eur",
        ),
        (
            feature_view(entity="shop", personal=["shop"])(newest.function),
            "unknown feature in personal of 'newest' 'shop'",
            "age_days, paid_eur",
        ),
        (
            request_features(personal=["byer"])(asked.function),
            "unknown feature in personal of 'asked' 'byer'",
            "buyer",
        ),
        (
            feature_view(entity="shop", owner=7)(newest.function),  # type: ignore[arg-type]
            "owner has a value that is not allowed",
            "text: a team or a person",
        ),
        (
            request_features(units="°F")(asked.function),  # type: ignore[call-overload]
            "units has a value that is not allowed",
            'units by feature, e.g. {"temp_f": "°F"}',
        ),
        (paid(personal="paid_eur"), "personal has a value that is not allowed", "True, False, or None"),
        (paid(unit=3), "unit has a value that is not allowed", "text"),
    ],
)
def test_tags_of_what_does_not_exist_are_problems(declared: Declared, what: str, allowed: str) -> None:
    [problem] = problems(declared)
    assert problem.what == what and problem.allowed.startswith(allowed)
    assert problem.where.startswith("test_tags.py:")


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"personal": ("name",)}, "unknown column in personal of source 'people' 'name'"),
        ({"personal": 3}, "personal has a value that is not allowed"),
        ({"owner": None}, "owner has a value that is not allowed"),
    ],
)
def test_tags_of_a_source_are_looked_at(tags: dict[str, Any], what: str) -> None:
    [problem] = problems(newest, source=replace(people, **tags))
    assert problem.what == what


def test_an_aggregation_says_what_its_numbers_are() -> None:
    tags = paid().tags
    assert tags.units == {
        "mean_1h": "€",
        "count_1h": "rows",
        "distinct_1h": "values",
        "mean_2h": "€",
        "count_2h": "rows",
        "distinct_2h": "values",
    }
    assert paid(unit="ct").tags.units["mean_2h"] == "ct"
    assert (paid().tags.personal, paid(personal=False).tags.personal) == (None, ())
    assert paid(personal=True).tags.personal == paid().columns


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("latency_ms", "ms"),
        ("Temp_F", "°F"),
        ("f", ""),
        ("distance_miles", "miles"),
        ("delay_min", ""),
        ("seats", ""),
    ],
)
def test_the_unit_in_a_name(name: str, unit: str) -> None:
    assert unit_of_name(name) == unit


def told(declared: Declared, *others: Declared, source: Source) -> dict[str, tuple[str, str]]:
    features = FeatureSet((declared, *others), {"people": source})
    found = [one for one in described(features, REQUEST, {"people": SCHEMA}, source) if one.view == declared.name]
    return {one.column: (one.personal, one.because) for one in found}


def test_personal_data_is_followed_as_far_as_it_can_be() -> None:
    @feature_view(entity="shop")
    def derived(newest: pl.LazyFrame) -> pl.LazyFrame:
        return newest.select("shop", "at", "age_days", young=pl.col("age_days") < 30)

    unsaid = ("not declared", "")
    assert told(newest, source=people) == {"age_days": unsaid, "paid_eur": unsaid}
    said = replace(people, personal=("age_days",))
    personal = ("yes", "age_days is personal in people")
    assert told(newest, source=said) == {
        "age_days": personal,
        "paid_eur": ("no", "paid_eur is not personal in people"),
    }
    assert told(derived, newest, source=said) == {"age_days": personal, "young": unsaid}
    nothing = replace(people, personal=())
    assert {one for one, _ in told(newest, source=nothing).values()} == {"no"}
    assert told(tagged, source=people) == {
        "age_days": ("yes", "declared by tagged"),
        "paid_eur": ("no", "declared by tagged"),
    }
    # Nobody can declare away what the source says of the same column.
    cleared = feature_view(entity="shop", personal=())(newest.function)
    assert told(cleared, source=said)["age_days"] == personal
    below = feature_view(entity="shop", personal=["age_days"])(newest.function)
    assert told(derived, below, source=people)["age_days"] == ("yes", "age_days is personal in newest")


def test_what_is_told_of_a_person_is_personal() -> None:
    named = replace(people, personal=("shop",))
    assert told(newest, source=named)["paid_eur"] == ("yes", "told of shop, which is personal in people")
    sums = replace(paid(), source=named)
    assert set(told(sums, source=named).values()) == {("yes", "shop is personal in people")}
    assert set(told(replace(sums, personal=False), source=named).values()) == {
        ("no", "declared by paid_eur_by_shop")
    }
    measured = replace(people, personal=("paid_eur",))
    assert set(told(replace(paid(), source=measured), source=measured).values()) == {
        ("yes", "paid_eur is personal in people")
    }
    other = replace(people, personal=("age_days",))
    assert {one for one, _ in told(replace(paid(), source=other), source=other).values()} == {"no"}


def test_types_units_and_owners() -> None:
    source = replace(people, owner="data")
    last = aggregate(source, by="shop", of="paid_eur", windows=["1h"], how=["last", "count"], name="last")
    features = FeatureSet((newest, tagged, last, asked_tagged, asked), {"people": source})
    found = {one.name: one for one in described(features, REQUEST, {"people": SCHEMA}, source)}
    assert {name: (one.type, one.unit, one.owner, one.source) for name, one in found.items()} == {
        "newest.age_days": ("Int64", "days", "data", "people"),
        "newest.paid_eur": ("Float64", "€", "data", "people"),
        "tagged.age_days": ("Int64", "years", "sales", "people"),
        "tagged.paid_eur": ("Float64", "€", "sales", "people"),
        "last.last_1h": ("Float64", "€", "data", "people"),
        "last.count_1h": ("Float64", "rows", "data", "people"),
        "asked_tagged.buyer": ("String", "name", "sales", "people"),
        "asked.buyer": ("String", "", "data", "people"),
    }
