"""Where feature values came from: the source rows behind them, and the dataset versions that brought those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from trimtab.features.aggregation import Aggregation
from trimtab.features.corrections import UNTIL, with_corrections
from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import view_facts
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.features.window_values import VALUE, kind_of, measured
from trimtab.features.windows.events import NEVER
from trimtab.kernel.source import Source

_SHOWN = 3


@dataclass(frozen=True)
class Provenance:
    """The rows behind one view's values."""

    view: str
    source: str  # "the request" for features of the request itself
    rows: int  # how many source rows decided the values
    shown: list[dict[str, Any]]  # the newest of them
    versions: tuple[int, ...]  # of the dataset, oldest and newest that brought them
    newest: datetime | None = None  # when the newest of them became known


def provenance(
    features: FeatureSet, question: pl.DataFrame, at: datetime, facts: Callable[[str], pl.LazyFrame]
) -> list[Provenance]:
    """For each view the source rows that decided the values of one question.

    Args:
        features: what the release declares.
        question: one row with the request's fields.
        at: its instant.
        facts: the rows of a source by its name, with the column `_version`.
    """
    found = []
    for view in features.declared:
        match view:
            case RequestFeatures():
                found.append(Provenance(view.name, "the request", 1, question.to_dicts(), ()))
            case FeatureView():
                source = features.source_of(view)
                found.append(_told(view.name, source, _newest(view, source, question, at, facts(source.name))))
            case Aggregation():
                rows = _window(view, question, at, facts(view.source.name))
                found.append(_told(view.name, view.source, rows))
    return found


def _newest(
    view: FeatureView, source: Source, question: pl.DataFrame, at: datetime, rows: pl.LazyFrame
) -> pl.DataFrame:
    facts = view_facts(view, source, rows).join(question.lazy().select(view.entity), on=view.entity)
    seen = facts.filter(pl.col(source.event_time) <= at, pl.col(source.known) <= at)
    newest = seen.sort(source.event_time, source.known, maintain_order=True).tail(1)
    if view.max_age is not None:
        newest = newest.filter(pl.lit(at) - pl.col(source.event_time) <= view.max_age)
    named = dict.fromkeys((*view.entity, source.event_time, source.known))
    same = [name for name in named if name in rows.collect_schema()]
    return rows.join(newest.select(same), on=same).collect()


def _window(view: Aggregation, question: pl.DataFrame, at: datetime, rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows that count: of each fact the newest version known at the instant, if it is in the longest window."""
    time = view.source.known if view.window_on == "known_time" else view.source.event_time
    known = with_corrections(view.source, rows.filter(pl.col(view.source.known) <= at).collect())
    if UNTIL in known.columns:
        known = known.filter(pl.col(UNTIL) == NEVER).drop(UNTIL)
    counted = measured(view, known.lazy(), kind_of(known.schema[view.of])).drop(VALUE)
    return (
        counted.join(question.lazy().select(view.by), on=view.by)
        .filter(pl.col(time) > at - view.span, pl.col(time) <= at)
        .sort(view.source.known, maintain_order=True)
        .collect()
    )


def _told(view: str, source: Source, rows: pl.DataFrame) -> Provenance:
    versions: tuple[int, ...] = ()
    newest = None
    if rows.height:
        numbers = rows["_version"].unique().sort().to_list()
        versions = tuple(dict.fromkeys((numbers[0], numbers[-1])))
        newest = rows[source.known][-1]
    shown = rows.tail(_SHOWN).drop("_version").to_dicts()
    return Provenance(view, source.name, rows.height, shown, versions, newest)
