"""Features of past instants in the form in which requests get them: values, ages, and what was too old."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.bitemporal_join import Questions
from trimtab.features.feature_set import FeatureSet
from trimtab.features.keys import whole_keys
from trimtab.features.offline import Facts, OfflineFeatures
from trimtab.features.online_windows import window_ages
from trimtab.features.request_frame import request_frame
from trimtab.features.view import FeatureView
from trimtab.features.window_values import asked_of, us
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.moment import duration_us
from trimtab.ports.feature_reader import FeatureBlock

_AT = "_at"


class OfflineReader:
    """Implements FeatureReader from dataset versions: as the online store would have answered at each instant."""

    def __init__(
        self, features: FeatureSet, names: Sequence[str], request: Sequence[tuple[str, str]], facts: Facts
    ) -> None:
        """Read the facts, once for all rows that come.

        Args:
            features: of a release.
            names: its feature names.
            request: its request fields and types.
            facts: the rows of a source by its name.
        """
        self.names = tuple(names)
        self.views = tuple(view.name for view in features.stored)
        self._features = features
        self._request = tuple(request)
        self._offline = OfflineFeatures(features, facts)

    def read(self, rows: Sequence[JsonMap], at_us: Sequence[int]) -> FeatureBlock:
        """Features of each row as of its own instant."""
        at = pl.Series(_AT, at_us, dtype=pl.Int64()).cast(pl.Datetime("us", "UTC"))
        questions = request_frame(rows, self._request).with_columns(at)
        values = self._offline(questions, _AT).select(self.names)
        stale: dict[int, dict[str, int]] = {}
        ages: list[list[int | None]] = []
        for view in self._features.stored:
            match view:
                case FeatureView():
                    ages.append(_young(view, self._newest(view, questions), stale))
                case Aggregation():
                    events, group = asked_of(view, questions, self._offline.events[view.source.name])
                    ages.append(window_ages(view, events, group, us(questions[_AT])))
        by_row = [list(row) for row in zip(*ages, strict=True)] if ages else [[] for _ in rows]
        return FeatureBlock([list(row) for row in values.iter_rows()], by_row, stale)

    def _newest(self, view: FeatureView, questions: pl.DataFrame) -> list[int | None]:
        """How old the newest fact is that each row sees."""
        asked = questions.select(*view.entity, _AT).with_columns(whole_keys(view.entity))
        return self._offline.visible[view.name].ages_us(Questions(asked, view.entity, _AT)).to_list()


def _young(view: FeatureView, ages_us: list[int | None], stale: dict[int, dict[str, int]]) -> list[int | None]:
    """Ages without those above the view's limit, which are told as stale."""
    if view.max_age is None:
        return ages_us
    limit_us = duration_us(view.max_age)
    for number, age_us in enumerate(ages_us):
        if age_us is not None and age_us > limit_us:
            stale.setdefault(number, {})[view.name] = age_us
    return [None if age_us is None or age_us > limit_us else age_us for age_us in ages_us]
