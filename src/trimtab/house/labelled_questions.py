"""Questions asked, and answered by the truth: what models learn from."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import polars as pl

from trimtab.data.versions import Versions
from trimtab.features.offline import Facts, Prepared, offline_features
from trimtab.monitoring.labels import truth
from trimtab.system import System
from trimtab.training.pipeline import AT, KEY, LABEL
from trimtab.training.spec import TrainingSpec


def labelled_questions(
    system: System, until: datetime, facts: Facts, prepared: Prepared | None = None
) -> pl.DataFrame:
    """Each question up to an instant whose truth was known by then: key, fields, instant, label, features.

    For `facts` and `prepared` see `offline_features`.
    """
    asked, label = system.question, system.label
    fields = [name for name in system.request_fields if name != asked.key]
    given = None if label.feedback is None else facts(label.feedback.name)
    known = truth(label, facts(label.source.name), until, given)
    answered = known.select(pl.col("key").alias(asked.key), pl.col("label").alias(LABEL))
    questions = (
        facts(asked.source.name)
        .filter(pl.col(asked.at) <= until)
        .unique(asked.key, keep="last", maintain_order=True)
        .select(pl.col(asked.key), *fields, pl.col(asked.at).alias(AT))
        .join(answered, on=asked.key)
        .sort(AT, asked.key)
        .collect()
    )
    features = offline_features(system.feature_set, questions, AT, facts, prepared)
    return pl.concat([questions.rename({asked.key: KEY}), features], how="horizontal")


def pinned(versions: Versions, spec: TrainingSpec) -> Facts:
    """The rows of the dataset versions that a training was made from."""
    return lambda source: versions.frame(source, pinned_number(spec, source))


def pinned_number(spec: TrainingSpec, source: str) -> int:
    """Which version of a source a training was made from."""
    return cast("list[int]", spec.sources[source])[0]
