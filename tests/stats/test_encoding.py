"""Feature values to a matrix and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.kernel.canonical import Json
from trimtab.kernel.feature_schema import Feature
from trimtab.stats.encoding import Encoder

CARRIERS = ("AA", "UA", "é")
FEATURES = [Feature("flight.carrier", CARRIERS), Feature("weather.temp_f"), Feature("plane.old")]

rows = st.lists(
    st.tuples(
        st.none() | st.sampled_from(CARRIERS),
        st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False),
        st.none() | st.booleans(),
    ),
    max_size=20,
)


def decoded(cells: list[float]) -> list[Json]:
    carrier, temp_f, old = [None if math.isnan(cell) else cell for cell in cells]
    return [None if carrier is None else CARRIERS[int(carrier)], temp_f, None if old is None else bool(old)]


@given(rows=rows)
def test_values_come_back(rows: list[tuple[Json, ...]]) -> None:
    matrix = Encoder(FEATURES).matrix(rows)
    assert matrix.shape == (len(rows), 3)
    assert matrix.dtype == np.float64
    assert [decoded(cells) for cells in matrix.tolist()] == [list(row) for row in rows]


@pytest.mark.parametrize("carrier", ["ZZ", "aa", "", 0, 1])
def test_a_category_that_training_never_saw_is_missing(carrier: Json) -> None:
    assert math.isnan(Encoder(FEATURES).matrix([[carrier, 1, True]])[0, 0])


@pytest.mark.parametrize("row", [["AA", 1], ["AA", 1, True, 2]])
def test_rows_of_another_width_are_refused(row: list[Json]) -> None:
    with pytest.raises(ValueError, match="zip"):
        Encoder(FEATURES).matrix([row])


def test_text_in_a_column_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert string to float"):
        Encoder(FEATURES).matrix([["AA", "warm", True]])


NUMBERS = [Feature(name) for name in ("a", "b")]


@given(
    st.lists(st.lists(st.none() | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans(), min_size=2, max_size=2))
)
def test_a_matrix_of_numbers_alone_is_that_of_each_row(rows: list[list[Json]]) -> None:
    matrix = Encoder(NUMBERS).matrix(rows)
    one_by_one = [[math.nan if cell is None else float(cell) for cell in row] for row in rows]  # type: ignore[arg-type]
    assert np.array_equal(matrix, np.array(one_by_one).reshape(len(rows), 2), equal_nan=True)


@pytest.mark.parametrize(
    "rows", [[[1.0], [2.0, 3.0, 4.0]], [[1.0, 2.0], [3.0]], [[1.0]], [["warm", 1.0], [1.0, 2.0]]]
)
def test_what_is_no_matrix_of_numbers_is_refused(rows: list[list[Json]]) -> None:
    with pytest.raises(ValueError, match=r"inhomogeneous|reshape|could not convert string"):
        Encoder(NUMBERS).matrix(rows)
