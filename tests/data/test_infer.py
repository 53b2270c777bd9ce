"""A drafted contract loads, and holds for every row that it was drafted from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.data.contract import hold_to_contract
from trimtab.data.infer import contract_name, file_name, infer
from trimtab.kernel.source import Source

NOW = datetime(2013, 4, 1, tzinfo=UTC)
KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "float": (pl.Float64(), st.floats()),
    "tame": (pl.Float64(), st.floats(-1e3, 1e3)),
    "small": (pl.Float32(), st.floats(width=32)),
    "whole": (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "few": (pl.Int16(), st.integers(0, 3)),
    "unsigned": (pl.UInt64(), st.integers(0, 2**64 - 1)),
    "word": (pl.String(), st.text(max_size=5)),
    "kind": (pl.String(), st.sampled_from(['a"b', "c\\d", "é\n"])),
    "flag": (pl.Boolean(), st.booleans()),
    "day": (pl.Date(), st.dates()),
    "list": (pl.List(pl.Int64()), st.lists(st.integers(0, 9), max_size=2)),
    "struct": (pl.Struct({"a": pl.Int64()}), st.fixed_dictionaries({"a": st.integers(0, 9)})),
    "category": (pl.Categorical(), st.sampled_from(["x", "y"])),
    "odd category": (pl.Categorical(), st.sampled_from(["a\nimport os", '"', "\\", "\u2028x", "", "#"])),
    "price": (pl.Decimal(12, 2), st.decimals(-1000, 1000, places=2)),
    "local": (pl.Datetime("ms", "America/New_York"), st.just(NOW)),
}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.integers(0, 60))
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, max_size=4))
    made = {"id": pl.Series([f"i{one}" for one in range(height)], dtype=pl.String)}
    made["at"] = pl.Series([NOW + timedelta(hours=one) for one in range(height)], dtype=pl.Datetime("us", "UTC"))
    for name in names:
        kind, values = KINDS[name]
        cells = draw(
            st.lists(st.none() | values if draw(st.booleans()) else values, min_size=height, max_size=height)
        )
        made[name] = pl.Series(name, cells, dtype=kind, strict=False)
    return pl.DataFrame(made)


def load(text: str, name: str) -> pa.DataFrameSchema:
    module: dict[str, Any] = {}
    exec(compile(text, name, "exec"), module)
    schema = module[name]
    assert isinstance(schema, pa.DataFrameSchema)
    return schema


def passes(source: Source, frame: pl.DataFrame) -> pa.DataFrameSchema:
    text = infer(source, frame)
    assert infer(source, frame) == text
    schema = load(text, contract_name(source))
    held = Source(source.name, lambda: frame, event_time="at", key=source.key, contract=schema)
    sorted_ = hold_to_contract(held, frame)
    assert sorted_.quarantined.is_empty(), (text, sorted_.quarantined)
    assert sorted_.accepted.equals(frame, null_equal=True)
    assert set(schema.columns) == set(frame.columns)
    return schema


@settings(max_examples=200, deadline=None)
@given(frame=tables(), key=st.sampled_from(["id", ("id", "at")]))
def test_a_draft_holds_for_the_rows_it_was_drafted_from(frame: pl.DataFrame, key: str | tuple[str, ...]) -> None:
    passes(Source("weather", lambda: frame, event_time="at", key=key), frame)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(frame=tables(), key=st.sampled_from(["id", ("id", "at")]))
def test_a_draft_holds_for_thousands(frame: pl.DataFrame, key: str | tuple[str, ...]) -> None:
    passes(Source("weather", lambda: frame, event_time="at", key=key), frame)


def test_a_draft_says_what_it_saw_and_refuses_what_it_never_did() -> None:
    frame = pl.DataFrame(
        {
            "id": [str(one).zfill(4) for one in range(200)],
            "at": [NOW + timedelta(hours=one) for one in range(200)],
            "origin": [("EWR", "JFK", "LGA")[one % 3] for one in range(200)],
            "temp_f": [None if one % 50 == 0 else 20.0 + one % 60 for one in range(200)],
        }
    )
    source = Source("new-york_weather", lambda: frame, event_time="at", key="id")
    assert (file_name(source), contract_name(source)) == ("contracts_new_york_weather.py", "NewYorkWeatherContract")
    text = infer(source, frame)
    assert '"origin": pa.Column(pl.String, pa.Check.isin(["EWR", "JFK", "LGA"])),' in text
    assert "# from 20.0 to 79.0; 2.00% are missing" in text
    schema = passes(source, frame)
    wrong = pl.concat(
        [
            frame[1:2].with_columns(origin=pl.lit("Newark")),
            frame[2:3].with_columns(temp_f=pl.lit(150.0)),
            frame[3:4].with_columns(id=pl.lit("12345")),
            frame[4:6].with_columns(id=pl.lit("0004")),
        ]
    )
    held = Source("weather", lambda: wrong, event_time="at", key="id", contract=schema)
    assert hold_to_contract(held, wrong).accepted.is_empty()
