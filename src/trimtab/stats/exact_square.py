"""Exact sums of squares, and the standard deviation from them: it depends on the values alone.

The textbook formula n * sum(x ** 2) - sum(x) ** 2 loses everything when the mean is large beside the deviation. In
whole numbers of any length nothing is lost; only the end result is rounded.
"""

from __future__ import annotations

import numpy as np

from trimtab.stats.exact_sum import Digits, Floats, Ints, carried, digits, number, placed

_HALF_BITS = 27  # a mantissa of 53 bits is two halves whose products fit 54 bits
_HALF = (1 << _HALF_BITS) - 1
_MANTISSA_BITS = 53
_SMALL = 1 << 16
_DIGIT = (1 << 16) - 1
_LEADING = 4  # columns of 32 bits that decide a float: 97 bits at least


def squares(value: Floats) -> Digits:
    """Squares of finite floats of shape (n,), exactly; fewer than 2 ** 28 can be summed column by column."""
    if (np.rint(value) == value).all() and (np.abs(value) < _SMALL).all():
        return digits(value * value)
    fraction, exponent = np.frexp(np.abs(value))
    mantissa = (fraction * 2.0**_MANTISSA_BITS).astype(np.int64)
    power = 2 * (exponent.astype(np.int64) - _MANTISSA_BITS)
    high, low = mantissa >> _HALF_BITS, mantissa & _HALF
    parts = placed(
        np.concatenate([high * high, high * low, low * low]),
        np.concatenate([power + 2 * _HALF_BITS, power + _HALF_BITS + 1, power]),
    )
    return Digits(parts.whole.reshape(3, len(value), -1).sum(axis=0), parts.lowest)


def deviation(count: Ints, sums: Digits, squared: Digits) -> Floats:
    """Sample standard deviations (n - 1 in the divisor) of m sets of values; NaN for fewer than two values.

    Args:
        count: how many values, shape (m,).
        sums: their sums.
        squared: the sums of their squares.

    >>> values = np.array([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])
    >>> one, two = digits(values), squares(values)
    >>> summed = [Digits(each.whole.sum(axis=0, keepdims=True), each.lowest) for each in (one, two)]
    >>> float(deviation(np.array([4]), *summed)[0] ** 2)
    30.0
    """
    own, lowest = _sizes(squared), squared.lowest
    below, lowest_below = _squared(_sizes(sums)), 2 * sums.lowest
    bottom = min(lowest, lowest_below)
    top = max(lowest + own.shape[1], lowest_below + below.shape[1]) + 2
    spread = np.zeros((len(count), top - bottom), np.int64)
    at, at_below = lowest - bottom, lowest_below - bottom
    spread[:, at : at + own.shape[1]] += own * count[:, None]
    spread, _ = carried(spread)
    spread[:, at_below : at_below + below.shape[1]] -= below
    spread, _ = carried(spread)
    # The leading columns alone, so that a spread beyond the range of floats still has a deviation within it.
    leading = spread.shape[1] - 1 - np.argmax(spread[:, ::-1] != 0, axis=1)
    first = np.maximum(leading - _LEADING + 1, 0)
    columns = np.minimum(first[:, None] + np.arange(_LEADING), spread.shape[1] - 1)
    chosen = np.where(
        first[:, None] + np.arange(_LEADING) < spread.shape[1], spread[np.arange(len(count))[:, None], columns], 0
    )
    pairs = np.maximum(count, 2).astype(np.float64)
    with np.errstate(over="ignore"):
        root = np.ldexp(np.sqrt(number(Digits(chosen, 0)) / (pairs * (pairs - 1))), 16 * (bottom + first))
    return np.where(count > 1, root, np.nan)


def _sizes(sums: Digits) -> Ints:
    """Without their signs, every column in [0, 2 ** 32)."""
    return carried(np.concatenate([sums.whole, np.zeros((len(sums.whole), 1), np.int64)], axis=1))[0]


def _squared(whole: Ints) -> Ints:
    """Products of columns of 16 bits, which cannot overflow, back in columns of 32 bits."""
    columns = 2 * whole.shape[1]
    half = np.stack([whole & _DIGIT, whole >> 16], axis=2).reshape(len(whole), columns)
    used = max((place + 1 for place in range(columns) if half[:, place].any()), default=0)
    out = np.zeros((len(whole), 2 * columns), np.int64)
    for place in range(used):
        out[:, place : place + used] += half[:, place : place + 1] * half[:, :used]
    for place in range(out.shape[1] - 1):
        out[:, place + 1] += out[:, place] >> 16
        out[:, place] &= _DIGIT
    even, odd = out[:, 0::2], out[:, 1::2]
    folded: Ints = even + (odd << 16)
    return folded
