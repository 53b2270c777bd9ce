"""Feature views: the newest fact about an entity, if it is not too old."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import polars as pl

from trimtab.features.code import code_digest
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.moment import duration, duration_us
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

FrameFunction = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True, eq=False)
class FeatureView:
    """A function over a source whose rows are facts about an entity.

    The function keeps the entity's columns and the source's times; every other column that it returns is a
    feature. Each of its rows must follow from one row of the source, since online it sees new rows only.
    """

    name: str
    function: FrameFunction
    source: str  # the name of the function's parameter
    entity: tuple[str, ...]
    max_age: timedelta | None
    description: str
    place: str
    push: FrameFunction | None = None  # makes the online facts, where another function than `function` does
    problems: tuple[TrimtabError, ...] = ()  # reported with all others when the system is applied

    def version(self, source: Source) -> str:
        """Digest of everything that decides its values; the view itself knows its source by name only."""
        age = None if self.max_age is None else duration_us(self.max_age)
        times: list[Json] = [source.event_time, source.known]
        body: list[Json] = [self.name, source.name, *times, list(self.entity), age, *self._code]
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
) -> Callable[[FrameFunction], FeatureView]:
    """Declare a feature view: a function from a source's lazy frame to features of an entity.

    Args:
        entity: the column, or columns, of the request that say which fact is meant.
        max_age: facts older than this (request time minus event time) count as missing; None: any age.
        name: defaults to the function's name.
        push: makes the facts of the online store, where a job of its own pushes them. It must give what the
            function gives: parity holds it to that.

    The parameter's name is the source's name.
    """
    place = caller()
    problems: list[TrimtabError] = []
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
        )

    return declare
