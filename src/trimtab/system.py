"""The system: what is declared and cared for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl

from trimtab.data.reading import open_source
from trimtab.deployment.policies import BlueGreen, blue_green
from trimtab.features.check import check_features
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.request_frame import TYPES, request_type
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import (
    DeclarationInvalid,
    Misdeclared,
    NaiveTime,
    SourceUnreadable,
    TrimtabError,
    UnknownName,
    listed,
)
from trimtab.kernel.label import KINDS, Label
from trimtab.kernel.moment import duration, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.question import Question
from trimtab.kernel.source import Source
from trimtab.monitoring.monitors import Performance
from trimtab.retraining.triggers import Monthly
from trimtab.stats.metrics import METRICS
from trimtab.training.training_data import TrainingData
from trimtab.validation.trial import Gate

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, eq=False)
class System:
    """One production ML system, from its sources to its retraining.

    Args:
        name: lower case letters, digits, '-' and '_'.
        sources: every source that features, question and label use.
        question: what a prediction answers, and when it is asked.
        label: the truth, and where it arrives.
        features: in the order of the model's columns.
        train: from training data to a model.
        gates: what a challenger must pass.
        holdout: the last part of the training period, on which gates judge.
        rollout: how a new release takes over.
        monitors: what is measured in production.
        retrain: when a new model is trained.
    """

    name: str
    sources: Sequence[Source]
    question: Question
    label: Label
    features: Sequence[Declared]
    train: Callable[[TrainingData], Any]
    gates: Sequence[Gate] = ()
    holdout: str | timedelta = "28d"
    rollout: BlueGreen = field(default_factory=blue_green)
    monitors: Sequence[Performance] = ()
    retrain: Sequence[Monthly] = ()
    place: str = field(default_factory=lambda: caller(3))

    @property
    def feature_set(self) -> FeatureSet:
        """The features with their sources."""
        return FeatureSet(tuple(self.features), {source.name: source for source in self.sources})

    @property
    def holdout_us(self) -> int:
        """In microseconds."""
        return duration_us(duration(self.holdout, "holdout"))

    @property
    def request_fields(self) -> tuple[str, ...]:
        """What a request carries: the key, then the fields."""
        return tuple(dict.fromkeys((self.question.key, *self.question.fields)))

    def request_types(self, project: Path) -> tuple[tuple[str, str], ...]:
        """(field, type) of a request, from the question's source."""
        schema = open_source(self.question.source, project).collect_schema()
        return tuple((name, request_type(name, schema[name], self.question.place)) for name in self.request_fields)

    def definition(self) -> dict[str, Json]:
        """What the ledger keeps of the declaration: names and versions."""
        return {
            "sources": [source.name for source in self.sources],
            "features": [list(one) for one in self.feature_set.versions],
            "label": self.label.body(),
            "gates": [gate.name for gate in self.gates],
            "rollout": self.rollout.name,
            "monitors": [monitor.metric for monitor in self.monitors],
            "retrain": [trigger.name for trigger in self.retrain],
        }

    def check(self, project: Path) -> None:
        """Find everything that is wrong with the declaration, before anything runs.

        Raises:
            DeclarationInvalid: with all problems.
        """
        problems = list(self._problems(project))
        if problems:
            raise DeclarationInvalid(self.name, problems)

    def _problems(self, project: Path) -> Iterator[TrimtabError]:
        if not _NAME.fullmatch(self.name):
            yield self._wrong(
                "has a name that cannot be used", allowed=_NAME.pattern, got=self.name, do="rename it"
            )
        schemas: dict[str, pl.Schema] = {}
        for source in self.sources:
            yield from self._source(source, project, schemas)
        request = pl.Schema()
        if self._listed(self.question.source):
            yield from self._question(schemas.get(self.question.source.name), request)
        else:
            yield self._unlisted("question", self.question.source, self.question.place)
        yield from self._label(schemas)
        yield from check_features(self.feature_set, request, schemas)
        yield from self._settings()

    def _source(self, source: Source, project: Path, schemas: dict[str, pl.Schema]) -> Iterator[TrimtabError]:
        if [one.name for one in self.sources].count(source.name) > 1 and source.name in schemas:
            yield Misdeclared(
                "source", source.name, "is declared more than once", where=source.place, do="give each its own name"
            )
            return
        try:
            schema = open_source(source, project).collect_schema()
        except TrimtabError as error:
            yield error
            return
        except (pl.exceptions.PolarsError, OSError) as error:
            got = str(error).splitlines()[0]
            yield SourceUnreadable(source.name, where=source.place, got=got, do="mend the file")
            return
        schemas[source.name] = schema
        for argument, column in [
            ("event_time", source.event_time),
            ("known_time", source.known),
            *(("key", one) for one in source.keys),
        ]:
            if column not in schema:
                yield Misdeclared(
                    "source",
                    source.name,
                    f"{argument} names a column that does not exist",
                    where=source.place,
                    allowed=listed(schema),
                    got=column,
                    do="name one of the columns",
                )
            elif argument != "key" and getattr(schema[column], "time_zone", None) is None:
                yield NaiveTime(
                    f"{argument} of source '{source.name}'", f"{column}: {schema[column]}", where=source.place
                )
        contract = source.contract
        if (
            contract is not None
            and not isinstance(contract, pa.DataFrameSchema)
            and not hasattr(contract, "to_schema")
        ):
            yield Misdeclared(
                "source",
                source.name,
                "has a contract of an unknown kind",
                where=source.place,
                allowed="a pandera DataFrameSchema or DataFrameModel for Polars",
                got=type(contract).__name__,
                do="import pandera.polars as pa",
            )

    def _question(self, schema: pl.Schema | None, request: pl.Schema) -> Iterator[TrimtabError]:
        if schema is None:
            return
        asked = self.question
        for argument, column in [("at", asked.at), *(("fields", one) for one in self.request_fields)]:
            if column not in schema:
                yield Misdeclared(
                    "question",
                    self.name,
                    f"{argument} names a column that does not exist",
                    where=asked.place,
                    allowed=f"columns of source '{asked.source.name}': {listed(schema)}",
                    got=column,
                    do="name one of the columns",
                )
            elif argument == "at" and getattr(schema[column], "time_zone", None) is None:
                yield NaiveTime(f"question: column '{column}'", str(schema[column]), where=asked.place)
            elif argument == "fields":
                try:
                    request[column] = TYPES[request_type(column, schema[column], asked.place)]
                except TrimtabError as error:
                    yield error

    def _label(self, schemas: dict[str, pl.Schema]) -> Iterator[TrimtabError]:
        label = self.label
        if label.kind not in KINDS:
            yield Misdeclared(
                "label",
                label.column,
                "is of an unknown kind",
                where=label.place,
                allowed=listed(KINDS),
                got=label.kind,
            )
        if not self._listed(label.source):
            yield self._unlisted("label", label.source, label.place)
            return
        schema = schemas.get(label.source.name)
        if schema is not None and label.column not in schema:
            yield Misdeclared(
                "label",
                label.column,
                "is not a column of its source",
                where=label.place,
                allowed=f"columns of source '{label.source.name}': {listed(schema)}",
                got=label.column,
                do="name one of the columns",
            )

    def _settings(self) -> Iterator[TrimtabError]:
        if not callable(self.train):
            yield self._wrong(
                "has no training function", allowed="a function of TrainingData", got=repr(self.train)
            )
        if not self.features:
            yield self._wrong("has no features", allowed="at least one", do="declare features=[…]")
        if not self.gates:
            allowed = "at least one gate: nothing goes to production unjudged"
            yield self._wrong("has no gates", allowed=allowed, do="declare gates=[tt.gates.floor(…), …]")
        for gate in self.gates:
            if gate.metric not in METRICS:
                yield UnknownName("metric", gate.metric, METRICS, where=gate.place)
            if gate.slice_by and gate.slice_by not in self.request_fields:
                yield Misdeclared(
                    "gate",
                    gate.name,
                    "slices by a field that no request carries",
                    where=gate.place,
                    allowed=listed(self.request_fields),
                    got=gate.slice_by,
                    do="slice by one of them, or add the field to the question",
                )
        for monitor in self.monitors:
            yield from monitor.problems()
        for trigger in self.retrain:
            yield from trigger.problems()
        try:
            duration(self.holdout, "holdout")
        except TrimtabError as error:
            yield error.at(self.place)

    def _listed(self, source: Source) -> bool:
        return any(one is source for one in self.sources)

    def _unlisted(self, what: str, source: Source, place: str) -> TrimtabError:
        return Misdeclared(
            what,
            self.name,
            "uses a source that the system does not list",
            where=place,
            allowed=listed(one.name for one in self.sources),
            got=source.name,
            do="add it to System(sources=…)",
        )

    def _wrong(self, what: str, *, allowed: str = "", got: str = "", do: str = "") -> TrimtabError:
        return Misdeclared("system", self.name, what, where=self.place, allowed=allowed, got=got, do=do)
