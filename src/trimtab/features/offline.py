"""Features of many rows at once, from dataset versions: for training sets, replay and parity."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import polars.selectors as cs

from trimtab.features.aggregation import Aggregation
from trimtab.features.bitemporal_join import Questions, VisibleFacts
from trimtab.features.corrections import with_corrections
from trimtab.features.feature_set import FeatureSet, feature_name
from trimtab.features.keys import whole_keys
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.features.window_values import aggregation_values
from trimtab.kernel.source import Source

_AT_ONCE = 2  # views that are joined at a time; each is at work on one core for half of its time
_MANY = 50_000  # questions; with fewer, threads cost more than they save
Facts = Callable[[str], pl.LazyFrame]  # the rows of a source by its name
# Of a view what has been put into order already, if anything, and the rows of its source that arrived after that.
Prepared = Callable[[FeatureView], tuple[VisibleFacts | None, pl.LazyFrame]]


def offline_features(
    features: FeatureSet, questions: pl.DataFrame, at: str, facts: Facts, prepared: Prepared | None = None
) -> pl.DataFrame:
    """The features of each question as of its instant, from what was known then.

    Args:
        features: what is declared.
        questions: the request's fields and the column `at`; one row a question.
        at: the instant of each question (aware).
        facts: gives the rows of a source; those known after a question do not count for it.
        prepared: the same facts of feature views, in order as far as they are prepared.

    Returns:
        One row a question, in the same order; columns 'view.column' in declared order.
    """
    return OfflineFeatures(features, facts, prepared)(questions, at)


class OfflineFeatures:
    """Facts read and put into order once, for questions that come in parts."""

    def __init__(self, features: FeatureSet, facts: Facts, prepared: Prepared | None = None) -> None:
        """Read the facts; see `offline_features`."""
        self._features = features
        self.events = _events(features, facts)
        self.visible: dict[str, VisibleFacts] = {}
        for view in features.declared:
            if isinstance(view, FeatureView):
                source = features.source_of(view)
                ready, rows = prepared(view) if prepared is not None else (None, facts(source.name))
                new = visible(view, source, rows)
                self.visible[view.name] = new if ready is None else VisibleFacts.together([ready, new])

    def __call__(self, questions: pl.DataFrame, at: str) -> pl.DataFrame:
        """One row a question, in the same order; see `offline_features`."""
        newest = self._newest(questions, at)
        columns: list[pl.Series] = []
        for view in self._features.declared:
            match view:
                case RequestFeatures():
                    block = view.function(questions.lazy()).collect()
                case FeatureView():
                    block = newest[view.name]
                case Aggregation():
                    block = aggregation_values(view, questions, at, self.events[view.source.name])
            columns += [_finite(series).alias(feature_name(view.name, series.name)) for series in block]
        return pl.DataFrame(columns)

    def _newest(self, questions: pl.DataFrame, at: str) -> dict[str, pl.DataFrame]:
        """The features of each feature view."""
        views = [view for view in self._features.declared if isinstance(view, FeatureView)]
        asked: dict[tuple[str, ...], Questions] = {}
        for entity in {view.entity for view in views}:
            rows = questions.select(*entity, _instant(at).alias("_at")).with_columns(whole_keys(entity))
            asked[entity] = Questions(rows, entity, "_at")

        def newest(view: FeatureView) -> pl.DataFrame:
            return self.visible[view.name].newest(asked[view.entity], view.max_age)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(newest, views) if questions.height > _MANY else map(newest, views)
            return dict(zip([view.name for view in views], found, strict=True))


def _events(features: FeatureSet, facts: Facts) -> dict[str, pl.DataFrame]:
    """What aggregations need of each source: read once, however many there are."""
    wanted: dict[str, set[str]] = {}
    sources: dict[str, Source] = {}
    for view in features.declared:
        if isinstance(view, Aggregation):
            wanted.setdefault(view.source.name, set()).update(view.reads)
            sources[view.source.name] = view.source
    return {
        name: with_corrections(sources[name], facts(name).select(sorted(columns)).collect())
        for name, columns in wanted.items()
    }


def _finite(values: pl.Series) -> pl.Series:
    """As `finite`; a column that is finite, as nearly all are, is not written anew."""
    if not values.dtype.is_float() or (whole := values.is_finite()).all():
        return values
    return values.set(~whole, None)


def finite() -> pl.Expr:
    """Columns of floats with null for NaN and infinity, which the record of a prediction cannot carry."""
    return pl.when(cs.float().is_finite()).then(cs.float())


def view_facts(view: FeatureView, source: Source, rows: pl.LazyFrame, *, online: bool = False) -> pl.LazyFrame:
    """The view's facts: entity, the two times, then its features. What lacks one of its times is no fact."""
    times = dict.fromkeys((source.event_time, source.known))
    facts = view.facts(rows.drop("_version", strict=False), online=online).drop_nulls(list(times))
    rest = [name for name in facts.collect_schema() if name not in (*view.entity, *times)]
    return facts.select(*view.entity, *map(_instant, times), *rest)


def visible(view: FeatureView, source: Source, rows: pl.LazyFrame) -> VisibleFacts:
    """A view's facts in the order in which they can be seen."""
    facts = view_facts(view, source, rows).with_columns(
        pl.col(source.event_time).alias("_e"), pl.col(source.known).alias("_k"), whole_keys(view.entity)
    )
    facts = facts.drop(*dict.fromkeys((source.event_time, source.known)))
    return VisibleFacts.of(facts.collect(), by=view.entity, event="_e", known="_k")


def _instant(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
