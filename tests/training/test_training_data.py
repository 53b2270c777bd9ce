"""A matrix of many rows is the matrix of its rows: training sees what serving will see."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.kernel.feature_schema import Feature
from trimtab.stats.encoding import Encoder
from trimtab.training.training_data import TrainingData, encode, learn_features

words = st.text(max_size=4) | st.sampled_from(["None", "nan", "", "1", "True", "ä", "Z", "a"])
integers = st.integers(-(2**63), 2**63 - 1)
columns = {
    "text": (pl.String, words),
    "real": (pl.Float64, st.floats(allow_infinity=True, allow_nan=True)),
    "small": (pl.Float32, st.floats(width=32)),
    "whole": (pl.Int64, integers),
    "bytes": (pl.UInt8, st.integers(0, 255)),
    "flag": (pl.Boolean, st.booleans()),
    "void": (pl.Null, st.none()),
}
frames = st.integers(0, 6).flatmap(
    lambda rows: st.fixed_dictionaries(
        {name: st.lists(st.none() | cell, min_size=rows, max_size=rows) for name, (_, cell) in columns.items()}
    ).map(lambda cells: pl.DataFrame(cells, schema={name: kind for name, (kind, _) in columns.items()}))
)


@settings(deadline=None, max_examples=40)
@given(frames, frames)
def test_encoding_many_rows_is_encoding_each(seen: pl.DataFrame, asked: pl.DataFrame) -> None:
    """Categories are learnt from some rows, and others are asked: what was never seen is missing."""
    features = learn_features(seen, seen.columns)
    matrix = encode(asked, features)
    assert matrix.shape == (asked.height, len(features))
    assert matrix.dtype == np.float64
    encoder = Encoder(features)
    for number, row in enumerate(asked.iter_rows()):
        np.testing.assert_array_equal(matrix[number], encoder.matrix([list(row)])[0])


@settings(deadline=None, max_examples=40)
@given(frames)
def test_categories_are_those_that_were_seen_in_order(seen: pl.DataFrame) -> None:
    features = {one.name: one for one in learn_features(seen, seen.columns)}
    assert features["text"].categories == tuple(sorted(set(seen["text"].drop_nulls())))
    assert [name for name, one in features.items() if one.categories is not None] == ["text"]


@settings(deadline=None, max_examples=40)
@given(frames)
def test_the_order_of_rows_decides_nothing(seen: pl.DataFrame) -> None:
    mixed = seen.sample(fraction=1, shuffle=True, seed=7)
    assert learn_features(mixed, mixed.columns) == learn_features(seen, seen.columns)


def test_columns_stand_in_the_order_of_the_features() -> None:
    rows = pl.DataFrame({"b": [1.0], "a": ["x"], "c": [True]})
    features = learn_features(rows, ["c", "a", "b"])
    assert encode(rows, features).tolist() == [[1.0, 0.0, 1.0]]
    assert encode(rows, features[::-1]).tolist() == [[1.0, 0.0, 1.0]]
    assert encode(rows.with_columns(pl.lit(5.0).alias("b")), features).tolist() == [[1.0, 0.0, 5.0]]


def test_no_features_make_an_empty_matrix() -> None:
    assert encode(pl.DataFrame({"a": [1, 2, 3]}), ()).shape == (3, 0)


def test_a_missing_word_is_missing_even_where_none_is_a_word() -> None:
    """A column of text in which somebody wrote None, as CSV files have it."""
    rows = pl.DataFrame({"carrier": ["None", None, "AA"]})
    features = learn_features(rows, ["carrier"])
    np.testing.assert_array_equal(encode(rows, features)[:, 0], [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(Encoder(features).matrix([["None"], [None], ["AA"]])[:, 0], [1.0, np.nan, 0.0])


def test_a_column_that_is_gone_is_an_error() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        encode(pl.DataFrame({"a": [1.0]}), (Feature("b"),))


def test_training_data_knows_which_columns_hold_codes() -> None:
    features = (Feature("a"), Feature("b", ("x", "y")), Feature("c", ()))
    data = TrainingData(np.zeros((1, 3)), np.zeros(1), features, seed=1)
    assert (data.names, data.categorical) == (["a", "b", "c"], [1, 2])
