"""What one process has counted, and the sum of several."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

import msgspec

from trimtab.serving.metric_families import FAMILIES

Label: TypeAlias = str
# By family and labels; a histogram's numbers are its buckets, each for itself, and behind them the sum.
Counts: TypeAlias = dict[str, dict[tuple[Label, ...], list[float]]]


class Series(msgspec.Struct, array_like=True):
    """One line of a family, or the lines of one histogram."""

    labels: list[Label]
    numbers: list[float]


class Snapshot(msgspec.Struct):
    """Of one worker, as it is published."""

    worker: int  # its slot
    pid: int
    counters: dict[str, list[Series]]  # since its start; histograms too
    gauges: dict[str, list[Series]]  # now


def listed_series(counts: Counts) -> dict[str, list[Series]]:
    """As it is stored."""
    return {
        name: [Series(list(labels), numbers) for labels, numbers in found.items()]
        for name, found in counts.items()
        if found
    }


def added(parts: Iterable[dict[str, list[Series]]]) -> Counts:
    """The sum, number by number."""
    total: Counts = {}
    for part in parts:
        for name, series in part.items():
            family = total.setdefault(name, {})
            for one in series:
                labels = tuple(one.labels)
                before = family.get(labels)
                family[labels] = (
                    one.numbers if before is None else [a + b for a, b in zip(before, one.numbers, strict=True)]
                )
    return total


def of_releases(counts: Counts, releases: Collection[str]) -> Counts:
    """Without series of releases that are none of these."""
    return {
        name: {
            labels: numbers
            for labels, numbers in found.items()
            if "release" not in FAMILIES[name].labels or labels[FAMILIES[name].labels.index("release")] in releases
        }
        for name, found in counts.items()
    }
