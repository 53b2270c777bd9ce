"""Feature views: the newest fact about an entity, if it is not too old."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import polars as pl

from trimtab.features.code import code_digest
from trimtab.features.tags import NONE, Tags, declared_tags
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.moment import duration, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

FrameFunction = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True, eq=False)
class FeatureView:
    """A function over a source, or over another view's facts, whose rows are facts about an entity.

    The function keeps the entity's columns and the source's times; every other column that it returns is a
    feature. Each of its rows must follow from one row of the source, since online it sees new rows only.
    """

    name: str
    function: FrameFunction
    source: str  # the name of the function's parameter: of a source or of another view
    entity: tuple[str, ...]
    max_age: timedelta | None
    description: str
    place: str
    push: FrameFunction | None = None  # makes the online facts, where another function than `function` does
    problems: tuple[TrimtabError, ...] = ()  # reported with all others when the system is applied
    on: FeatureView | None = None  # the view whose facts it takes, as a FeatureSet has found it
    tags: Tags = NONE

    @property
    def chain(self) -> tuple[FeatureView, ...]:
        """The views whose functions make its facts one after the other: that on the source first, itself last."""
        return (*(self.on.chain if self.on else ()), self)

    def standing_on(self, on: FeatureView | None) -> FeatureView:
        """Itself on another view's facts."""
        if on is None:
            return self
        found = replace(self, on=on)
        found.__dict__["_code"] = self._code  # read once, by the declaration itself
        return found

    def facts(self, rows: pl.LazyFrame, *, online: bool = False) -> pl.LazyFrame:
        """What its chain of functions makes of the source's rows; online each by its `push`, where it has one."""
        for view in self.chain:
            rows = (view.push if online and view.push is not None else view.function)(rows)
        return rows

    def version(self, source: Source) -> str:
        """Digest of everything that decides its values; the view itself knows its source by name only."""
        age = None if self.max_age is None else duration_us(self.max_age)
        times: list[Json] = [source.event_time, source.known]
        body: list[Json] = [self.name, source.name, *times, list(self.entity), age, *self._code]
        if self.on is not None:
            body.append({"on": self.on.version(source)})
        return digest(["view", *body])

    @cached_property
    def _code(self) -> list[str]:
        # Once: source files may change while the process lives.
        return [code_digest(one) for one in (self.function, self.push) if one is not None]


def feature_view(
    *,
    entity: str | tuple[str, ...],
    max_age: str | timedelta | None = None,
    name: str = "",
    push: FrameFunction | None = None,
    owner: str = "",
    units: Mapping[str, str] | None = None,
    personal: str | Sequence[str] | None = None,
) -> Callable[[FrameFunction], FeatureView]:
    """Declare a feature view: a function from the lazy frame of a source, or of another view, to features.

    Args:
        entity: the column, or columns, of the request that say which fact is meant.
        max_age: facts older than this (request time minus event time) count as missing; None: any age.
        name: defaults to the function's name.
        push: makes the facts of the online store, where a job of its own pushes them. It must give what the
            function gives: parity holds it to that.
        owner: who answers for it: a team or a person; the source's owner if not given.
        units: of features, e.g. {"temp_f": "°F"}; those not named have the unit that their name ends with.
        personal: features that hold personal data; () says that none does; None: nobody has said. What has the
            name of a personal column of the source is personal anyhow.

    The parameter's name is that of a source, or of another feature view of the system. On a view, the function
    gets what that view's function returned (entity, the two times, features), as if both were written as one
    function of the source: the other view's `max_age` does not apply, and where it has a `push`, the online facts
    are made from what that gives. What changes the other view's version changes this one's.
    """
    place = caller()
    tags, wrong = declared_tags(owner, units, personal, place=place)
    problems: list[TrimtabError] = [*wrong]
    oldest = None
    try:
        oldest = None if max_age is None else duration(max_age, "max_age")
    except TrimtabError as error:
        problems.append(error.at(place))

    def declare(function: FrameFunction) -> FeatureView:
        parameters = list(inspect.signature(function).parameters)
        return FeatureView(
            name=name or function.__name__,
            function=function,
            source=parameters[0] if len(parameters) == 1 else "",
            entity=(entity,) if isinstance(entity, str) else tuple(entity),
            max_age=oldest,
            description=inspect.getdoc(function) or "",
            place=place,
            push=push,
            problems=tuple(problems),
            tags=tags,
        )

    return declare
