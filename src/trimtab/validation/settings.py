"""What can be wrong with a gate's settings, whichever gate it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trimtab.kernel.errors import InvalidValue, TrimtabError, UnknownName
from trimtab.stats.metrics import METRICS


def problems_of(metric: str, confidence: float, place: str, **limits: float) -> Iterator[TrimtabError]:
    """Problems of the settings that gates share.

    Args:
        metric: a metric's name.
        confidence: of an interval.
        place: where the gate was declared.
        limits: what the metric is held against, by the argument's name.
    """
    if metric not in METRICS:
        yield UnknownName("metric", metric, METRICS, where=place)
    if not 0 < confidence < 1:
        yield InvalidValue("confidence", confidence, allowed="more than 0 and less than 1, e.g. 0.95", where=place)
    for name, limit in limits.items():
        if not math.isfinite(limit):
            yield InvalidValue(name, limit, allowed="a finite number", where=place)
