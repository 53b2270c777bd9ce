"""Measures of a window, from its count and its sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Measure = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.float64]]


def _count(count: NDArray[np.int64], total: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG001
    return count.astype(np.float64)


def _sum(count: NDArray[np.int64], total: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG001
    return total


def _mean(count: NDArray[np.int64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


MEASURES: dict[str, Measure] = {"count": _count, "mean": _mean, "sum": _sum}
