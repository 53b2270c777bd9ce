"""Requests: declared types in, or an error that names the field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.features.request_frame import TYPES, request_frame, request_type
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Misdeclared, RequestInvalid
from trimtab.kernel.moment import from_us

TIME = "Datetime(time_unit='us', time_zone='UTC')"
FIELDS = (("name", "String"), ("seats", "Int64"), ("temp", "Float64"), ("late", "Boolean"), ("at", TIME))
GOOD: dict[str, Json] = {"name": "é", "seats": 3, "temp": 1.5, "late": True, "at": "2013-04-01T00:00:00+02:00"}
MOMENT = datetime(2013, 3, 31, 22, tzinfo=UTC)

moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
cells = {
    "name": st.text(st.characters(codec="utf-8")),
    "seats": st.integers(-(2**63), 2**63 - 1),
    "temp": st.floats(allow_nan=False, allow_infinity=False),
    "late": st.booleans(),
    "at": moments.map(datetime.isoformat),
}


@given(rows=st.lists(st.fixed_dictionaries({name: st.none() | cell for name, cell in cells.items()}), max_size=5))
def test_rows_come_out_as_they_were_sent(rows: list[dict[str, Json]]) -> None:
    frame = request_frame(rows, FIELDS)
    assert frame.schema == {name: TYPES[kind] for name, kind in FIELDS}
    for sent, got in zip(rows, frame.iter_rows(named=True), strict=True):
        at = sent["at"] and datetime.fromisoformat(str(sent["at"]))
        assert got == {**sent, "at": at}


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2013-04-01T00:00:00+02:00", MOMENT),
        ("2013-03-31T22:00:00Z", MOMENT),
        (1364767200000000, MOMENT),
        (MOMENT.astimezone(), MOMENT),
        # The hour that New York lives through twice, by its two offsets.
        ("2013-11-03T01:30:00-04:00", datetime(2013, 11, 3, 5, 30, tzinfo=UTC)),
        ("2013-11-03T01:30:00-05:00", datetime(2013, 11, 3, 6, 30, tzinfo=UTC)),
    ],
)
def test_instants_may_be_written_in_several_ways(at: Json, moment: datetime) -> None:
    assert request_frame([{"at": at}], (("at", TIME),))["at"].to_list() == [moment]


def test_a_whole_number_is_a_number() -> None:
    for temps in ([1, 2.5], [2.5, 1], [2**70, 0.5]):
        frame = request_frame([{"temp": temp} for temp in temps], (("temp", "Float64"),))
        assert frame["temp"].to_list() == [float(temp) for temp in temps]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("name", 1, "has the wrong type"),
        ("name", ["a"], "has the wrong type"),
        ("seats", "3", "has the wrong type"),
        ("seats", 3.0, "has the wrong type"),
        ("seats", True, "has the wrong type"),
        ("temp", "warm", "has the wrong type"),
        ("temp", False, "has the wrong type"),
        ("late", 1, "has the wrong type"),
        ("late", "true", "has the wrong type"),
        ("at", 1.5, "has the wrong type"),
        ("at", True, "has the wrong type"),
        ("name", "\ud800", "is out of range"),
        ("seats", 2**63, "is out of range"),
        ("seats", -(2**63) - 1, "is out of range"),
        ("temp", float("nan"), "is out of range"),
        ("temp", float("inf"), "is out of range"),
        ("temp", 10**400, "is out of range"),
        ("at", "yesterday", "is out of range"),
        ("at", "2013-04-01T00:00:00", "is out of range"),
        ("at", "0001-01-01T00:00:00+14:00", "is out of range"),
        ("at", 2**63, "is out of range"),
        ("at", datetime(2013, 4, 1), "is out of range"),  # noqa: DTZ001
    ],
)
def test_a_value_that_does_not_fit_is_named(field: str, value: Json, what: str) -> None:
    with pytest.raises(RequestInvalid, match=f"field '{field}' {what}") as invalid:
        request_frame([GOOD, {**GOOD, field: value}], FIELDS)
    assert invalid.value.where == f"instances[1].{field}"
    assert invalid.value.allowed
    assert len(invalid.value.got) < 120
    str(invalid.value).encode()


@pytest.mark.parametrize(
    ("row", "what", "got"),
    [
        ({}, "fields are missing", "missing at, late, name, seats, temp; unknown nothing"),
        ({**GOOD, "nmae": 1}, "fields are unknown", "missing nothing; unknown nmae"),
        ({**{k: v for k, v in GOOD.items() if k != "name"}, "nmae": 1}, "fields are missing", "name; unknown nmae"),
    ],
)
def test_fields_that_are_missing_or_unknown_are_named(row: dict[str, Json], what: str, got: str) -> None:
    with pytest.raises(RequestInvalid, match=what) as invalid:
        request_frame([GOOD, row], FIELDS)
    assert invalid.value.where == "instances[1]"
    assert got in invalid.value.got
    assert invalid.value.allowed == "at, late, name, seats, temp"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pl.Int8(), "Int64"),
        (pl.UInt32(), "Int64"),
        (pl.Float32(), "Float64"),
        (pl.String(), "String"),
        (pl.Boolean(), "Boolean"),
        (pl.Datetime("ms", "America/New_York"), TIME),
    ],
)
def test_types_of_fields_follow_the_source(kind: pl.DataType, expected: str) -> None:
    assert request_type("x", kind, "here:1") == expected


@pytest.mark.parametrize("kind", [pl.Date(), pl.List(pl.Int64), pl.Datetime("us"), pl.Duration(), pl.Binary()])
def test_types_that_json_cannot_carry_are_refused(kind: pl.DataType) -> None:
    with pytest.raises(Misdeclared, match="request field 'x': has a type that a request cannot carry") as refused:
        request_type("x", kind, "here:1")
    assert (refused.value.where, refused.value.got) == ("here:1", str(kind))


@given(us=st.integers(-(10**15), 10**16))
def test_microseconds_are_exact(us: int) -> None:
    assert request_frame([{"at": us}], (("at", TIME),))["at"][0] - from_us(us) == timedelta()
