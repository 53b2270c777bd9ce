"""Rows decoded by the types of their fields: as if they had been decoded first and checked then."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.features.feature_set import FeatureSet
from trimtab.features.on_request import request_features
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.request_frame import request_columns
from trimtab.kernel.errors import RequestInvalid, TrimtabError
from trimtab.ports.typed_rows import TypedRows, joined
from trimtab.serving.protocols.native_json import NativeJson, decode
from trimtab.serving.typed_request import typed_request
from trimtab.serving.wire import Row

FIELDS = (("key", "String"), ("a b", "Float64"), ("class", "Int64"), ("flag", "Boolean"), ("z", "Float64"))
NAMES = [name for name, _ in FIELDS]
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | NUMBERS | st.text(max_size=3) | st.just([1])
FITTING = {
    "String": st.none() | st.text(max_size=3),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "Float64": st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.none() | st.booleans(),
}
FIT = st.fixed_dictionaries({name: FITTING[kind] for name, kind in FIELDS})
ANY = st.dictionaries(st.sampled_from([*NAMES, "more", "as_of", "features"]), VALUES) | st.fixed_dictionaries(
    dict.fromkeys(NAMES, VALUES)
)


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Mostly such as fit; each with its fields in an order of its own."""
    found = draw(st.lists(FIT, max_size=4) | st.lists(FIT | ANY, max_size=4))
    return [dict(draw(st.permutations(list(row.items())))) for row in found]


def outcome(body: bytes, *, typed: bool) -> Any:
    """The columns that a release sees, with the types of their cells, or the error."""
    try:
        if typed:
            found = NativeJson("s").decode(body, [], max_rows=3, fields=FIELDS).rows
        else:
            found = decode(body, max_rows=3)
        columns = found.columns() if isinstance(found, TypedRows) else request_columns(found, FIELDS)
    except TrimtabError as error:
        return str(error)
    return {name: [(type(one), one) for one in column] for name, column in columns.items()}


@settings(max_examples=500, deadline=None)
@given(rows())
def test_typed_or_checked_afterwards_is_the_same(sent: list[dict[str, Any]]) -> None:
    body = json.dumps({"instances": sent}).encode()
    assert outcome(body, typed=True) == outcome(body, typed=False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"instances": 3}',
        b'{"instances": []}',
        b'{"instances": [{}], "more": 1}',
        b'{"instances": [{"key": "a", "a b": 1e999, "class": 1, "flag": true, "z": 1}]}',
        b'{"instances": [{"key": "\\ud800", "a b": 1, "class": 1, "flag": true, "z": 1}]}',
        b'{"instances": [{"key": "\xff", "a b": 1, "class": 1, "flag": true, "z": 1}]}',
        b'{"instances": [{"key": "a", "a b": NaN, "class": 1, "flag": true, "z": 1}]}',
        b'{"instances": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
    ids=str,
)
def test_what_is_wrong_is_told_in_the_same_words(body: bytes) -> None:
    told = outcome(body, typed=True)
    assert isinstance(told, str) and told == outcome(body, typed=False)


def test_too_many_rows_are_refused() -> None:
    row = dict.fromkeys(NAMES)
    with pytest.raises(RequestInvalid, match="1 to 3 rows"):
        NativeJson("s").decode(json.dumps({"instances": [row] * 4}).encode(), [], max_rows=3, fields=FIELDS)


def test_fields_that_must_be_read_first_and_a_field_that_is_the_instant_are_not_typed() -> None:
    assert typed_request((("t", "Datetime(time_unit='us', time_zone='UTC')"),), "rows") is None
    assert typed_request((), "rows") is None
    fields = (("as_of", "Int64"),)
    asked = NativeJson("s").decode(b'{"instances": [{"as_of": 5}]}', [], max_rows=3, fields=fields)
    assert not isinstance(asked.rows, TypedRows), "a server that takes no instants refuses it"


def test_another_champion_declares_other_fields() -> None:
    wire = NativeJson("s")
    for fields in ((("x", "Float64"),), (("x", "String"),), (("x", "Float64"),)):
        value: Any = 1.0 if fields[0][1] == "Float64" else "1"
        asked = wire.decode(json.dumps({"instances": [{"x": value}]}).encode(), [], max_rows=3, fields=fields)
        assert isinstance(asked.rows, TypedRows) and list(asked.rows) == [{"x": value}]


@given(st.lists(FIT, min_size=1, max_size=5))
def test_they_read_like_rows_and_are_recorded_like_rows(sent: list[dict[str, Any]]) -> None:
    decoded = typed_request(FIELDS, "rows")
    assert decoded is not None
    found = decoded(json.dumps({"rows": sent}).encode())
    assert list(found) == sent == found[:] == [found[place] for place in range(len(found))]
    assert [found.column(name) for name in NAMES] == [[row[name] for row in sent] for name in NAMES]
    assert [msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for one in found.records] == sent


def test_rows_of_several_requests_stay_typed_if_all_are() -> None:
    decoded, other = typed_request(FIELDS, "rows"), typed_request(FIELDS[:1], "rows")
    assert decoded is not None and other is not None
    first = decoded(json.dumps({"rows": [dict.fromkeys(NAMES)]}).encode())
    second = decoded(json.dumps({"rows": [dict.fromkeys(NAMES, None) | {"key": "b"}] * 2}).encode())
    both = joined([first, second])
    assert isinstance(both, TypedRows) and list(both) == [*first, *second]
    untyped: list[Sequence[Row]] = [other(b'{"rows": [{"key": "c"}]}'), [{"key": "d"}]]
    for beside in untyped:
        mixed = joined([first, beside, second])
        assert not isinstance(mixed, TypedRows) and list(mixed) == [*first, *beside, *second]


class NoStore:
    """An online store of a project that has no views."""

    def get(self, keys: list[bytes]) -> list[None]:
        return [None] * len(keys)

    def held(self, keys: list[bytes]) -> Any:
        return nullcontext([None] * len(keys))


@request_features
def plain(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("x", "y")


@request_features
def turned(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select("y", "x")


@request_features
def doubled(request: pl.LazyFrame) -> pl.LazyFrame:
    return request.select(twice=pl.col("x") * 2)


KINDS = (("key", "String"), ("x", "Float64"), ("y", "Float64"))


@pytest.mark.parametrize("groups", [(plain,), (turned,), (doubled,), (plain, doubled), (doubled, turned)], ids=str)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"key": st.just("k"), "x": st.none() | st.floats(-9, 9), "y": st.none() | st.integers(-9, 9)}
        ),
        min_size=1,
        max_size=4,
    )
)
def test_features_of_typed_rows_are_those_of_the_same_rows(groups: Any, sent: list[dict[str, Any]]) -> None:
    columns = {"plain": ["x", "y"], "turned": ["y", "x"], "doubled": ["twice"]}
    names = [f"{one.name}.{column}" for one in groups for column in columns[one.name]]
    reader = OnlineFeatures(FeatureSet(groups, {}), names, KINDS, NoStore())  # type: ignore[arg-type]
    decoded = typed_request(KINDS, "rows")
    assert decoded is not None
    typed = reader.read(decoded(json.dumps({"rows": sent}).encode()), [0] * len(sent))
    plainly = reader.read(sent, [0] * len(sent))
    assert [list(row) for row in typed.values] == [list(row) for row in plainly.values]
    assert [list(ages) for ages in typed.ages_us] == [list(ages) for ages in plainly.ages_us]
    if typed.numbers is not None:
        assert typed.numbers.tolist() == [list(row) for row in plainly.values]
