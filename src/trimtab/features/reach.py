"""Reach: how far back questions see, so that facts that none of them can see need not be read."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.corrections import seen_after
from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import Facts
from trimtab.kernel.moment import aware, duration_us, to_us

_SLACK = timedelta(seconds=1)


def reaching(features: FeatureSet, facts: Facts, since: datetime) -> Facts:
    """The rows of a source that a question from `since` on can see; all of them where a view has no age limit.

    A row becomes visible when it is true and known. One that did so longer ago than any view of its source looks
    back decides nothing: too old for a feature view, and outside of every window, unless it corrects one that does.
    """
    spans: dict[str, timedelta | None] = {}
    for view in features.stored:
        name = features.source_of(view).name
        span = view.span if isinstance(view, Aggregation) else view.max_age
        before = spans.get(name, timedelta())
        spans[name] = None if span is None or before is None else max(before, span)

    def rows(name: str) -> pl.LazyFrame:
        found, span = facts(name), spans.get(name)
        if span is None:
            return found
        return seen_after(features.sources[name], found, to_us(aware(since)) - duration_us(span + _SLACK))

    return rows
