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
