"""Exact squares and deviations against rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.exact_square import deviation, squares
from trimtab.stats.exact_sum import Digits, digits

finite = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**20), 2**20).map(float)
    | st.floats(1e9, 1e9 + 1)
    | st.sampled_from([0.0, 0.1, 5e-324, -1.7e308, 2.0**16, 2.0**16 - 1])
)
sets = st.lists(finite, min_size=1, max_size=12)


def exactly(one: Digits) -> list[Fraction]:
    return [
        sum((int(cell) * Fraction(2) ** (32 * (one.lowest + place)) for place, cell in enumerate(row)), Fraction())
        for row in one.whole
    ]


def summed(one: Digits) -> Digits:
    return Digits(one.whole.sum(axis=0, keepdims=True), one.lowest)


def of(values: list[float]) -> float:
    array = np.array(values)
    return float(deviation(np.array([len(values)]), summed(digits(array)), summed(squares(array)))[0])


@given(values=sets)
def test_squares_are_exact(values: list[float]) -> None:
    assert exactly(squares(np.array(values))) == [Fraction(value) ** 2 for value in values]


@given(values=sets)
def test_a_deviation_is_that_of_rational_arithmetic(values: list[float]) -> None:
    found = of(values)
    if len(values) < 2:
        assert math.isnan(found)
        return
    rational = [Fraction(value) for value in values]
    mean = sum(rational, Fraction()) / len(rational)
    variance = sum(((one - mean) ** 2 for one in rational), Fraction()) / (len(rational) - 1)
    # The root of a number far beyond the range of floats: to within 2 ** -50 or so.
    assert abs(Fraction(found) ** 2 - variance) <= variance * Fraction(1, 2**49) or found in (math.inf, 0.0)


@given(values=sets, seed=st.randoms(use_true_random=False), beside=sets)
def test_it_depends_on_the_values_alone(values: list[float], seed: object, beside: list[float]) -> None:
    shuffled = list(values)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    together = np.array(shuffled + beside)
    one, two = (each(together) for each in (digits, squares))
    parts = [Digits(each.whole[: len(values)].sum(axis=0, keepdims=True), each.lowest) for each in (one, two)]
    again = float(deviation(np.array([len(values)]), *parts)[0])
    assert again == of(values) or (math.isnan(again) and math.isnan(of(values)))


@pytest.mark.parametrize("size", [0.0, 1.0, 0.1, 1e9 + 0.1, 1e300, 5e-324])
def test_equal_values_do_not_deviate(size: float) -> None:
    assert of([size] * 5) == 0.0


def test_values_whose_squares_are_beyond_all_floats() -> None:
    assert of([1e200, 3e200]) == pytest.approx(2e200 / math.sqrt(2), rel=1e-15)
    assert of([1e-200, 3e-200]) == pytest.approx(2e-200 / math.sqrt(2), rel=1e-15)


def test_no_questions() -> None:
    none = Digits(np.zeros((0, 1), np.int64), 0)
    assert deviation(np.zeros(0, np.int64), none, none).tolist() == []
