"""What a refused leak would have done: the promise on history, and what serving would have kept of it.

The leaky system reads the label's table as if each outcome were known at once. On history, where outcomes stand in
the table whenever one looks, its features hold the outcome of every row up to the asked-about event itself. Served,
the same features hold only what was known when the question was asked. One model, two views of the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.features.aggregation import Aggregation
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.offline import Facts, offline_features
from trimtab.features.on_request import RequestFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import Refused, listed
from trimtab.kernel.moment import aware
from trimtab.simulation.period import Period
from trimtab.stats.roc_auc import roc_auc
from trimtab.system import System
from trimtab.training.pipeline import AT, LABEL
from trimtab.training.training_data import TrainingData, encode, learn_features
from trimtab.wiring.models import MODELS

BEFORE = "_before"  # the last instant before the event that is asked about
_KNOWN = "_known"  # when the label became known
_SEED = 7
_AT_ONCE = 2  # models take one thread each

ByMonth = Mapping[str, float]  # "2013-04" → ROC AUC
Model = Callable[[pl.DataFrame], NDArray[np.float64]]  # features → scores


@dataclass(frozen=True)
class LeakBacktest:
    """ROC AUC of models trained once, before the period, by calendar month of the question."""

    offline: ByMonth  # of the leaky model, on features as history shows them
    served: ByMonth  # of the same model, on the same features as of the question
    honest: ByMonth  # of the system without the leak

    def body(self) -> dict[str, Json]:
        """`offline_auc`, `served_auc` and `honest_auc`: means of the months; and each by month."""
        found: dict[str, Json] = {}
        for name, months in (("offline", self.offline), ("served", self.served), ("honest", self.honest)):
            found[f"{name}_auc"] = float(np.mean(list(months.values())))
            found[f"{name}_auc_by_month"] = dict(months)
        return found


def leak_backtest(honest: System, leaky: System, facts: Facts, period: Period, every: int = 1) -> LeakBacktest:
    """Train both systems on what was known when the period starts, and judge them on its months.

    Args:
        honest: the system as it is.
        leaky: the same question and label; a source that `honest` has not is the label's table, known too early.
        facts: the rows of each source of `honest`.
        period: models learn from questions before its start; its questions and its zone's months judge them.
        every: one in so many of the period's questions judges; of all months and hours the same share.

    Raises:
        Refused: the leaky system has no source of its own.
    """
    rows = _labelled(honest, facts, period)
    judges = (pl.int_range(pl.len()) % every == 0) | (pl.col(AT) <= aware(period.start))
    rows = rows.filter(judges)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        views = pool.submit(two_views, honest, leaky, rows, facts)
        features = pool.submit(offline_features, honest.feature_set, rows, AT, facts).result()
        as_seen, as_served = views.result()
        promised = pool.submit(_learnt, leaky, rows, as_seen, period)
        sound = _learnt(honest, rows, features, period)
        asked = [(promised.result(), as_seen), (promised.result(), as_served), (sound, features)]
        return LeakBacktest(*(_by_month(model, rows, frame, period, pool) for model, frame in asked))


def _labelled(system: System, facts: Facts, period: Period) -> pl.DataFrame:
    """Every question with a label, in order: the request's fields, AT, BEFORE, LABEL, _KNOWN."""
    asked, label = system.question, system.label
    truth = facts(label.source.name).select(
        pl.col(label.source.keys[0]).alias(asked.key),
        pl.col(label.column).cast(pl.Float64).alias(LABEL),
        pl.col(label.source.known).alias(_KNOWN),
    )
    questions = facts(asked.source.name).select(
        *system.request_fields,
        pl.col(asked.at).alias(AT),
        (pl.col(asked.source.event_time) - pl.duration(microseconds=1)).alias(BEFORE),
    )
    return (
        questions.filter(pl.col(AT) <= aware(period.until))
        .unique(asked.key, keep="last", maintain_order=True)
        .join(truth.drop_nulls().unique(asked.key, keep="last", maintain_order=True), on=asked.key)
        .sort(AT, asked.key)
        .collect()
    )


def two_views(honest: System, leaky: System, rows: pl.DataFrame, facts: Facts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The leaky system's features: as history shows them, and as of the questions.

    Args:
        honest: the system as it is.
        leaky: the one whose features are computed.
        rows: the fields of a request, AT and BEFORE; one row a question.
        facts: the rows of each source of `honest`.

    Raises:
        Refused: the leaky system has no source of its own.
    """
    truth, named = honest.label.source, {source.name for source in honest.sources}
    early = {source.name: source for source in leaky.sources if source.name not in named}
    if not early:
        raise Refused(
            f"the backtest of system '{leaky.name}'",
            because=f"it reads {listed(named)}, as '{honest.name}' does",
            allowed="a system with a source of its own, which says too early what is known",
            do="name the system that leaks",
        )
    in_time = {name: replace(source, known_time=truth.known) for name, source in early.items()}
    told = leaky.feature_set.sources
    declared = leaky.feature_set.declared
    leaks = [view for view in declared if _source(view) in early]
    sound = [view for view in declared if _source(view) not in early]
    mended = [
        replace(view, source=in_time[view.source.name]) if isinstance(view, Aggregation) else view for view in leaks
    ]

    def read(name: str) -> pl.LazyFrame:
        return facts(truth.name if name in early else name)

    shared = offline_features(FeatureSet(tuple(sound), told), rows, AT, read)
    seen = offline_features(FeatureSet(tuple(leaks), told), rows, BEFORE, read)
    served = offline_features(FeatureSet(tuple(mended), {**told, **in_time}), rows, AT, read)
    return pl.concat([shared, seen], how="horizontal"), pl.concat([shared, served], how="horizontal")


def _source(view: Declared) -> str:
    match view:
        case RequestFeatures():
            return ""
        case FeatureView():
            return view.chain[0].source
        case Aggregation():
            return view.source.name


def _learnt(system: System, rows: pl.DataFrame, features: pl.DataFrame, period: Period) -> Model:
    """A model of what was known when the period starts."""
    start = aware(period.start)
    known = rows.select((pl.col(AT) <= start) & (pl.col(_KNOWN) <= start)).to_series()
    learnt, truth = features.filter(known), rows.filter(known)[LABEL].to_numpy()
    schema = learn_features(learnt, learnt.columns)
    model = system.train(TrainingData(encode(learnt, schema), truth, schema, seed=_SEED))
    stored = MODELS.store(model, system.allow_formats, where=system.place)
    predictor = MODELS.of(stored).load(stored)
    return lambda asked: predictor.predict(encode(asked, schema))


def _by_month(
    model: Model, rows: pl.DataFrame, features: pl.DataFrame, period: Period, pool: ThreadPoolExecutor
) -> ByMonth:
    """ROC AUC of a model on the period's questions."""
    month = pl.col(AT).dt.convert_time_zone(period.zone).dt.strftime("%Y-%m")
    asked = rows.select(pl.when(pl.col(AT) > aware(period.start)).then(month)).to_series()
    months = asked.drop_nulls().unique().sort()

    def auc(one: str) -> float:
        return roc_auc(rows.filter(asked == one)[LABEL].to_numpy(), model(features.filter(asked == one)))

    return dict(zip(months, pool.map(auc, months), strict=True))
