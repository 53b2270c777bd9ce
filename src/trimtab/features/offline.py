"""Features of many rows at once, from dataset versions: for training sets, replay and parity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import polars.selectors as cs

from trimtab.features.aggregation import Aggregation
from trimtab.features.bitemporal_join import bitemporal_join
from trimtab.features.feature_set import FeatureSet, feature_name
from trimtab.features.measures import MEASURES
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.features.windows import WINDOWS, Events
from trimtab.kernel.moment import duration_text, duration_us
from trimtab.kernel.source import Source

Facts = Callable[[str], pl.LazyFrame]  # the rows of a source by its name


def offline_features(features: FeatureSet, questions: pl.DataFrame, at: str, facts: Facts) -> pl.DataFrame:
    """The features of each question as of its instant, from what was known then.

    Args:
        features: what is declared.
        questions: the request's fields and the column `at`; one row a question.
        at: the instant of each question (aware).
        facts: gives the rows of a source; those known after a question do not count for it.

    Returns:
        One row a question, in the same order; columns 'view.column' in declared order.
    """
    columns: list[pl.Series] = []
    events = _events(features, facts)
    for view in features.declared:
        match view:
            case RequestFeatures():
                block = view.function(questions.lazy()).collect()
            case FeatureView():
                source = features.source_of(view)
                block = _view(view, source, questions, at, facts(source.name))
            case Aggregation():
                block = aggregation_values(view, questions, at, events[view.source.name])
        columns += [series.alias(feature_name(view.name, series.name)) for series in block]
    return pl.DataFrame(columns).with_columns(finite())


def _events(features: FeatureSet, facts: Facts) -> dict[str, pl.DataFrame]:
    """What aggregations need of each source: read once, however many there are."""
    wanted: dict[str, set[str]] = {}
    for view in features.declared:
        if isinstance(view, Aggregation):
            columns = {*view.by, view.of, view.source.event_time, view.source.known}
            wanted.setdefault(view.source.name, set()).update(columns)
    return {name: facts(name).select(sorted(columns)).collect() for name, columns in wanted.items()}


def finite() -> pl.Expr:
    """Columns of floats with null for NaN and infinity, which the record of a prediction cannot carry."""
    return pl.when(cs.float().is_finite()).then(cs.float())


def view_facts(view: FeatureView, source: Source, rows: pl.LazyFrame, *, online: bool = False) -> pl.LazyFrame:
    """The view's facts: entity, the two times, then its features. What lacks one of its times is no fact."""
    times = dict.fromkeys((source.event_time, source.known))
    function = view.push if online and view.push is not None else view.function
    facts = function(rows.drop("_version", strict=False)).drop_nulls(list(times))
    rest = [name for name in facts.collect_schema() if name not in (*view.entity, *times)]
    return facts.select(*view.entity, *map(_instant, times), *rest)


def _view(view: FeatureView, source: Source, questions: pl.DataFrame, at: str, rows: pl.LazyFrame) -> pl.DataFrame:
    facts = view_facts(view, source, rows).with_columns(
        pl.col(source.event_time).alias("_e"), pl.col(source.known).alias("_k")
    )
    facts = facts.drop(*dict.fromkeys((source.event_time, source.known)))
    asked = questions.lazy().select(*view.entity, _instant(at).alias("_at"))
    keys = _whole(view.entity)
    joined = bitemporal_join(
        asked.with_columns(keys),
        facts.with_columns(keys),
        by=view.entity,
        at="_at",
        event="_e",
        known="_k",
        max_age=view.max_age,
    )
    return joined.drop(*view.entity, "_at", "_age").collect()


def aggregation_values(view: Aggregation, questions: pl.DataFrame, at: str, rows: pl.DataFrame) -> pl.DataFrame:
    """An aggregation's columns for each question. A question with a null key has no values."""
    rows = rows.with_columns(_whole(view.by))
    keys = rows.select(view.by).drop_nulls().unique(maintain_order=True).with_row_index("_group")
    measured = rows.filter(pl.col(view.of).cast(pl.Float64).is_finite()).join(keys, on=view.by)
    events = Events(
        group=measured["_group"].cast(pl.Int64).to_numpy(),
        event_us=_us(measured[view.source.event_time]),
        known_us=_us(measured[view.source.known]),
        value=measured[view.of].cast(pl.Float64).to_numpy(),
    )
    asked = (
        questions.select(view.by)
        .with_columns(_whole(view.by))
        .join(keys, on=view.by, how="left", maintain_order="left")
    )
    unseen = keys.height  # a group without events, for keys that no row has
    group = asked["_group"].cast(pl.Int64).fill_null(unseen).to_numpy()
    keyed = questions.select(pl.all_horizontal(pl.col(*view.by).is_not_null())).to_series()
    values = window_values(view, events, group, _us(questions[at]))
    return pl.DataFrame(
        {
            name: pl.Series(column, nan_to_null=True).zip_with(keyed, _nulls(len(keyed)))
            for name, column in values.items()
        }
    )


def window_values(view: Aggregation, events: Events, group: np.ndarray, at_us: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of each question's windows: the one definition, used offline and online."""
    window = WINDOWS[view.window_on](events)
    values = {}
    for span in view.windows:
        count, total = window.totals(group, at_us, duration_us(span))
        for how in view.how:
            value = MEASURES[how](count, total)
            values[f"{how}_{duration_text(span)}"] = np.where(np.isfinite(value), value, np.nan)
    return values


def _whole(keys: Sequence[str]) -> pl.Expr:
    """Keys that are integers as those of a request: 64 bits."""
    return (cs.integer() & cs.by_name(*keys)).cast(pl.Int64)


def _instant(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def _us(series: pl.Series) -> np.ndarray:
    return series.dt.epoch("us").to_numpy()


def _nulls(count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.Float64).new_from_index(0, count)
