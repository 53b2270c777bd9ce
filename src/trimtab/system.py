"""The system: what is declared and cared for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import polars as pl

from trimtab.data.check import check_source
from trimtab.data.check_checks import check_checks
from trimtab.data.leak_check import check_leaks
from trimtab.data.reading import open_source
from trimtab.deployment.policies import CanaryPolicy, RolloutPolicy, blue_green
from trimtab.features.check import check_features
from trimtab.features.feature_set import Declared, FeatureSet
from trimtab.features.request_frame import TYPES, request_type
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import (
    DeclarationInvalid,
    Misdeclared,
    NaiveTime,
    TrimtabError,
    listed,
)
from trimtab.kernel.label import Label
from trimtab.kernel.moment import duration, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.question import Question
from trimtab.kernel.source import Source
from trimtab.monitoring.monitors import Performance
from trimtab.retraining.triggers import Monthly
from trimtab.serving.check_fallbacks import check_fallbacks
from trimtab.serving.check_retention import check_retention
from trimtab.serving.fallbacks import DeclaredFallback
from trimtab.serving.retention import KEEP_EVERYTHING, Retention
from trimtab.training.check import check_label
from trimtab.training.check_formats import check_formats
from trimtab.training.pipeline import RESERVED
from trimtab.training.training_data import TrainingData
from trimtab.validation.trial import Gate

ALL = "all"  # the window that reaches back to the first row
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_ONE: dict[str, tuple[type, ...]] = {"question": (Question,), "label": (Label,), "rollout": (RolloutPolicy,)}
_SEVERAL: dict[str, tuple[type, ...]] = {
    "sources": (Source,),
    "features": get_args(Declared),
    "gates": (Gate,),
    "monitors": (Performance,),
    "retrain": (Monthly,),
    "fallback": (DeclaredFallback,),
}


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
        windows: how far back training may reach, e.g. ("all", "91d"); a backtest on the held-out part chooses.
        rollout: how a new release takes over.
        monitors: what is measured in production.
        retrain: when a new model is trained.
        allow_formats: model formats that run code when they are loaded, e.g. ["pickle"]; the others need no leave.
        fallback: what answers, in this order, when a release or its feature store cannot; such answers are marked.
        log: how long predictions are kept, and which share of them; all of them for ever, if it is left out.
    """

    name: str
    sources: Sequence[Source]
    question: Question
    label: Label
    features: Sequence[Declared]
    train: Callable[[TrainingData], Any]
    gates: Sequence[Gate] = ()
    holdout: str | timedelta = "28d"
    windows: Sequence[str] = (ALL,)
    rollout: RolloutPolicy = field(default_factory=blue_green)
    monitors: Sequence[Performance] = ()
    retrain: Sequence[Monthly] = ()
    place: str = field(default_factory=lambda: caller(3))
    allow_formats: Sequence[str] = ()
    fallback: Sequence[DeclaredFallback] = ()
    log: Retention = KEEP_EVERYTHING

    @property
    def feature_set(self) -> FeatureSet:
        """The features with their sources."""
        # The first of two sources of one name, which `check` has looked at.
        return FeatureSet(tuple(self.features), {source.name: source for source in reversed(self.sources)})

    @property
    def holdout_us(self) -> int:
        """In microseconds."""
        return duration_us(duration(self.holdout, "holdout"))

    @property
    def windows_us(self) -> tuple[int, ...]:
        """In microseconds; 0 is all history."""
        return tuple(0 if one == ALL else duration_us(duration(one, "windows")) for one in self.windows)

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
        # What few systems declare stands there only if they do: entries of before stay what they were.
        told: dict[str, Json] = {"allow_formats": list(self.allow_formats)} if self.allow_formats else {}
        if self.fallback:
            told["fallback"] = [one.name for one in self.fallback]
        if self.log.body() != KEEP_EVERYTHING.body():
            told["log"] = self.log.body()
        return told | {
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
        problems = list(self._strangers())
        if all(isinstance(getattr(self, name), kinds) for name, kinds in _ONE.items()):
            known: dict[str, Any] = {name: self._known(name) for name in _SEVERAL}
            problems += replace(self, **known)._problems(project)
        if problems:
            raise DeclarationInvalid(self.name, problems)
        self.definition()  # versions are read from source files, which may change while the process lives

    def _known(self, argument: str) -> list[Any]:
        given = getattr(self, argument)
        listed_ones = given if isinstance(given, list | tuple) else []
        return [one for one in listed_ones if isinstance(one, _SEVERAL[argument])]

    def _strangers(self) -> Iterator[TrimtabError]:
        """What stands where something else must stand; the rest is looked at without it."""
        for argument, kinds in (_ONE | _SEVERAL).items():
            given = getattr(self, argument)
            several = argument in _SEVERAL
            allowed = listed(kind.__name__ for kind in kinds)
            if several and not isinstance(given, list | tuple):
                yield self._wrong(
                    f"{argument} is not a list",
                    allowed=f"a list of {allowed}",
                    got=repr(given),
                    do=f"declare {argument}=[…]",
                )
                continue
            for one in given if several else [given]:
                if not isinstance(one, kinds):
                    yield self._wrong(
                        f"{argument} holds what cannot stand there",
                        allowed=allowed,
                        got=getattr(one, "__qualname__", None) or repr(one),
                        do="give what the declaration returns: decorate the function, or call it",
                    )
        for argument in ("features", "gates"):
            if not getattr(self, argument):
                yield self._wrong(
                    f"has no {argument}", allowed="at least one", got="none", do=f"declare {argument}=[…]"
                )

    def _problems(self, project: Path) -> Iterator[TrimtabError]:
        if not _NAME.fullmatch(self.name):
            yield self._wrong(
                "has a name that cannot be used", allowed=_NAME.pattern, got=self.name, do="rename it"
            )
        schemas: dict[str, pl.Schema] = {}
        for source in self.sources:
            yield from check_source(source, project, schemas)
        yield from check_checks(self.sources, schemas)
        request = pl.Schema()
        if self._listed(self.question.source):
            yield from self._question(schemas.get(self.question.source.name), request)
        else:
            yield self._unlisted("question", self.question.source, self.question.place)
        unlisted = [one for one in self.label.sources if not self._listed(one)]
        yield from (self._unlisted("label", one, self.label.place) for one in unlisted)
        if not unlisted:
            yield from check_label(self.label, self.question, schemas)
            yield from check_leaks(self.sources, self.label, project, schemas)
        if request:
            yield from check_features(self.feature_set, request, schemas)
        else:  # what is asked is not known: only what features say of themselves is certain
            yield from (one for view in self.features for one in getattr(view, "problems", ()))
        yield from self._settings(request)

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
            elif argument == "fields" and column in RESERVED:
                yield Misdeclared(
                    "question",
                    self.name,
                    f"{argument} names a column that training uses itself",
                    where=asked.place,
                    allowed=f"any name but {listed(RESERVED)}",
                    got=column,
                    do="rename the column where the source is read",
                )
            elif argument == "at" and getattr(schema[column], "time_zone", None) is None:
                yield NaiveTime(f"question: column '{column}'", str(schema[column]), where=asked.place)
            elif argument == "fields":
                try:
                    request[column] = TYPES[request_type(column, schema[column], asked.place)]
                except TrimtabError as error:
                    yield error

    def _settings(self, request: pl.Schema) -> Iterator[TrimtabError]:
        if not callable(self.train):
            yield self._wrong(
                "has no training function",
                allowed="a function of TrainingData",
                got=repr(self.train),
                do="declare train=",
            )
        # The key names a single row: there is nothing in its slices.
        fields = [one for one in self.request_fields if one != self.question.key]
        for gate in self.gates:
            yield from gate.problems(fields)
        for number, monitor in enumerate(self.monitors):
            yield from monitor.problems()
            if monitor.metric in (one.metric for one in self.monitors[:number]):
                yield Misdeclared(
                    "monitor",
                    monitor.metric,
                    "is declared more than once",
                    where=monitor.place,
                    allowed="one monitor a metric: what is measured is kept by the metric's name",
                    got=monitor.metric,
                    do="keep one of them",
                )
        for trigger in self.retrain:
            yield from trigger.problems()
        # The type of a field that has a problem of its own is not known.
        yield from self.rollout.problems(
            {one: str(request[one]) if one in request else "" for one in self.request_fields}
        )
        try:
            duration(self.holdout, "holdout")
        except TrimtabError as error:
            yield error.at(self.place)
        yield from self._windows()
        yield from check_formats(self.allow_formats, self.name, self.place)
        yield from check_fallbacks(self.fallback, self.label.kind)
        yield from check_retention(self.log, self.name, self.place, self._looks_back())

    def _looks_back(self) -> dict[str, timedelta]:
        """How old the predictions are that are read again, at most, by what reads them; what cannot be read is told
        elsewhere.
        """
        found: dict[str, timedelta] = {}
        with suppress(TrimtabError):
            for one in self.monitors:  # a month of any zone, once its labels have settled
                found[f"monitor {one.metric}"] = timedelta(days=33) + duration(one.settle, "settle")
            if isinstance(self.rollout, CanaryPolicy):
                settle = duration(self.rollout.settle, "settle")
                found["the rollout"] = timedelta(days=2) + duration(self.rollout.horizon, "horizon") + settle
        return found

    def _windows(self) -> Iterator[TrimtabError]:
        if not isinstance(self.windows, list | tuple) or not self.windows:
            allowed, do = 'a list, e.g. ["all", "91d"]', 'declare windows=["all"]'
            yield self._wrong("has no training windows", allowed=allowed, got=repr(self.windows), do=do)
            return
        try:
            self.windows_us  # noqa: B018 - it raises what is wrong
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
