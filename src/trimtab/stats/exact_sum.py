"""Exact sums of floats: a window's sum depends on its values alone, not on their order or on what else is summed.

A running sum of floats rounds at every step, so that the difference of two running sums depends on everything
before the window. Here a float is a row of whole numbers of 32 bits, with one power of two a column; running sums
of those are exact, their differences too, and only the end result is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BITS = 32
_MASK = (1 << _BITS) - 1
_MANTISSA_BITS = 53


@dataclass(frozen=True)
class Digits:
    """Values as whole numbers, shape (n, columns); column c counts 2 ** (32 * (lowest + c))."""

    whole: Ints
    lowest: int


def digits(value: Floats) -> Digits:
    """Finite floats of shape (n,), exactly; fewer than 2 ** 30 of them can be summed column by column."""
    if (np.rint(value) == value).all() and (np.abs(value) <= _MASK).all():
        return Digits(value.astype(np.int64)[:, None], 0)
    fraction, exponent = np.frexp(value)
    return placed((fraction * 2.0**_MANTISSA_BITS).astype(np.int64), exponent.astype(np.int64) - _MANTISSA_BITS)


def placed(mantissa: Ints, exponent: Ints) -> Digits:
    """mantissa * 2 ** exponent of shape (n,), exactly; at least one mantissa is not 0, all are below 2 ** 54."""
    used = mantissa != 0
    column, shift = np.divmod(exponent, _BITS)
    lowest = int(column[used].min())
    column = np.where(used, column - lowest, 0)
    sign, size = np.sign(mantissa), np.abs(mantissa)
    low, high = (size & _MASK) << shift, (size >> _BITS) << shift
    whole = np.zeros((len(mantissa), int(column.max()) + 3), np.int64)
    row = np.arange(len(mantissa))
    whole[row, column] = sign * (low & _MASK)
    whole[row, column + 1] = sign * ((low >> _BITS) + (high & _MASK))
    whole[row, column + 2] = sign * (high >> _BITS)
    [filled] = np.nonzero(whole.any(axis=0))
    return Digits(whole[:, filled[0] : filled[-1] + 1], lowest + int(filled[0]))


def number(sums: Digits) -> Floats:
    """Sums of rows back to floats, shape (n,): equal sums give equal floats, whatever their columns; at most one
    unit in the last place from the exact sum, and exact if that is a float; infinite beyond the largest float.

    >>> ones = digits(np.array([0.1] * 10))
    >>> number(Digits(ones.whole.sum(axis=0, keepdims=True), ones.lowest)).tolist()
    [1.0]
    """
    if sums.whole.shape[1] == 1 and sums.lowest == 0 and (np.abs(sums.whole) < 1 << _MANTISSA_BITS).all():
        return sums.whole[:, 0].astype(np.float64)
    # One more column than the sums need: the highest one then never holds more than 32 bits.
    whole, negative = carried(np.concatenate([sums.whole, np.zeros((len(sums.whole), 1), np.int64)], axis=1))
    total = np.zeros(len(whole))
    with np.errstate(over="ignore"):
        for column in reversed(range(whole.shape[1])):
            total += np.ldexp(whole[:, column].astype(np.float64), _BITS * (sums.lowest + column))
    return np.where(negative, -total, total)


def carried(whole: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Sizes with every column but the highest in [0, 2 ** 32), in the same array, and which rows are negative."""
    whole = _carried(whole)
    negative = whole[:, -1] < 0
    whole[negative] = _carried(-whole[negative])
    return whole, negative


def _carried(whole: Ints) -> Ints:
    """Every column but the highest in [0, 2 ** 32)."""
    for column in range(whole.shape[1] - 1):
        whole[:, column + 1] += whole[:, column] >> _BITS
        whole[:, column] &= _MASK
    return whole
