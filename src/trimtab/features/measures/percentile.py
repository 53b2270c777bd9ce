"""Percentiles, 'p50' or 'p99.9': linear between the two nearest values, as in numpy; null without any."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np

from trimtab.features.measures.measure import Measure
from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats

_NAME = re.compile(r"p((?:0|[1-9]\d?)(?:\.\d*[1-9])?)")


def percentile(name: str) -> Measure | None:
    """The percentile of that name; None if it is not one. The ends are 'min' and 'max', each has one spelling."""
    found = _NAME.fullmatch(name)
    if found is None or name == "p0":
        return None
    share = float(Fraction(found[1]) / 100)

    def value(members: Members) -> Floats:
        place = np.maximum(members.count - 1, 0) * share
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(members.count - 1, 0))
        covering = members.covering
        values = members.events.value[covering.event]
        low, high = covering.nth(values, below), covering.nth(values, above)
        part = place - below
        with np.errstate(over="ignore"):
            step = high - low
        # The step between two values may be beyond the largest float, what lies between them is not.
        between = np.where(np.isfinite(step), low + step * part, low * (1 - part) + high * part)
        return np.where(members.count > 0, between, np.nan)

    return Measure(value)
