"""The population stability index against a hand computation, and what counts as a bin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats.psi import psi

NAN = float("nan")
EMPTY = 1e-4
values = st.lists(st.integers(0, 5).map(float) | st.floats(-5, 5) | st.just(NAN), min_size=1, max_size=40)


def by_hand(p: list[float], q: list[float]) -> float:
    """Of shares of bins; an empty one counts a ten-thousandth."""
    before, after = ([max(one, EMPTY) for one in shares] for shares in (p, q))
    before, after = ([one / sum(shares) for one in shares] for shares in (before, after))
    return sum((b - a) * math.log(b / a) for a, b in zip(before, after, strict=True))


def test_deciles_by_hand() -> None:
    """The lower half of the reference is gone: five of ten bins are empty, the others are twice as full."""
    reference = np.arange(1000.0)
    expected = by_hand([0.1] * 10 + [0], [0] * 5 + [0.2] * 5 + [0])
    assert psi(reference, np.arange(500.0, 1000.0)) == pytest.approx(expected, rel=0.01)


def test_categories_by_hand() -> None:
    reference, current = np.array([0.0] * 6 + [1.0] * 4), np.array([0.0] * 3 + [1.0] * 5 + [7.0] * 2)
    expected = by_hand([0.6, 0.4, 0, 0], [0.3, 0.5, 0.2, 0])
    assert psi(reference, current, categorical=True) == pytest.approx(expected)
    also = np.array([0.0] * 3 + [1.0] * 5 + [-3.0, 0.5])
    assert psi(reference, also, categorical=True) == pytest.approx(expected), "what was never seen is one bin"


@pytest.mark.parametrize("categorical", [False, True])
def test_what_is_missing_is_a_bin(categorical: bool) -> None:
    reference, current = np.zeros(10), np.array([0.0] * 5 + [NAN] * 5)
    empty = [0.0] if categorical else [0.0, 0.0]
    expected = by_hand([1, *empty, 0], [0.5, *empty, 0.5])
    assert psi(reference, current, categorical=categorical) == pytest.approx(expected)


@pytest.mark.parametrize(("before", "after"), [(0.03, 1.0), (0.05, 0.5), (1.0, 0.03), (0.97, 0.1)])
def test_a_flag_that_is_seldom_set_and_then_often_has_moved(before: float, after: float) -> None:
    """All nine deciles of the reference are one value, which must not swallow the other."""
    reference, current = (
        np.repeat([0.0, 1.0], [round(1000 * (1 - one)), round(1000 * one)]) for one in (before, after)
    )
    expected = by_hand([1 - before, before], [1 - after, after])
    assert psi(reference, current) == pytest.approx(expected, rel=0.02)
    assert psi(reference, current) > 0.25


def test_a_constant_that_becomes_another_has_moved() -> None:
    for other in (4.0, 6.0):
        assert psi(np.full(100, 5.0), np.full(100, other)) > 10


@settings(deadline=None, max_examples=100)
@given(values, values, st.booleans())
def test_it_is_finite_not_negative_and_blind_to_the_order(
    before: list[float], after: list[float], categorical: bool
) -> None:
    reference, current = np.array(before), np.array(after)
    found = psi(reference, current, categorical=categorical)
    assert math.isfinite(found) and found >= 0
    assert psi(reference[::-1], current[::-1], categorical=categorical) == pytest.approx(found)
    assert psi(reference, reference, categorical=categorical) == 0
    assert psi(reference, np.tile(current, 3), categorical=categorical) == pytest.approx(found)


def test_a_shift_of_one_deviation_is_seen_and_chance_is_not() -> None:
    generator = np.random.default_rng(0)
    quiet = [psi(generator.normal(size=400), generator.normal(size=400)) for _ in range(200)]
    assert 0.9 <= np.mean(np.array(quiet) < 0.1) <= 1, "98 % in the docstring"
    few = [psi(generator.normal(size=100), generator.normal(size=100)) for _ in range(200)]
    assert 0.05 <= np.mean(np.array(few) < 0.1) <= 0.3, "16 % in the docstring"
    assert psi(generator.normal(size=400), generator.normal(1, 1, 400)) > 0.5


def test_an_empty_side_does_not_fail() -> None:
    for reference, current in ((np.empty(0), np.ones(3)), (np.ones(3), np.empty(0)), (np.full(3, NAN), np.ones(3))):
        assert math.isfinite(psi(reference, current)) and math.isfinite(psi(reference, current, categorical=True))
