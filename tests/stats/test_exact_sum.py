"""Exact sums against math.fsum, and the property that parity rests on: equal terms give equal bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats.exact_sum import Digits, digits, number

finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.floats(-1e6, 1e6) | st.sampled_from([0.1, -0.1, 0.3, 1e-9, 2.0**31, 2.0**32 - 1, 2.0**32, 0.0, -0.0])
moderate = st.lists(plain | st.floats(-1e300, 1e300), max_size=20)
values = st.lists(plain, max_size=20) | st.lists(finite, max_size=20)


def window(terms: list[float], first: int, last: int) -> float:
    """The sum of terms[first:last] as a difference of running sums, as windows take it."""
    parts = digits(np.array(terms))
    running = np.concatenate([np.zeros((1, parts.whole.shape[1]), np.int64), parts.whole.cumsum(axis=0)])
    return float(number(Digits((running[last] - running[first])[None, :], parts.lowest))[0])


@settings(max_examples=250)
@given(terms=values)
def test_digits_keep_every_bit(terms: list[float]) -> None:
    assert number(digits(np.array(terms))).tolist() == [one + 0.0 for one in terms]


@settings(max_examples=250)
@given(terms=moderate, ends=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_a_window_is_summed_to_the_last_place(terms: list[float], ends: tuple[int, int]) -> None:
    first, last = sorted(min(end, len(terms)) for end in ends)
    got = window(terms, first, last)
    expected = math.fsum(terms[first:last])
    assert abs(got - expected) <= math.ulp(expected)


@settings(max_examples=250)
@given(before=values, terms=values, behind=values)
def test_what_stands_around_a_window_changes_no_bit(
    before: list[float], terms: list[float], behind: list[float]
) -> None:
    alone = window(terms, 0, len(terms))
    amid = window([*before, *terms[::-1], *behind], len(before), len(before) + len(terms))
    assert np.float64(alone).tobytes() == np.float64(amid).tobytes()


def test_sums_that_are_floats_are_exact() -> None:
    assert window([0.1] * 10, 0, 10) == 1.0
    assert window([1e16, 1.0, -1e16], 0, 3) == 1.0
    assert window([1e300, 1e-300, -1e300], 0, 3) == 1e-300
    assert window([5e-324, 5e-324], 0, 2) == 1e-323


def test_a_sum_beyond_the_largest_float_is_infinite() -> None:
    assert window([1.7e308, 1.7e308], 0, 2) == math.inf
    assert window([-1.7e308, -1.7e308], 0, 2) == -math.inf


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_sums_to_zero(count: int) -> None:
    assert window([0.0] * count, 0, count) == 0.0
