"""Rows that bring their features: held to the release's names and kinds, and no other row is touched by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from trimtab.features.given import GivenFeatures, looked_up
from trimtab.features.request_frame import request_columns
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.feature_schema import Feature
from trimtab.ports.feature_reader import FeatureBlock

REQUEST = (("order_id", "String"), ("price", "Float64"))
FEATURES = (Feature("order.shop", ("ams", "ber")), Feature("order.price"), Feature("staff.staff"))
GIVEN = GivenFeatures(FEATURES, REQUEST, "order_id")
SENT = {"order.shop": "ams", "order.price": 1.5, "staff.staff": 3}


def look_up(rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
    """Gives each row's price and instant, and remembers nothing."""
    columns = request_columns(rows, REQUEST)
    values: list[list[Any]] = [["ber", price, at] for price, at in zip(columns["price"], at_us, strict=True)]
    stale = {place: {"staff": 9} for place, price in enumerate(columns["price"]) if price is None}
    return FeatureBlock(values, [[None if place in stale else 5] for place in range(len(rows))], stale)


def read(*rows: Mapping[str, Any]) -> FeatureBlock:
    return GIVEN.read(list(rows), list(range(len(rows))), look_up)


def test_what_is_given_is_taken_in_the_order_of_the_release() -> None:
    backwards = dict(reversed(SENT.items()))
    block = read({"order_id": "a", "features": backwards}, {"order_id": "b", "price": 2.0, "features": SENT})
    assert block == FeatureBlock([["ams", 1.5, 3], ["ams", 1.5, 3]], [[], []])


def test_rows_with_and_without_go_row_by_row() -> None:
    block = read(
        {"order_id": "a", "price": 1.0},
        {"order_id": "b", "features": SENT},
        {"order_id": "c", "price": None},
        {"order_id": "d", "features": SENT | {"order.shop": None, "staff.staff": None}},
        {"order_id": "e", "price": 2.0},
    )
    assert block.values == [
        ["ber", 1.0, 0],
        ["ams", 1.5, 3],
        ["ber", None, 2],
        [None, 1.5, None],
        ["ber", 2.0, 4],
    ]
    assert block.ages_us == [[5], [], [None], [], [5]]
    assert block.stale_us == {2: {"staff": 9}}


@pytest.mark.parametrize(
    ("row", "where", "told"),
    [
        ({"features": SENT}, "instances[1]", "order_id"),
        ({"order_id": "a", "shop": "x", "features": SENT}, "instances[1]", "shop"),
        ({"order_id": 5, "features": SENT}, "instances[1].order_id", "int"),
        ({"order_id": "a", "price": "much", "features": SENT}, "instances[1].price", "str"),
        ({"order_id": "a", "features": [1, 2, 3]}, "instances[1].features", "list"),
        ({"order_id": "a", "features": None}, "instances[1].features", "NoneType"),
        (
            {"order_id": "a", "features": {}},
            "instances[1].features",
            "missing order.price, order.shop, staff.staff",
        ),
        ({"order_id": "a", "features": SENT | {"more": 1}}, "instances[1].features", "unknown more"),
        (
            {"order_id": "a", "features": SENT | {"order.shop": 5}},
            "instances[1].features.order.shop",
            "int: 5",
        ),
        ({"order_id": "a", "features": SENT | {"order.shop": "\ud800"}}, "instances[1].features.order.shop", "str"),
        ({"order_id": "a", "features": SENT | {"order.price": "5"}}, "instances[1].features.order.price", "str: 5"),
        ({"order_id": "a", "features": SENT | {"order.price": [5]}}, "instances[1].features.order.price", "list"),
        (
            {"order_id": "a", "features": SENT | {"order.price": float("inf")}},
            "instances[1].features.order.price",
            "float: inf",
        ),
        ({"order_id": "a", "features": SENT | {"staff.staff": 2**63}}, "instances[1].features.staff.staff", "int"),
        ({"order_id": "b"}, "instances[1]", "missing price"),  # of the rows that are looked up
        ({"order_id": "b", "price": "x"}, "instances[1].price", "str"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place_in_the_request(row: JsonMap, where: str, told: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        read({"order_id": "z", "features": SENT}, row)
    assert refused.value.where == where
    assert told in refused.value.got
    assert refused.value.allowed and refused.value.do


def test_a_category_that_training_never_saw_is_taken_as_a_look_up_would_give_it() -> None:
    assert read({"order_id": "a", "features": SENT | {"order.shop": "cph"}}).values == [["cph", 1.5, 3]]


def test_a_request_field_of_that_name_is_a_field() -> None:
    rows = [{"order_id": "a", "features": "x"}]
    assert GIVEN.among(rows)
    assert not GivenFeatures(FEATURES, (*REQUEST, ("features", "String")), "order_id").among(rows)


TEXT = st.text(max_size=12) | st.just('{"features":{')
CELL = st.none() | st.integers(-9, 9) | TEXT


@each(st.dictionaries(TEXT.filter(lambda name: name != "features"), CELL, max_size=4), st.booleans())
def test_the_record_says_which_it_was(row: dict[str, Any], brought: bool) -> None:
    sent = row | ({"features": SENT} if brought else {"features": '{"features":{'} if row else {})
    frame = pl.DataFrame({"request": [msgspec.json.encode(sent).decode()]})
    assert frame.select(looked_up()).item() is not brought
