"""Profiles: equal to what Polars and NumPy say, the same in any order, plain data whatever the values."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.data.profile import LEVELS, MOST_VALUES, column_of, lists_all, profile, quantiles, values_of
from trimtab.kernel.canonical import canonical

cells = st.lists(st.none() | st.floats(), max_size=40)


@settings(max_examples=200, deadline=None)
@given(values=cells, shuffle=st.randoms(use_true_random=False))
def test_numbers_against_numpy_in_any_order(values: list[float | None], shuffle: object) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})
    found = profile(frame)
    shuffled = list(values)
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
    again = profile(pl.DataFrame({"x": pl.Series(shuffled, dtype=pl.Float64)}))
    assert canonical(found) == canonical(again)
    column = column_of(found, "x")
    finite = np.array([one for one in values if one is not None and np.isfinite(one)]) + 0.0
    assert column["nulls"] == values.count(None)
    assert column.get("not_finite", 0) == len(values) - values.count(None) - len(finite)
    assert column["distinct"] == len(set(finite.tolist()))
    if not len(finite):
        assert "min" not in column
        return
    assert (column["min"], column["max"], column["values"]) == (finite.min(), finite.max(), len(finite))
    assert quantiles(column) == np.quantile(finite, LEVELS, method="inverted_cdf").tolist()
    with np.errstate(over="ignore", invalid="ignore"):
        mean = finite.mean()
    if np.isfinite(mean) and column["mean"] is not None:
        scale = np.abs(finite).max()
        assert column["mean"] == pytest.approx(mean, rel=1e-9, abs=1e-9 * scale)


@settings(max_examples=100, deadline=None)
@given(words=st.lists(st.none() | st.sampled_from([f"w{n}" for n in range(30)]), max_size=80))
def test_words_are_counted(words: list[str | None]) -> None:
    column = column_of(profile(pl.DataFrame({"x": pl.Series(words, dtype=pl.String)})), "x")
    counts = {one: words.count(one) for one in set(words) - {None}}
    assert column["distinct"] == len(counts)
    assert lists_all(column) == (len(counts) <= MOST_VALUES)
    listed = values_of(column)
    assert all(counts[word] == count for word, count in listed.items())
    if not lists_all(column):
        assert all(count > 1 for count in listed.values())
        left = [count for word, count in counts.items() if word not in listed and count > 1]
        assert max(left, default=0) <= min(listed.values(), default=0) or len(listed) < MOST_VALUES


def test_every_type_that_is_stored_gives_plain_data() -> None:
    now = datetime(2013, 4, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "whole": [1, 2],
            "price": [Decimal("1.50"), Decimal("2.50")],
            "flag": [True, None],
            "at": [now, now],
            "day": [date(2013, 4, 1), None],
            "raw": [b"a", b"b"],
            "list": [[1], [2, 3]],
            "struct": [{"a": 1}, {"a": 2}],
            "long": ["x" * 500, "y"],
            "nothing": pl.Series([None, None], dtype=pl.String),
        }
    )
    found = profile(frame)
    assert json.loads(canonical(found)) == found
    assert column_of(found, "price")["mean"] == 2.0
    assert column_of(found, "at")["max"] == "2013-04-01T00:00:00+00:00"
    assert values_of(column_of(found, "flag")) == {True: 1}
    assert column_of(found, "raw") == {"type": "Binary", "nulls": 0}
    assert len(str(column_of(found, "long")["max"])) <= 80
    assert column_of(found, "nothing")["nulls"] == 2


def test_an_empty_frame_has_a_profile() -> None:
    found = profile(pl.DataFrame(schema={"x": pl.Float64(), "word": pl.String()}))
    assert found["rows"] == 0
    assert column_of(found, "x")["distinct"] == 0
