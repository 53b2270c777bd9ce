"""A view of some answers by any definition, from any version of its source; each computed once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from trimtab.features.aggregation import aggregate
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.on_request import request_features
from trimtab.features.recomputed import Recomputed, alone, as_pushed
from trimtab.features.view import FeatureView, feature_view
from trimtab.kernel.source import Source

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOPS = Source("shops", "none.parquet", event_time="at", key=("shop", "at"))
REQUEST = (("shop", "String"),)
ROWS = pl.DataFrame(
    {
        "shop": ["ams", "ber", "ams"],
        "at": [START, START, START + HOUR],
        "staff": [1, 2, 3],
        "_version": [1, 1, 2],
    }
).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))
ANSWERS = pl.DataFrame(
    {
        "id": ["a", "b", "c"],
        "at": [START + 2 * HOUR] * 3,
        "request": ['{"shop":"ams"}', '{"shop":"ber"}', '{"shop":null}'],
    }
).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))


def doubled(shops: pl.LazyFrame) -> pl.LazyFrame:
    return shops.with_columns(pl.col("staff") * 2)


def more(staff: pl.LazyFrame) -> pl.LazyFrame:
    return staff.with_columns(pl.col("staff") + 10)


@feature_view(entity="shop", push=doubled)
def staff(shops: pl.LazyFrame) -> pl.LazyFrame:
    return shops


@feature_view(entity="shop")
def crowd(staff: pl.LazyFrame) -> pl.LazyFrame:
    return more(staff)


@feature_view(entity="shop", name="staff")
def unknown(shops: pl.LazyFrame) -> pl.LazyFrame:
    return shops.select("shop", "at", pl.col("nobody").alias("staff"))


@request_features
def order(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("shop")


FEATURES = FeatureSet((staff, crowd, order), {"shops": SHOPS})
STAFF, CROWD, ORDER = FEATURES.declared


def recomputed(name: str, read: list[str] | None = None) -> Recomputed:
    def facts(source: str) -> pl.LazyFrame:
        assert source == "shops"
        (read if read is not None else []).append(source)
        return ROWS.lazy()

    return Recomputed(ANSWERS, [name], REQUEST, facts)


@pytest.mark.parametrize(("number", "expected"), [(0, [None, None]), (1, [1, 2]), (2, [3, 2]), (9, [3, 2])])
def test_rows_of_later_versions_do_not_count(number: int, expected: list[int | None]) -> None:
    found = recomputed("staff.staff").by("own", alone(FEATURES, STAFF), "shops", number)
    assert found == {"a": [expected[0]], "b": [expected[1]], "c": [None]}


def test_a_view_on_a_view_alone_is_still_on_it() -> None:
    found = recomputed("crowd.staff").by("own", alone(FEATURES, CROWD), "shops", 2)
    assert found == {"a": [13], "b": [12], "c": [None]}


def test_features_of_the_request_need_no_facts() -> None:
    read: list[str] = []
    assert recomputed("order.shop", read).by("own", alone(FEATURES, ORDER), "", 0) == {
        "a": ["ams"],
        "b": ["ber"],
        "c": [None],
    }
    assert read == []


def test_facts_are_read_once_for_a_definition_and_computed_once_for_a_version() -> None:
    read: list[str] = []
    again = recomputed("staff.staff", read)
    first = again.by("own", alone(FEATURES, STAFF), "shops", 1)
    assert again.by("own", alone(FEATURES, STAFF), "shops", 1) is first
    again.by("own", alone(FEATURES, STAFF), "shops", 2)
    assert read == ["shops"]


def test_a_definition_that_cannot_be_computed_gives_nothing() -> None:
    other = FeatureSet((unknown,), {"shops": SHOPS})
    again = recomputed("staff.staff")
    assert again.tried("other", other, "shops", 2) == {}
    assert again.tried("other", other, "shops", 2) == {}
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        recomputed("staff.staff").by("other", other, "shops", 2)


def test_the_functions_that_push_are_those_of_the_whole_chain() -> None:
    for view, expected in (
        (STAFF, {"a": [6], "b": [4], "c": [None]}),
        (CROWD, {"a": [16], "b": [14], "c": [None]}),
    ):
        assert isinstance(view, FeatureView)
        pushed = as_pushed(view)
        assert pushed is not None
        rows = ROWS.lazy().drop("_version")
        assert pushed.facts(rows).collect().equals(view.facts(rows, online=True).collect())
        found = recomputed(f"{view.name}.staff").by("push", alone(FEATURES, pushed), "shops", 2)
        assert found == expected


@pytest.mark.parametrize(
    "view", [ORDER, unknown, aggregate(SHOPS, by="shop", of="staff", windows=["1h"], how=["sum"])]
)
def test_what_pushes_nothing_of_its_own(view: Declared) -> None:
    assert as_pushed(view) is None
